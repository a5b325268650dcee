"""The attested way to the workload: connections for forwarding, and one that is kept for challenges.

Nobody there yet, or no more, is waited out for a bounded time with a growing pause. Evidence that is
refused is not asked for again at once: it would be refused again.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from time import monotonic, time

from eaa.errors import (
    AttesterError,
    ConfigError,
    EAAError,
    LocalProtocolError,
    RemoteProtocolError,
    UsageError,
)
from eaa.services.inclavared_metrics import (
    UPSTREAM_ATTESTED_AT,
    UPSTREAM_CONNECTIONS,
    UPSTREAM_FAILURES,
    UPSTREAM_RECONNECTS,
)
from eaa.services.metrics import Metrics
from eaa.tls.gate_events import Answered
from eaa.transport.config import ChannelConfig
from eaa.transport.streams import AttestedStream, open_attested_connection

__all__ = ["Patience", "Upstream"]

_LOG = logging.getLogger("eaa.inclavared")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one who asks waits for an absent workload, and the pauses between attempts.

    ``greatest_pause_seconds`` is for attempts that nobody waits for.
    """

    seconds: float = 3.0
    first_pause_seconds: float = 0.1
    greatest_pause_seconds: float = 15.0


class Upstream:
    """The workload at ``address``."""

    def __init__(
        self, address: str, config: ChannelConfig, metrics: Metrics, patience: Patience | None = None
    ) -> None:
        self.address, self.config = address, config
        self._metrics = metrics
        self._patience = patience or Patience()
        self._kept: AttestedStream | None = None
        self._lock = asyncio.Lock()
        self._failed = ""
        self._kept_before = False
        self._replaced = asyncio.Event()
        self._challenges: set[asyncio.Task[Answered]] = set()

    @property
    def not_ready(self) -> str:
        """Why there is no attested channel to the workload; empty if one is open."""
        if self._kept is not None and _alive(self._kept):
            return ""
        return self._failed or "the workload was not attested yet"

    def replace(self, config: ChannelConfig) -> None:
        """Connect by ``config`` from now on. Open connections go on; the kept one is opened anew."""
        self.config = config
        self._replaced.set()

    async def connect(self) -> AttestedStream:
        """A new open channel.

        Raises:
            RemoteProtocolError: ``remote_protocol.upstream_unreachable`` or ``…upstream_refused``, caused by
                what went wrong last.
            AttesterError, ConfigError: this end has no evidence to show.
        """
        until = monotonic() + self._patience.seconds
        pause = self._patience.first_pause_seconds
        while True:
            try:
                return await self._attempt()
            except RemoteProtocolError as error:
                if error.code != _UNREACHABLE or monotonic() + pause > until:
                    raise
            await asyncio.sleep(pause)
            pause *= 2

    async def challenge(self, nonce: bytes) -> Answered:
        """The workload's evidence for ``nonce``, 32 bytes, over the kept channel; raises as :meth:`connect`.

        An answer that nobody waits for any more is still taken in: the channel has one question at a time.
        """
        task = asyncio.create_task(self._challenge(nonce))
        self._challenges.add(task)
        task.add_done_callback(self._challenge_done)
        return await asyncio.shield(task)

    async def keep(self) -> None:
        """Have the kept channel open, for ever: it is opened again as soon as it is lost."""
        pause = self._patience.first_pause_seconds
        while True:
            try:
                async with self._lock:
                    stream, _ = await self._steady(patient=False)
                pause = self._patience.first_pause_seconds
                while await self._watch(stream):
                    stream = await self._anew(stream)
                _LOG.warning("upstream %s: closed its channel", self.address)
            except EAAError as error:
                _LOG.warning(
                    "upstream %s: %s: %s; next attempt in %.1f s", self.address, error.code, str(error), pause
                )
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._patience.greatest_pause_seconds)

    async def _watch(self, stream: AttestedStream) -> bool:
        """Until ``stream`` ends, or is to be opened anew, which is returned."""
        ending = asyncio.create_task(stream.read(1))  # nothing is ever said on it, so that this is its end
        replaced = asyncio.create_task(self._replaced.wait())
        anew = False
        try:
            await asyncio.wait({ending, replaced}, return_when=asyncio.FIRST_COMPLETED)
            anew = not ending.done()
            if not anew:
                ending.result()
            return anew
        finally:
            replaced.cancel()
            ending.cancel()
            if not anew:
                stream.close()
                if self._kept is stream:
                    self._kept = None

    async def _anew(self, old: AttestedStream) -> AttestedStream:
        """The kept channel by the present configuration; what was open goes, whatever comes of it."""
        async with self._lock:
            going = {old, self._kept or old}
            self._replaced.clear()
            try:
                self._kept = stream = await self._attempt()
            except BaseException:
                self._kept = None
                raise
            finally:
                for each in going:
                    each.close()
            return stream

    async def close(self) -> None:
        """Close the kept channel; who still waits for an answer gets none."""
        for task in self._challenges:
            task.cancel()
        await asyncio.gather(*self._challenges, return_exceptions=True)
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    async def _challenge(self, nonce: bytes) -> Answered:
        async with self._lock:
            stream, fresh = await self._steady(patient=True)
            try:
                answered = await stream.challenge(nonce)
            except (RemoteProtocolError, LocalProtocolError):
                # It may have been lost without a sign, e.g. by a restart.
                stream.close()
                self._kept = None
                if fresh:
                    raise
                stream, _ = await self._steady(patient=True)
                answered = await stream.challenge(nonce)
            return answered

    def _challenge_done(self, task: asyncio.Task[Answered]) -> None:
        self._challenges.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked has it, or has left

    async def _steady(self, *, patient: bool) -> tuple[AttestedStream, bool]:
        """The kept channel, opened if there is none that is alive; whether it was opened."""
        if self._kept is not None and _alive(self._kept):
            return self._kept, False
        self._replaced.clear()
        self._kept = await (self.connect() if patient else self._attempt())
        if self._kept_before:
            self._metrics.add(UPSTREAM_RECONNECTS)
        self._kept_before = True
        return self._kept, True

    async def _attempt(self) -> AttestedStream:
        try:
            async with asyncio.timeout(self.config.handshake_seconds * 1.5):
                stream = await open_attested_connection(self.address, self.config)
        except (OSError, EAAError) as error:
            failure = _as_failure(self.address, error)
            self._failed = f"{failure.code}: {failure}"
            self._metrics.add(
                UPSTREAM_FAILURES, code=error.code if isinstance(error, EAAError) else failure.code
            )
            if failure is error:
                raise
            raise failure from error
        self._failed = ""
        self._metrics.add(UPSTREAM_CONNECTIONS)
        self._metrics.put(UPSTREAM_ATTESTED_AT, time())
        return stream


def _alive(stream: AttestedStream) -> bool:
    try:
        stream.write(b"")
    except EAAError:
        return False
    return True


_UNREACHABLE = "remote_protocol.upstream_unreachable"
#: Of the handshake, where a server that stops or restarts shows itself.
_PASSING = frozenset({"remote_protocol.truncated", "remote_protocol.deadline"})


def _as_failure(address: str, error: OSError | EAAError) -> EAAError:
    if isinstance(error, OSError) or error.code in _PASSING:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return RemoteProtocolError(f"{address} is not there: {reason}", detail="upstream_unreachable")
    if isinstance(error, AttesterError | ConfigError | UsageError):
        return error
    return RemoteProtocolError(
        f"no channel to {address}: {error.code}: {error}", detail="upstream_refused", upstream_code=error.code
    )
