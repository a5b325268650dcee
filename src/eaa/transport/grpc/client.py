"""The client API's client."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from eaa.transport.grpc.client_api import CODE_METADATA, METHODS

__all__ = ["ClientApi", "ClientApiFailure"]

M = TypeVar("M", bound=Message)

_LIMIT = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ClientApiFailure:
    """A call that was not answered: gRPC's ``status``, the server's ``code`` (empty if none), and why."""

    status: str
    code: str
    message: str


class ClientApi:
    """Calls at ``address``, ``host:port``. ``ca`` is the PEM of who vouches for the server; none, no TLS."""

    def __init__(self, address: str, token: str, *, ca: bytes | None, timeout_seconds: float) -> None:
        options = (("grpc.max_receive_message_length", _LIMIT), ("grpc.enable_retries", 0))
        if ca is None:
            self._channel = grpc.insecure_channel(address, options=options)
        else:
            credentials = grpc.ssl_channel_credentials(root_certificates=ca)
            self._channel = grpc.secure_channel(address, credentials, options=options)
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._timeout = timeout_seconds

    def __enter__(self) -> ClientApi:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()

    def call(self, name: str, request: Message, answer: type[M]) -> M | ClientApiFailure:
        """The answer of the method ``name`` of ``METHODS``, which is an ``answer``, or why there is none."""
        method = self._channel.unary_unary(
            f"/{name}",
            request_serializer=METHODS[name].request.SerializeToString,
            response_deserializer=answer.FromString,
        )
        try:
            came: M = method(request, metadata=self._metadata, timeout=self._timeout)
        except grpc.RpcError as error:
            return _failure(error)
        return came


def _failure(error: Any) -> ClientApiFailure:
    trailing = {key: value for key, value in error.trailing_metadata() or () if isinstance(value, str)}
    return ClientApiFailure(error.code().name, trailing.get(CODE_METADATA, ""), error.details() or "")
