"""The policies and keys that this process decides by, kept fresh from the storage.

A change by this process is seen at once (:meth:`Books.try_refresh`), one by another replica within the
refresh period. If the storage does not answer when it is asked again, decisions go on for the grace period
and then are refused.
Once a minute keys are renewed that are due, and sessions that have expired are forgotten.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from eaa.broker.key_book import KeyBook, Rotation
from eaa.broker.policy_book import PolicyBook
from eaa.broker.ports import Policies, ReferenceValues, ServiceKeys, Sessions
from eaa.broker.records import PolicyKind, ReferenceValue
from eaa.errors import EAAError, InternalError
from eaa.services.verdictd.service_keys import current_keys, ensure_keys
from eaa.transport.unexpected import log_unexpected

__all__ = ["BookStores", "Books"]

_LOG = logging.getLogger("eaa.verdictd")
#: How long decisions go on without an answer of the storage, once it is due.
GRACE = timedelta(seconds=15)
_KEY_SECONDS = 60.0
#: A session is remembered for so long after its end: another replica, whose clock is behind or was set back,
#: may still take its challenge, and must find that it is spent.
_SKEW = timedelta(minutes=5)
_PAGE = 1000


class BookStores(Protocol):
    """What the books are read from."""

    @property
    def policies(self) -> Policies: ...
    @property
    def references(self) -> ReferenceValues: ...
    @property
    def service_keys(self) -> ServiceKeys: ...
    @property
    def sessions(self) -> Sessions: ...


class Books:
    """:attr:`policies` and :attr:`keys`, once :meth:`start` has returned."""

    def __init__(
        self,
        stores: BookStores,
        *,
        rotation: Rotation,
        issuer: str,
        clock: Callable[[], datetime],
        refresh_seconds: float,
    ) -> None:
        self._stores, self._rotation, self._issuer = stores, rotation, issuer
        self._clock, self._refresh_seconds = clock, refresh_seconds
        self._at_most = timedelta(seconds=refresh_seconds) + GRACE
        self._policies: PolicyBook | None = None
        self._keys: KeyBook | None = None
        self._keys_read_at: datetime | None = None
        self._task: asyncio.Task[None] | None = None
        self._reading = asyncio.Lock()
        self._failing = False

    @property
    def policies(self) -> PolicyBook:
        """What holds.

        Raises:
            StorageError: it was not read for too long.
        """
        if self._policies is None:
            raise InternalError("the books are asked before they are started")
        self._policies.require_recent(self._clock(), at_most=self._at_most)
        return self._policies

    @property
    def keys(self) -> KeyBook:
        """The service's keys."""
        if self._keys is None:
            raise InternalError("the books are asked before they are started")
        return self._keys

    async def start(self) -> None:
        """Make the keys that are missing, read everything, and go on reading.

        Raises:
            StorageError: the storage does not answer.
        """
        await self.refresh()
        self._task = asyncio.create_task(self._keep_fresh())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def refresh(self) -> None:
        """Read what has changed, now."""
        async with self._reading:
            await self._refresh_policies()
            await self._refresh_keys()

    async def try_refresh(self) -> None:
        """As :meth:`refresh`; if that fails, it is logged once, and the next reading makes up for it.

        For what has happened whether it is seen now or not: a change that the storage holds.
        """
        try:
            await self.refresh()
        except EAAError as error:
            if not self._failing:
                _LOG.error("policies and keys cannot be read: %s: %s", error.code, str(error))
            self._failing = True
        except Exception as error:
            # One reading that breaks must not be the last: without them everything is refused.
            if not self._failing:
                log_unexpected(_LOG, "reading policies and keys", error)
            self._failing = True
        else:
            if self._failing:
                _LOG.info("policies and keys are read again")
            self._failing = False

    async def _refresh_policies(self) -> None:
        now = self._clock()
        generation = await self._stores.policies.generation()
        held = self._policies
        if held is not None and held.generation == generation:
            self._policies = PolicyBook(
                generation, held.attestation, held.resource, held.references, read_at=now
            )
            return
        policies = [item for kind in PolicyKind for item in await self._stores.policies.current(kind)]
        references = await _all_references(self._stores.references)
        self._policies = PolicyBook.of(generation, policies, references, read_at=now)

    async def _refresh_keys(self) -> None:
        now = self._clock()
        since = None if self._keys_read_at is None else (now - self._keys_read_at).total_seconds()
        if since is not None and 0 <= since < _KEY_SECONDS:  # below if the clock was set back
            return
        await ensure_keys(self._stores.service_keys, rotation=self._rotation, issuer=self._issuer, now=now)
        # Another process may have made the first keys meanwhile, which begin later than ``now``.
        self._keys = KeyBook.of(await current_keys(self._stores.service_keys), now=self._clock())
        self._keys_read_at = now
        await self._stores.sessions.prune(now - _SKEW)

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(self._refresh_seconds)
            await self.try_refresh()


async def _all_references(store: ReferenceValues) -> list[ReferenceValue]:
    found: list[ReferenceValue] = []
    page: Sequence[ReferenceValue] = await store.list(limit=_PAGE)
    while page:
        found += page
        page = await store.list(after=page[-1].name, limit=_PAGE) if len(page) == _PAGE else ()
    return found
