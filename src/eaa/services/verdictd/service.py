"""One process of verdictd: its listeners around one core, from start to drained."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from prometheus_client import CollectorRegistry, generate_latest

from eaa.broker.administration import Principal
from eaa.errors import ConfigError, EAAError, InternalError
from eaa.provider.limits import HttpLimits
from eaa.provider.opening import open_endorser
from eaa.services.attested_listener import AttestedListener
from eaa.services.endorsements import ServiceEndorsements
from eaa.services.fetching_verifier import with_provider
from eaa.services.http_listener import HttpListener
from eaa.services.http_protocol import HttpBounds, bounded_protocol
from eaa.services.metrics_http import Health, serve_metrics
from eaa.services.verdictd.channel_face import ChannelFace
from eaa.services.verdictd.config import VerdictdConfig, split_address
from eaa.services.verdictd.core import Core, EvidenceSource, clock, environment_verifier, open_core
from eaa.services.verdictd.decision_keeping import pruned
from eaa.services.verdictd.endorsement_settings import endorsement_settings
from eaa.services.verdictd.grpc_admin import grpc_handlers
from eaa.services.verdictd.http_app import http_app, serves_administration
from eaa.services.verdictd.metrics import VerdictdMetrics
from eaa.services.verdictd.middleware import refusal
from eaa.tls.peer import Endorsements, EvidenceKind
from eaa.transport.config import ChannelConfig
from eaa.transport.grpc.server import ClientApiServer, Handler, Limits, TlsFiles

__all__ = ["Inputs", "Verdictd"]

_LOG = logging.getLogger("eaa.verdictd")
#: A guest waits meanwhile.
_PROVIDER_LIMITS = HttpLimits(attempt_seconds=10, total_seconds=20)
_PROVIDE_SECONDS = 60.0
#: Channels do not know the addresses of their peers: all are one when it comes to rates.
_CHANNEL_PEERS = "channel"
#: Of an attested channel without requests.
_IDLE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is handed to the process: configuration, what evidence is verified with, bound sockets.

    ``channel`` and its socket are ``None`` where the EAA protocol is switched off.
    """

    config: VerdictdConfig
    evidence: EvidenceSource
    channel: ChannelConfig | None
    http_socket: socket.socket
    channel_socket: socket.socket | None
    shared: bool = False  # whether other processes serve the same ports


