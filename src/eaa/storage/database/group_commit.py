"""Many small writes in one transaction: what comes during a commit goes into the next one together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from eaa.errors import EAAError, InternalError, StorageError
from eaa.storage.database.backend import closed

__all__ = ["MAX_BATCH", "MAX_WAITING", "GroupCommit"]

#: In one transaction.
MAX_BATCH = 512
#: More than this many are refused, so that a database that hangs does not fill the memory.
MAX_WAITING = 16_384

E = TypeVar("E")
R = TypeVar("R")


class GroupCommit(Generic[E, R]):
    """Gathers entries and hands them to ``commit``, one batch at a time, in the order in which they came.

    ``commit`` returns one result for each entry, after they are durable.
    """

    def __init__(self, commit: Callable[[Sequence[E]], Awaitable[Sequence[R]]]) -> None:
        self._commit = commit
        self._waiting: deque[tuple[E, asyncio.Future[R]]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def submit(self, entry: E) -> R:
        """The result of ``entry``, after it is durable.

        Whoever is cancelled before its batch was begun has not written; after that, nobody knows.

        Raises:
            StorageError: of its batch; or ``storage.busy``: too many wait; or ``storage.closed``.
        """
        if self._closed:
            raise closed()
        if len(self._waiting) >= MAX_WAITING:
            raise StorageError(f"{MAX_WAITING} writes wait already", detail="busy")
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, future))
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="group commit")
        return await future

    async def close(self) -> None:
        """Refuse what comes from now on, and wait for what came before."""
        self._closed = True
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        batch: list[tuple[E, asyncio.Future[R]]] = []
        try:
            while self._waiting:
                batch = self._next_batch()
                if batch:
                    await self._commit_batch(batch)
        finally:
            self._task = None
            for _, future in (*batch, *self._waiting):  # none, unless this task was cancelled
                future.cancel()
            self._waiting.clear()

    def _next_batch(self) -> list[tuple[E, asyncio.Future[R]]]:
        count = min(len(self._waiting), MAX_BATCH)
        taken = [self._waiting.popleft() for _ in range(count)]
        return [(entry, future) for entry, future in taken if not future.done()]

    async def _commit_batch(self, batch: list[tuple[E, asyncio.Future[R]]]) -> None:
        try:
            results = await self._commit([entry for entry, _ in batch])
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(_copy(error))
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)


def _copy(error: Exception) -> EAAError:
    """An error of its own for each who waits, since each adds its traceback."""
    if not isinstance(error, StorageError):
        return InternalError(f"a group of writes failed: {type(error).__name__}")
    return StorageError(str(error), detail=error.code.partition(".")[2], **error.fields)
