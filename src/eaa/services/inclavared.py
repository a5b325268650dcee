"""``inclavared``: hands on the workload's evidence, and forwards bytes to it over attested TLS.

The first application message of a downstream connection decides which: a request for evidence is answered
with evidence that the workload collects for the asker's nonce; anything else is the application's, and goes
to a channel of its own to the workload. Nothing is sent to a workload that was not attested.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from eaa.errors import EAAError
from eaa.services.attested_listener import AttestedListener
from eaa.services.enclave_info import (
    MAX_REQUEST_BYTES,
    InfoRequest,
    encode_answer,
    encode_error,
    parse_request,
    require_nonce,
)
from eaa.services.forwarding import forward
from eaa.services.inclavared_metrics import FAMILIES, FORWARDED_BYTES, REQUESTS, CountingObserver
from eaa.services.metrics import Metrics, render
from eaa.services.upstream import Patience, Upstream
from eaa.transport.config import ChannelConfig
from eaa.transport.streams import AttestedStream

__all__ = ["Configs", "Inclavared"]

_LOG = logging.getLogger("eaa.inclavared")
#: What begins like a request and does not go on is the application's.
_REQUEST_SECONDS = 1.0
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Configs:
    """``downstream`` is for the server's role, ``upstream`` for the client's."""

    downstream: ChannelConfig
    upstream: ChannelConfig


class Inclavared:
    """One process's forwarder from ``listening``, a bound socket, to the workload at ``upstream``."""

    def __init__(
        self, listening: socket.socket, upstream: str, configs: Configs, patience: Patience | None = None
    ) -> None:
        self.metrics = Metrics()
        self._upstream = Upstream(upstream, configs.upstream, self.metrics, patience)
        self._listener = AttestedListener(
            self._serve, listening, configs.downstream, CountingObserver(self.metrics)
        )
        self._keeping: asyncio.Task[None] | None = None

    @property
    def not_ready(self) -> str:
        """Why it cannot serve now, or empty."""
        return "draining" if self._listener.draining.is_set() else self._upstream.not_ready

    def metrics_text(self) -> str:
        return render(FAMILIES, self.metrics)

    async def start(self) -> None:
        """Accept from now on; raises if there is no evidence to show. The workload need not be there yet."""
        await self._listener.start()
        self._keeping = asyncio.create_task(self._upstream.keep())

    def replace(self, configs: Configs) -> None:
        """New connections use ``configs``, as does the channel for evidence; others that are open go on."""
        self._listener.replace(configs.downstream)
        self._upstream.replace(configs.upstream)

    async def drain(self, seconds: float) -> bool:
        """Accept no more, and wait for what is under way; whether all ended within ``seconds``."""
        whole = await self._listener.drain(seconds)
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping
        await self._upstream.close()
        return whole

    async def _serve(self, stream: AttestedStream) -> None:
        first, ended = await self._first_message(stream)
        if request := parse_request(first):
            await self._answer(stream, request)
        elif first:
            await self._forward(stream, first, ended)

    async def _first_message(self, stream: AttestedStream) -> tuple[bytes, bool]:
        """The first bytes, whole if they are a request, and whether nothing follows.

        Who has said nothing when draining begins is not waited for.
        """
        reading = asyncio.create_task(stream.read(_CHUNK_BYTES))
        draining = asyncio.create_task(self._listener.draining.wait())
        try:
            await asyncio.wait({reading, draining}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                return b"", True
            first = reading.result()
        finally:
            reading.cancel()
            draining.cancel()
        ended = not first
        with suppress(TimeoutError):
            async with asyncio.timeout(_REQUEST_SECONDS):
                while not ended and _may_go_on(first):
                    more = await stream.read(_CHUNK_BYTES)
                    first, ended = first + more, not more
        return first, ended

    async def _answer(self, stream: AttestedStream, request: InfoRequest) -> None:
        try:
            answered = await self._upstream.challenge(require_nonce(request))
        except EAAError as error:
            self.metrics.add(REQUESTS, kind="evidence", outcome=error.code)
            _LOG.warning("request %s for evidence: %s: %s", request.id, error.code, str(error))
            stream.write(encode_error(request, error))
        else:
            self.metrics.add(REQUESTS, kind="evidence", outcome="ok")
            _LOG.info("request %s for evidence: answered", request.id)
            stream.write(encode_answer(request, answered))
        await stream.drain()

    async def _forward(self, stream: AttestedStream, first: bytes, ended: bool) -> None:
        try:
            upstream = await self._upstream.connect()
        except EAAError as error:
            self.metrics.add(REQUESTS, kind="forward", outcome=error.code)
            raise  # the channel's driver logs it, and tells downstream its code
        try:
            await forward(stream, upstream, first=first, ended=ended, counter=self._counter)
        except EAAError as error:
            self.metrics.add(REQUESTS, kind="forward", outcome=error.code)
            upstream.abort(error)
            raise
        else:
            self.metrics.add(REQUESTS, kind="forward", outcome="ok")
        finally:
            upstream.close()

    def _counter(self, direction: str) -> Callable[[int], None]:
        return self.metrics.adder(FORWARDED_BYTES, direction=direction)


def _may_go_on(first: bytes) -> bool:
    """Whether ``first`` may be the beginning of a request that has not come whole."""
    opened = first.lstrip()[:1] == b"{" and len(first) < MAX_REQUEST_BYTES
    return opened and not first.rstrip().endswith(b"}")
