"""Many small writes in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from eaa.errors import InternalError, StorageError
from eaa.storage.database import group_commit
from eaa.storage.database.group_commit import GroupCommit
from tests.unit.storage.conftest import Run


class _Disk:
    """Commits when it is told to; remembers what came in one batch."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may_commit = asyncio.Event()
        self.failure: Exception | None = None

    async def commit(self, entries: Sequence[int]) -> list[int]:
        self.batches.append(list(entries))
        await self.may_commit.wait()
        if self.failure is not None:
            raise self.failure
        return [entry * 10 for entry in entries]


async def _until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0)


def test_what_comes_during_a_commit_goes_into_the_next_together(run: Run) -> None:
    async def work() -> None:
        disk = _Disk()
        group = GroupCommit(disk.commit)
        first = asyncio.create_task(group.submit(1))
        await _until(lambda: disk.batches)
        more = [asyncio.create_task(group.submit(n)) for n in range(2, 6)]
        await asyncio.sleep(0)
        assert not first.done()
        disk.may_commit.set()
        assert await asyncio.gather(first, *more) == [10, 20, 30, 40, 50]
        assert disk.batches == [[1], [2, 3, 4, 5]]
        assert await group.submit(6) == 60

    run(work())


def test_a_batch_is_bounded(run: Run) -> None:
    async def work() -> None:
        disk = _Disk()
        disk.may_commit.set()
        group = GroupCommit(disk.commit)
        await asyncio.gather(*(group.submit(n) for n in range(group_commit.MAX_BATCH * 2 + 1)))
        assert [len(batch) for batch in disk.batches] == [group_commit.MAX_BATCH, group_commit.MAX_BATCH, 1]

    run(work())


def test_more_than_may_wait_are_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MAX_WAITING", 3)

    async def work() -> None:
        disk = _Disk()
        group = GroupCommit(disk.commit)
        tasks = [asyncio.create_task(group.submit(n)) for n in range(4)]
        await _until(lambda: disk.batches)
        disk.may_commit.set()
        *fine, refused = await asyncio.gather(*tasks, return_exceptions=True)
        assert fine == [0, 10, 20]
        assert isinstance(refused, StorageError)
        assert refused.code == "storage.busy"

    run(work())


def test_who_is_cancelled_hurts_nobody_else(run: Run) -> None:
    async def work() -> None:
        disk = _Disk()
        group = GroupCommit(disk.commit)
        begun = [asyncio.create_task(group.submit(n)) for n in (1, 2)]
        await _until(lambda: disk.batches)
        waiting = [asyncio.create_task(group.submit(n)) for n in (3, 4)]
        await asyncio.sleep(0)
        begun[0].cancel()
        waiting[0].cancel()
        disk.may_commit.set()
        results = await asyncio.gather(*begun, *waiting, return_exceptions=True)
        assert [type(result) for result in results] == [
            asyncio.CancelledError,
            int,
            asyncio.CancelledError,
            int,
        ]
        assert disk.batches == [[1, 2], [4]]

    run(work())


@pytest.mark.parametrize(
    ("failure", "code"),
    [(StorageError("no", detail="full", kind="x"), "storage.full"), (ValueError("secret"), "internal")],
)
def test_a_failure_reaches_each_of_its_batch_and_no_other(run: Run, failure: Exception, code: str) -> None:
    async def work() -> None:
        disk = _Disk()
        disk.failure = failure
        group = GroupCommit(disk.commit)
        tasks = [asyncio.create_task(group.submit(n)) for n in range(3)]
        cancelled = asyncio.create_task(group.submit(9))
        await _until(lambda: disk.batches)
        cancelled.cancel()
        disk.may_commit.set()
        errors = await asyncio.gather(*tasks, return_exceptions=True)
        assert len({id(error) for error in errors}) == 3
        for error in errors:
            assert isinstance(error, StorageError | InternalError)
            assert error.code == code
            assert "secret" not in str(error)
        disk.failure = None
        assert await group.submit(5) == 50

    run(work())


def test_closing_waits_for_what_came_before_and_refuses_the_rest(run: Run) -> None:
    async def work() -> None:
        disk = _Disk()
        group = GroupCommit(disk.commit)
        tasks = [asyncio.create_task(group.submit(n)) for n in (1, 2)]
        await _until(lambda: disk.batches)
        closing = asyncio.create_task(group.close())
        await asyncio.sleep(0)
        with pytest.raises(StorageError) as caught:
            await group.submit(3)
        assert caught.value.code == "storage.closed"
        assert not closing.done()
        disk.may_commit.set()
        await closing
        assert [task.result() for task in tasks] == [10, 20]
        await group.close()

    run(work())


def test_if_the_loop_ends_during_a_commit_nobody_hangs(run: Run) -> None:
    async def work() -> None:
        disk = _Disk()
        group = GroupCommit(disk.commit)
        begun = asyncio.create_task(group.submit(1))
        await _until(lambda: disk.batches)
        waiting = asyncio.create_task(group.submit(2))
        await asyncio.sleep(0)
        assert group._task is not None
        group._task.cancel()
        results = await asyncio.gather(begun, waiting, return_exceptions=True)
        assert [type(result) for result in results] == [asyncio.CancelledError] * 2

    run(work())
