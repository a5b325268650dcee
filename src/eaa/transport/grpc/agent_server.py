"""The agent's gRPC server: for what runs in the same guest, on loopback or a socket of its owner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from eaa.errors import EAAError, Outcome
from eaa.transport.address import TcpAddress, UnixAddress, parse_address
from eaa.transport.grpc.agent_api import METHODS, Handler
from eaa.transport.grpc.agent_sockets import private_files, require_local
from eaa.transport.grpc.unary_server import Answer, UnaryServer, abort

__all__ = ["AgentLimits", "AgentServer"]


@dataclass(frozen=True, slots=True)
class AgentLimits:
    """``message_bytes`` of one request; more calls than ``calls`` at once are refused."""

    message_bytes: int = 4 * 1024 * 1024
    metadata_bytes: int = 16 * 1024
    calls: int = 256


class AgentServer:
    """Serves ``handlers``, by their names in ``METHODS``, and ``grpc.health.v1``.

    Args:
        address: ``tcp://`` on loopback, port 0 lets the kernel choose; or ``unix://``, mode 0600.
        handlers: the methods that there are; the others are unimplemented.
        outcome: the status of an error.

    Raises:
        ConfigError: ``config.not_local``.
        UsageError: ``address`` is none.
    """

    def __init__(
        self,
        address: str,
        handlers: Mapping[str, Handler],
        outcome: Callable[[EAAError], Outcome],
        *,
        limits: AgentLimits,
    ) -> None:
        require_local(address)
        self._where = parse_address(address)
        self._outcome = outcome
        answers = {name: self._answering(handler) for name, handler in handlers.items()}
        self._server = UnaryServer(METHODS, answers, limits, shared=False)

    async def start(self) -> str:
        """Listen, and say where, with the port that the kernel chose.

        Raises:
            UsageError: ``usage.listen``.
        """
        match self._where:
            case TcpAddress(host):
                port = self._server.bind(str(self._where).removeprefix("tcp://"))
                where = str(TcpAddress(host, port))
            case UnixAddress(path):
                with private_files():
                    self._server.bind(f"unix:{path}")
                where = str(self._where)
        await self._server.start()
        return where

    async def stop(self, grace_seconds: float) -> None:
        """Take no more calls, and let those under way end within ``grace_seconds``."""
        await self._server.stop(grace_seconds)
        if isinstance(self._where, UnixAddress):
            Path(self._where.path).unlink(missing_ok=True)

    def _answering(self, handler: Handler) -> Answer:
        async def answer(request: Any, context: Any) -> Message:
            try:
                return await handler(request)
            except EAAError as error:
                await abort(context, self._outcome(error), error, str(error))

        return answer
