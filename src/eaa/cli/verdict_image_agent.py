"""Layer keys that an attestation-agent unwraps, as it would for a guest."""

from __future__ import annotations

from typing import Any

import grpc

from eaa.cli.verdict_refused import UNREACHABLE, Refused
from eaa.codec.hosts import is_loopback
from eaa.errors import UsageError
from eaa.oci.keyprovider import UnwrapRequest, encode_unwrap_request, parse_unwrap_answer
from eaa.transport.grpc.client_api import CODE_METADATA
from eaa.transport.grpc.wire import keyprovider_pb2 as wire

__all__ = ["AgentKeys"]

_METHOD = "/keyprovider.KeyProviderService/UnWrapKey"
#: The agent may have to be attested first.
_SECONDS = 60.0


class AgentKeys:
    """Asks the agent at ``address``, with ``parameters`` of its own.

    Keys come back in the clear, so it must be on this machine: ``unix:///path``, or a port of loopback.

    Raises:
        UsageError: ``usage.agent``: it is not.
    """

    def __init__(self, address: str, parameters: tuple[str, ...] = ()) -> None:
        host = address.rpartition(":")[0].strip("[]")
        if not address.startswith("unix:///") and not is_loopback(host):
            raise UsageError(
                f"--agent {address}: expected unix:///path or a port of loopback", detail="agent"
            )
        self._address = address
        self._parameters = parameters

    def unwrap(self, annotation: bytes) -> bytes:
        """The options in a packet.

        Raises:
            Refused: the agent does not answer, or says no.
            FormatError: it answers what no key provider does.
        """
        request = wire.keyProviderKeyWrapProtocolInput(
            KeyProviderKeyWrapProtocolInput=encode_unwrap_request(UnwrapRequest(annotation, self._parameters))
        )
        with grpc.insecure_channel(self._address, options=(("grpc.enable_http_proxy", 0),)) as channel:
            method = channel.unary_unary(
                _METHOD,
                request_serializer=wire.keyProviderKeyWrapProtocolInput.SerializeToString,
                response_deserializer=wire.keyProviderKeyWrapProtocolOutput.FromString,
            )
            try:
                answer = method(request, timeout=_SECONDS)
            except grpc.RpcError as error:
                raise self._refused(error) from None
        return parse_unwrap_answer(answer.KeyProviderKeyWrapProtocolOutput)

    def _refused(self, error: Any) -> Refused:
        status, text = error.code(), error.details() or ""
        codes = [value for key, value in error.trailing_metadata() or () if key == CODE_METADATA]
        if status is grpc.StatusCode.UNAVAILABLE and codes:
            return Refused(f"the agent at {self._address} has no broker: {text}", codes[0], UNREACHABLE)
        if status is grpc.StatusCode.UNAVAILABLE:
            return Refused(f"no answer from the agent at {self._address}: {text}", "unreachable", UNREACHABLE)
        return Refused(f"the agent at {self._address} refuses: {text}", status.name.lower(), 10)
