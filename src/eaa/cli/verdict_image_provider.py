"""A key provider for one run of ``skopeo``: gRPC on a socket that only this user reaches."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from eaa.errors import ConfigError, EAAError, LocalProtocolError, outcome_of
from eaa.oci.keyprovider import (
    MAX_REQUEST_BYTES,
    PROVIDER,
    UnwrapRequest,
    parse_request,
    unwrap_answer,
    wrap_answer,
)
from eaa.transport.grpc.wire import keyprovider_pb2 as wire

try:
    import grpc
except ImportError as error:  # pragma: no cover - the tests install the extra
    raise ConfigError("verdict image needs gRPC: pip install eaa[verdictd]", key="verdictd") from error

__all__ = ["KeyProvider", "Unwrap", "Wrap", "key_provider"]

#: From a layer's options to its packet, and back; both encoded.
Wrap = Callable[[bytes], bytes]
Unwrap = Callable[[bytes], bytes]

_SERVICE = "keyprovider.KeyProviderService"
_PREFIX, _SOCKET = "verdict-", "provider.sock"
#: Without the zero byte at its end (unix(7), sockaddr_un).
_SOCKET_NAME_BYTES = 107
_THREADS = 4
_GRACE_SECONDS = 1.0
_ROOM_BYTES = 1024


@dataclass(slots=True)
class KeyProvider:
    """One that serves. ``config`` is the file for ocicrypt; ``failure`` the first that it answered with."""

    config: str
    failure: Exception | None = field(default=None)


@contextmanager
def key_provider(*, wrap: Wrap | None = None, unwrap: Unwrap | None = None) -> Iterator[KeyProvider]:
    """Serves what is given of ``wrap`` and ``unwrap`` until the block ends.

    Raises:
        ConfigError: ``config.key_provider``: it cannot listen.
    """
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=_parent()) as folder:  # mode 0700
        address = f"unix://{folder}/{_SOCKET}"
        config = Path(folder, "ocicrypt.json")
        config.write_text(json.dumps({"key-providers": {PROVIDER: {"grpc": address}}}))
        provider = KeyProvider(str(config))
        server = grpc.server(
            ThreadPoolExecutor(_THREADS),
            options=(("grpc.max_receive_message_length", MAX_REQUEST_BYTES + _ROOM_BYTES),),
        )
        server.add_generic_rpc_handlers((_handlers(provider, wrap, unwrap),))
        try:
            server.add_insecure_port(address)
        except RuntimeError:
            raise ConfigError(f"the key provider cannot listen on {address}", detail="key_provider") from None
        server.start()
        try:
            yield provider
        finally:
            server.stop(_GRACE_SECONDS).wait()


def _parent() -> str | None:
    """The folder of temporary files, unless a socket's name would be too long there."""
    added = len(f"/{_PREFIX}12345678/{_SOCKET}")
    fits = len(os.fsencode(tempfile.gettempdir())) + added <= _SOCKET_NAME_BYTES
    return None if fits else "/tmp"  # noqa: S108 - where a folder of a name of its own is made


def _handlers(provider: KeyProvider, wrap: Wrap | None, unwrap: Unwrap | None) -> Any:
    def answer(message: wire.keyProviderKeyWrapProtocolInput, context: Any) -> Any:
        try:
            said = _answer(message.KeyProviderKeyWrapProtocolInput, wrap, unwrap)
        except (EAAError, click.ClickException) as error:
            provider.failure = provider.failure or error
            context.abort(_status(error), _text(error))
        return wire.keyProviderKeyWrapProtocolOutput(KeyProviderKeyWrapProtocolOutput=said)

    method = grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=wire.keyProviderKeyWrapProtocolInput.FromString,
        response_serializer=wire.keyProviderKeyWrapProtocolOutput.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(_SERVICE, {"WrapKey": method, "UnWrapKey": method})


def _answer(data: bytes, wrap: Wrap | None, unwrap: Unwrap | None) -> bytes:
    request = parse_request(data)
    if isinstance(request, UnwrapRequest):
        if unwrap is None:
            raise LocalProtocolError("asked to unwrap a key while an image is encrypted", detail="operation")
        return unwrap_answer(unwrap(request.annotation))
    if wrap is None:
        raise LocalProtocolError("asked to wrap a key while an image is decrypted", detail="operation")
    return wrap_answer(wrap(request.options))


def _status(error: Exception) -> grpc.StatusCode:
    return grpc.StatusCode[outcome_of(error).grpc] if isinstance(error, EAAError) else grpc.StatusCode.UNKNOWN


def _text(error: Exception) -> str:
    return error.format_message() if isinstance(error, click.ClickException) else str(error)