class Verdictd:
    """Started and drained by :func:`eaa.services.running.run_until_stopped`."""

    def __init__(self, inputs: Inputs, say: Callable[[str], None]) -> None:
        self._inputs, self._say = inputs, say
        self._registry = CollectorRegistry()
        self._metrics = VerdictdMetrics(self._registry)
        self._core: Core | None = None
        self._http: HttpListener | None = None
        self._channel: AttestedListener | None = None
        self._client_api: ClientApiServer | None = None
        self._health: asyncio.Server | None = None
        self._draining = False
        self._provided: ServiceEndorsements | None = None
        self._opened = contextlib.AsyncExitStack()
        self._pruning = contextlib.AsyncExitStack()  # ends before the storage is closed

    @property
    def not_ready(self) -> str:
        """Why it cannot serve now, or empty."""
        if self._core is None:
            return "starting"
        if self._draining:
            return "draining"
        try:
            _ = self._core.books.policies
        except EAAError as error:
            return error.code
        return "" if self._provided is None else self._provided.not_ready

    @property
    def core(self) -> Core:
        """What it decides with.

        Raises:
            InternalError: it is not started.
        """
        if self._core is None:
            raise InternalError("verdictd is not started")
        return self._core

    async def start(self) -> None:
        """Open everything and serve.

        Raises:
            EAAError: what cannot be had, and why; then nothing is left open.
        """
        try:
            await self._start()
        except BaseException:
            await self.drain(0)
            raise

    async def _start(self) -> None:
        config = self._inputs.config
        await self._open_providers()
        self._core = await open_core(config, self._inputs.evidence, self._metrics, self._provided)
        for note in self._core.notes:
            _LOG.warning("%s", note)
        keeping = pruned(self._core.database.decisions, config.decisions.keep_days, clock)
        await self._pruning.enter_async_context(keeping)
        await self._start_channel(self._core)
        await self._start_client_api(self._core)
        await self._start_http(self._core)
        if config.metrics.listen and not self._inputs.shared:
            health = Health(lambda: self.not_ready, self.metrics_text)
            self._health = await serve_metrics(config.metrics.listen, health, self._say)

    async def _open_providers(self) -> None:
        """Open the endorsements' providers, and keep what they gave fresh from now on."""
        settings = endorsement_settings(self._inputs.config)
        if settings is None:
            return
        anchors = self._inputs.evidence.trust_anchors
        providers = open_endorser(settings, trust_anchors=anchors, limits=_PROVIDER_LIMITS)
        opened = await self._opened.enter_async_context(providers)
        for note in opened.notes:
            _LOG.warning("%s", note)
        section = self._inputs.config.endorsements
        self._provided = ServiceEndorsements(
            opened.endorser, update=opened.update, fetches_per_minute=section.fetches_per_minute,
            trust_anchors=anchors, changed=self._metrics.endorsements,
        )  # fmt: skip
        refreshing = self._provided.keep_fresh(section.refresh_seconds)
        await self._opened.enter_async_context(refreshing)

    def _providing(self, channel: ChannelConfig) -> ChannelConfig:
        """``channel``, whose verifier has endorsements fetched that peers do not attach."""
        provided, loop = self._provided, asyncio.get_running_loop()
        if provided is None or channel.verifier is None:
            return channel

        def provide(kind: EvidenceKind, evidence: bytes) -> Endorsements | None:
            fetching = provided.fetch(kind, evidence, peer=_CHANNEL_PEERS)
            asyncio.run_coroutine_threadsafe(fetching, loop).result(_PROVIDE_SECONDS)
            return provided.known(kind, evidence)

        return replace(channel, verifier=with_provider(channel.verifier, provide))

    def metrics_text(self) -> str:
        """In Prometheus' text format."""
        return generate_latest(self._registry).decode()

    def replace(self, evidence: EvidenceSource, channel: ChannelConfig | None) -> None:
        """Guests' evidence is verified with ``evidence``; new connections get new keys and certificates.

        Raises:
            ConfigError: the certificate or its key cannot be used; then nothing is replaced.
        """
        config = self._inputs.config
        if self._http is not None:
            self._http.renew()
        if self._provided is not None:
            self._provided.believe(evidence.trust_anchors)
        self.core.broker.use(environment_verifier(config, evidence, self._provided))
        if self._channel is not None and channel is not None:
            self._channel.replace(self._providing(channel))

    async def drain(self, seconds: float) -> bool:
        """Accept no more, let what is under way end, then close; whether all ended by itself."""
        self._draining = True
        ends: list[Awaitable[bool | None]] = []  # all at once: they share the time
        if self._channel is not None:
            ends.append(self._channel.drain(seconds))
        if self._client_api is not None:
            ends.append(self._client_api.stop(seconds))
        if self._http is not None:
            ends.append(self._http.stop(seconds))
        whole = False not in await asyncio.gather(*ends)
        if self._health is not None:
            self._health.close()
        await self._pruning.aclose()
        if self._core is not None:
            await self._core.close()
            self._core = None
        await self._opened.aclose()
        return whole

    async def _start_http(self, core: Core) -> None:
        config = self._inputs.config
        http = config.http
        bounds = HttpBounds(http.max_connections, http.max_head_bytes, http.request_seconds)
        app = http_app(config, core, self._metrics, lambda: self.not_ready)
        self._http = HttpListener(app, bounded_protocol(bounds, refusal), http, idle_seconds=30)
        await self._http.start(self._inputs.http_socket)

    async def _start_channel(self, core: Core) -> None:
        listening, channel = self._inputs.channel_socket, self._inputs.channel
        if listening is None or channel is None:
            return
        face = ChannelFace(core, self._metrics, idle_seconds=_IDLE_SECONDS)
        self._channel = AttestedListener(face.serve, listening, self._providing(channel))
        face.draining = self._channel.draining
        await self._channel.start()

    async def _start_client_api(self, core: Core) -> None:
        api = self._inputs.config.client_api
        if not api.listen:
            return
        self._client_api = ClientApiServer(
            api.listen,
            _seen(core, grpc_handlers(core.administration)),
            lambda token: core.credentials.verify(token, now=clock()),
            tls=_tls(api.private_key, api.certificate),
            limits=Limits(),
            shared=self._inputs.shared,
        )
        port = await self._client_api.start()
        host, _ = split_address(api.listen)
        self._say(f"client API on {f'[{host}]' if ':' in host else host}:{port}")
        if not serves_administration(self._inputs.config):
            self._say("administration over HTTP is not served: its listener is in clear text off loopback")


def _seen(core: Core, handlers: Mapping[str, Handler]) -> dict[str, Handler]:
    """What the client API changes, this process sees before it has answered."""

    def refreshing(handler: Handler) -> Handler:
        async def answer(principal: Principal, request: Any) -> Message:
            response = await handler(principal, request)
            await core.books.try_refresh()
            return response

        return answer

    return {name: refreshing(handler) for name, handler in handlers.items()}


def _tls(key: Path | None, certificate: Path | None) -> TlsFiles | None:
    if key is None or certificate is None:
        return None
    try:
        return TlsFiles(key.read_bytes(), certificate.read_bytes())
    except OSError as error:
        raise ConfigError(f"client_api: {error.filename}: {error.strerror}", detail="client_api") from None
