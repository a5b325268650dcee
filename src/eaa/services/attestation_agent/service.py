"""The agent as a process: its listeners around one :class:`Agent`, from start to drained."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from eaa.errors import UsageError
from eaa.services.attestation_agent.agent import Agent
from eaa.services.attestation_agent.calls import agent_handlers
from eaa.services.attestation_agent.failures import agent_outcome
from eaa.services.attestation_agent.rest import rest_app
from eaa.services.attestation_agent.terms import Sockets
from eaa.services.http_listener import HttpListener
from eaa.services.listening import address_of, bind, forget
from eaa.transport.grpc.agent_api import ATTESTATION, CDH, GET_RESOURCE, KEY_PROVIDER, Handler, methods_of
from eaa.transport.grpc.agent_server import AgentLimits, AgentServer
from eaa.transport.grpc.agent_sockets import make_folder, private_files, require_local
from eaa.transport.ttrpc.server import TtrpcLimits, TtrpcServer

__all__ = ["AttestationAgent"]

#: Beyond what a module is patient for: a quote, and the rest of a call.
_EXTRA_SECONDS = 20.0


class AttestationAgent:
    """Started and drained by :func:`eaa.services.running.run_until_stopped`.

    Args:
        agent: closed at the end.
        sockets: where to listen.
        request_seconds: what a module is given for a secret.
        say: is told where each listener is.

    Raises:
        ConfigError: ``config.not_local``.
        UsageError: an address is none.
    """

    def __init__(
        self, agent: Agent, sockets: Sockets, *, request_seconds: float, say: Callable[[str], None]
    ) -> None:
        self._agent, self._sockets, self._say = agent, sockets, say
        self._deadline = request_seconds + _EXTRA_SECONDS
        self._grpc: list[AgentServer] = []
        self._ttrpc: list[TtrpcServer] = []
        self._rest: HttpListener | None = None
        self._bound: list[tuple[socket.socket, str]] = []
        for address in (sockets.attestation_ttrpc, sockets.cdh_ttrpc, sockets.rest):
            if address:
                require_local(address)
        if sockets.rest.startswith("unix:"):
            raise UsageError("REST is served on a port of loopback", detail="listen")

    async def start(self) -> None:
        """Listen on all sockets.

        Raises:
            EAAError: what cannot be had, and why; then nothing is left open.
        """
        try:
            await self._start()
        except BaseException:
            await self.drain(0)
            raise

    async def drain(self, seconds: float) -> bool:
        """Accept no more, let calls end within ``seconds``, then close; what is cut does not count."""
        ending = [server.stop(seconds) for server in self._grpc]
        await asyncio.gather(*ending, *(server.stop(seconds) for server in self._ttrpc))
        if self._rest is not None:
            await self._rest.stop(seconds)
        for listening, address in self._bound:
            forget(listening, address)
        self._bound.clear()
        await self._agent.close()
        return True

    async def _start(self) -> None:
        handlers = agent_handlers(self._agent, self._deadline)
        for what, address, services in self._grpc_listeners():
            where = await self._start_grpc(address, _only(handlers, services))
            self._say(f"{what} (gRPC) on {where}")
        for what, address, services in (
            ("attestation", self._sockets.attestation_ttrpc, ATTESTATION),
            ("confidential data", self._sockets.cdh_ttrpc, CDH),
        ):
            if address:
                where = await self._start_ttrpc(address, _only(handlers, services))
                self._say(f"{what} (ttrpc) on {where}")
        if self._sockets.rest:
            where = await self._start_rest(self._sockets.rest)
            self._say(f"REST on {where}")

    def _grpc_listeners(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """What each serves; an address that is given for several serves all of theirs."""
        wanted: dict[str, tuple[list[str], tuple[str, ...]]] = {}
        for what, address, services in (
            ("key provider", self._sockets.keyprovider, KEY_PROVIDER),
            ("resources", self._sockets.getresource, GET_RESOURCE),
            ("attestation and confidential data", self._sockets.attestation, (*ATTESTATION, *CDH)),
        ):
            if address.endswith(":0"):  # each a port of its own
                wanted[f"{address} {what}"] = [what], services
            elif address:
                names, before = wanted.get(address, ([], ()))
                wanted[address] = [*names, what], (*before, *services)
        return [(", ".join(n), address.split(" ")[0], s) for address, (n, s) in wanted.items()]

    async def _start_grpc(self, address: str, handlers: dict[str, Handler]) -> str:
        server = AgentServer(address, handlers, agent_outcome, limits=AgentLimits())
        make_folder(address)
        where = await server.start()
        self._grpc.append(server)
        return where

    async def _start_ttrpc(self, address: str, handlers: dict[str, Handler]) -> str:
        listening = self._bind(address)
        server = TtrpcServer(
            listening, handlers, agent_outcome, limits=TtrpcLimits(deadline_seconds=self._deadline)
        )
        await server.start()
        self._ttrpc.append(server)
        return address_of(listening)

    async def _start_rest(self, address: str) -> str:
        listening = self._bind(address)
        app = rest_app(self._agent, self._deadline)
        self._rest = HttpListener(app, HttpToolsProtocol, None, idle_seconds=30)
        await self._rest.start(listening)
        return address_of(listening).replace("tcp://", "http://")

    def _bind(self, address: str) -> socket.socket:
        make_folder(address)
        with private_files():
            listening = bind(address)
        self._bound.append((listening, address))
        return listening


def _only(handlers: dict[str, Handler], services: tuple[str, ...]) -> dict[str, Handler]:
    return {name: handlers[name] for name in methods_of(services)}
