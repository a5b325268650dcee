"""Secrets that were given once are given again, as long as they hold; in memory and nowhere else.

1. A secret that is kept is answered from memory.
2. A refusal that is remembered is answered by it.
3. Whoever asks for what is being fetched waits for that: each secret is fetched once at a time.
4. What comes is kept for the shorter of the configured time and what the module says, and then dropped.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from eaa.broker.names import ResourcePath
from eaa.errors import EAAError
from eaa.oci.key_id import KeyId
from eaa.services.attestation_agent.refusals import Refusals
from eaa.services.attestation_agent.secrets import SecretsModule

__all__ = ["CacheTerms", "CachedSecrets"]


@dataclass(frozen=True, slots=True)
class CacheTerms:
    """``seconds`` a secret is kept at most, zero keeps none; ``max_bytes`` of all together.

    A refusal is remembered for ``refused_seconds``.
    """

    seconds: float = 300.0
    max_bytes: int = 16 * 1024 * 1024
    refused_seconds: float = 5.0


@dataclass(slots=True)
class _Kept:
    secret: bytes = field(repr=False)
    until: float
    dropping: asyncio.TimerHandle


class CachedSecrets:
    """:class:`~eaa.services.attestation_agent.secrets.GuestSecrets` of ``module``, for one event loop."""

    def __init__(
        self, module: SecretsModule, terms: CacheTerms, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._module, self._terms, self._clock = module, terms, clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0
        self._refusals = Refusals(terms.refused_seconds, clock=clock)
        self._fetching: dict[str, asyncio.Task[bytes]] = {}

    async def resource(self, path: ResourcePath) -> bytes:
        return await self._get(f"kbs:///{path}", lambda: self._module.resource(path))

    async def key(self, kid: KeyId) -> bytes:
        path = kid.resource_path
        if path is not None:
            return await self.resource(path)
        return await self._get(str(kid), lambda: self._module.key(kid))

    def forget(self) -> None:
        """Drop all that is kept, and end what is being fetched."""
        for task in self._fetching.values():
            task.cancel()
        for name in tuple(self._kept):
            self._drop(name)

    async def _get(self, name: str, fetch: Callable[[], Awaitable[bytes]]) -> bytes:
        # 1.
        kept = self._kept.get(name)
        if kept is not None and self._clock() < kept.until:
            self._kept.move_to_end(name)
            return kept.secret
        # 2.
        self._refusals.require_none(name)
        # 3. Who waits may go away; the others still wait.
        task = self._fetching.get(name)
        if task is None:
            task = asyncio.create_task(self._fetch(name, fetch))
            self._fetching[name] = task
            task.add_done_callback(lambda done: self._fetched(name, done))
        return await asyncio.shield(task)

    async def _fetch(self, name: str, fetch: Callable[[], Awaitable[bytes]]) -> bytes:
        try:
            secret = await fetch()
        except EAAError as error:
            self._refusals.remember(name, error)
            raise
        # 4.
        self._keep(name, secret)
        return secret

    def _fetched(self, name: str, task: asyncio.Task[bytes]) -> None:
        self._fetching.pop(name, None)
        if not task.cancelled():
            task.exception()  # seen, also if nobody waits any more

    def _keep(self, name: str, secret: bytes) -> None:
        seconds = min(self._terms.seconds, self._module.valid_seconds)
        if seconds <= 0 or len(secret) > self._terms.max_bytes:
            return
        self._drop(name)
        while self._bytes + len(secret) > self._terms.max_bytes:
            self._drop(next(iter(self._kept)))
        dropping = asyncio.get_running_loop().call_later(seconds, self._drop, name)
        self._kept[name] = _Kept(secret, self._clock() + seconds, dropping)
        self._bytes += len(secret)

    def _drop(self, name: str) -> None:
        kept = self._kept.pop(name, None)
        if kept is not None:
            kept.dropping.cancel()
            self._bytes -= len(kept.secret)
