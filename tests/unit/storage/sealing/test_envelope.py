from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from eaa.errors import ConfigError, StorageError
from eaa.storage.sealing.data_keys import WrappedDataKey
from eaa.storage.sealing.envelope import Envelope
from eaa.storage.sealing.file_key import FileMasterKey
from eaa.storage.sealing.master_key import unavailable
from eaa.storage.sealing.sealed import OVERHEAD_BYTES
from tests.fakes.data_keys import MemoryDataKeys

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CONTEXT = b"resource/default/key/1@3"


class Master(FileMasterKey):
    """A master key that counts what it is asked, and fails while ``away``."""

    def __init__(self, key: bytes = b"m" * 32) -> None:
        super().__init__(key)
        self.asked = 0
        self.away = False

    async def wrap(self, key: bytes) -> bytes:
        await self._answer()
        return await super().wrap(key)

    async def unwrap(self, wrapped: bytes) -> bytes:
        await self._answer()
        return await super().unwrap(wrapped)

    async def _answer(self) -> None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise unavailable(self.name, "away")


@pytest.fixture
def table() -> MemoryDataKeys:
    return MemoryDataKeys()


def run(steps: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(steps())


@pytest.mark.parametrize("plaintext", [b"", b"s", os.urandom(1_000_000)], ids=len)
def test_what_is_sealed_opens(table: MemoryDataKeys, plaintext: bytes) -> None:
    async def steps() -> None:
        envelope = Envelope(Master(), table)
        sealed = await envelope.seal(plaintext, context=CONTEXT)
        assert len(sealed) == len(plaintext) + OVERHEAD_BYTES
        assert await envelope.open(sealed, context=CONTEXT) == plaintext
        assert await Envelope(Master(), table).open(sealed, context=CONTEXT) == plaintext

    run(steps)


def test_the_same_twice_is_sealed_differently(table: MemoryDataKeys) -> None:
    async def steps() -> None:
        envelope = Envelope(Master(), table)
        assert await envelope.seal(b"s", context=CONTEXT) != await envelope.seal(b"s", context=CONTEXT)

    run(steps)


@pytest.mark.parametrize("context", [b"", CONTEXT + b"0", b"resource/default/key/1@2"])
def test_another_context_is_refused(table: MemoryDataKeys, context: bytes) -> None:
    async def steps() -> None:
        envelope = Envelope(Master(), table)
        sealed = await envelope.seal(b"secret", context=CONTEXT)
        with pytest.raises(StorageError) as caught:
            await envelope.open(sealed, context=context)
        assert caught.value.code == "storage.sealed"

    run(steps)


def test_every_bit_counts(table: MemoryDataKeys) -> None:
    async def steps() -> None:
        envelope = Envelope(Master(), table)
        sealed = await envelope.seal(b"secret", context=CONTEXT)
        for bit in range(len(sealed) * 8):
            changed = bytearray(sealed)
            changed[bit // 8] ^= 1 << bit % 8
            with pytest.raises(StorageError) as caught:
                await envelope.open(bytes(changed), context=CONTEXT)
            named = 4 <= bit // 8 < 20
            assert caught.value.code == ("storage.data_key" if named else "storage.sealed")

    run(steps)


def test_a_record_under_another_data_key_of_this_table_is_refused(table: MemoryDataKeys) -> None:
    async def steps() -> None:
        envelope = Envelope(Master(), table)
        sealed = await envelope.seal(b"secret", context=CONTEXT)
        other = await envelope.rotate_data_key()
        with pytest.raises(StorageError) as caught:
            await envelope.open(sealed[:4] + bytes.fromhex(other) + sealed[20:], context=CONTEXT)
        assert caught.value.code == "storage.sealed"

    run(steps)


@pytest.mark.parametrize("sealed", [b"", b"EAA\x01" + bytes(43), b"EAA\x02" + bytes(44), bytes(100)])
def test_what_is_not_sealed_is_refused(table: MemoryDataKeys, sealed: bytes) -> None:
    async def steps() -> None:
        with pytest.raises(StorageError) as caught:
            await Envelope(Master(), table).open(sealed, context=CONTEXT)
        assert caught.value.code == "storage.sealed"
        assert table.loads == 0

    run(steps)


def test_the_master_key_is_asked_once_for_a_data_key(table: MemoryDataKeys) -> None:
    async def steps() -> None:
        master = Master()
        envelope = Envelope(master, table)
        sealed = await asyncio.gather(*(envelope.seal(b"s", context=CONTEXT) for _ in range(20)))
        assert (master.asked, len(table.rows)) == (2, 1)  # wrapped, and unwrapped
        assert table.loads == 2  # before the first data key was made, and after
        master.away = True
        for item in sealed:
            await envelope.open(item, context=CONTEXT)
        assert master.asked == 2

    run(steps)


def test_replicas_that_start_at_once_agree_on_the_first_data_key(table: MemoryDataKeys) -> None:
    async def steps() -> None:
        replicas = [Envelope(Master(), table) for _ in range(8)]
        sealed = await asyncio.gather(*(replica.seal(b"s", context=CONTEXT) for replica in replicas))
        assert len(table.rows) == 1
        assert len({item[:20] for item in sealed}) == 1

    run(steps)


def test_a_data_key_seals_so_many_records_and_no_more(table: MemoryDataKeys) -> None:
    async def steps() -> None:
        envelope = Envelope(Master(), table, seals_per_key=3, clock=lambda: NOW)
        sealed = [await envelope.seal(b"s", context=CONTEXT) for _ in range(7)]
        ids = [item[4:20] for item in sealed]
        assert [ids.count(one) for one in dict.fromkeys(ids)] == [3, 3, 1]
        assert {await envelope.open(item, context=CONTEXT) for item in sealed} == {b"s"}

    run(steps)


def test_tasks_that_reach_the_bound_at_once_make_one_data_key(table: MemoryDataKeys) -> None:
    async def steps() -> None:
        envelope = Envelope(Master(), table, seals_per_key=10)
        for _ in range(10):
            await envelope.seal(b"s", context=CONTEXT)
        await asyncio.gather(*(envelope.seal(b"s", context=CONTEXT) for _ in range(5)))
        assert len(table.rows) == 2

    run(steps)


def test_a_new_data_key_is_the_newest_though_the_clock_went_back(table: MemoryDataKeys) -> None:
    async def steps() -> None:
        await Envelope(Master(), table, clock=lambda: NOW).rotate_data_key()
        late = Envelope(Master(), table, clock=lambda: NOW - timedelta(days=1))
        made = await late.rotate_data_key()
        assert (await Envelope(Master(), table).seal(b"s", context=CONTEXT))[4:20].hex() == made

    run(steps)


def test_another_process_takes_up_a_new_data_key(table: MemoryDataKeys) -> None:
    async def steps() -> None:
        slow, quick = Envelope(Master(), table), Envelope(Master(), table, reload_seconds=0)
        before = {(await each.seal(b"s", context=CONTEXT))[4:20] for each in (slow, quick)}
        made = bytes.fromhex(await Envelope(Master(), table).rotate_data_key())
        assert made not in before
        assert (await quick.seal(b"s", context=CONTEXT))[4:20] == made
        assert (await slow.seal(b"s", context=CONTEXT))[4:20] in before
        assert await slow.open(await quick.seal(b"s", context=CONTEXT), context=CONTEXT) == b"s"

    run(steps)


def test_nothing_is_sealed_without_the_master_key_and_then_it_heals(table: MemoryDataKeys) -> None:
    async def steps() -> None:
        master = Master()
        envelope = Envelope(master, table)
        master.away = True
        with pytest.raises(StorageError) as caught:
            await envelope.seal(b"s", context=CONTEXT)
        assert caught.value.code == "storage.master_key_unavailable"
        assert table.rows == {}
        master.away = False
        sealed = await envelope.seal(b"s", context=CONTEXT)
        assert await envelope.open(sealed, context=CONTEXT) == b"s"

    run(steps)


def test_who_waits_behind_a_failure_shares_it(table: MemoryDataKeys) -> None:
    async def steps() -> None:
        master = Master()
        envelope = Envelope(master, table)
        master.away = True
        calls = [envelope.seal(b"s", context=CONTEXT) for _ in range(50)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        codes = {result.code for result in results if isinstance(result, StorageError)}
        assert (len(results), codes, master.asked) == (50, {"storage.master_key_unavailable"}, 1)

    run(steps)


def test_a_data_key_of_a_wrong_length_is_refused(table: MemoryDataKeys) -> None:
    async def steps() -> None:
        master = Master()
        await table.add(WrappedDataKey("00" * 16, master.name, await master.wrap(b"k" * 24), NOW))
        with pytest.raises(StorageError) as caught:
            await Envelope(master, table).seal(b"s", context=CONTEXT)
        assert caught.value.code == "storage.unwrap"

    run(steps)


def test_another_master_key_says_which_one_is_needed(table: MemoryDataKeys) -> None:
    async def steps() -> None:
        sealed = await Envelope(Master(), table).seal(b"s", context=CONTEXT)
        other = Envelope(Master(b"o" * 32), table)
        for call in (other.open(sealed, context=CONTEXT), other.seal(b"s", context=CONTEXT)):
            with pytest.raises(ConfigError, match=f"{Master().name}.*{Master(b'o' * 32).name}") as caught:
                await call
            assert caught.value.code == "config.master_key"

    run(steps)


def test_rewrapping_changes_the_master_key_and_no_record(table: MemoryDataKeys) -> None:
    async def steps() -> None:
        old, new = Master(), Master(b"n" * 32)
        envelope = Envelope(old, table)
        sealed = []
        for _ in range(3):
            await envelope.rotate_data_key()
            sealed.append(await envelope.seal(b"s", context=CONTEXT))
        before = dict(table.rows)
        assert await envelope.rewrap(new) == 3
        assert {row.master for row in table.rows.values()} == {new.name}
        assert {key: row.created_at for key, row in table.rows.items()} == {
            key: row.created_at for key, row in before.items()
        }
        await envelope.rotate_data_key()
        alone = Envelope(new, table)
        sealed.append(await envelope.seal(b"s", context=CONTEXT))
        assert {await alone.open(item, context=CONTEXT) for item in sealed} == {b"s"}

    run(steps)


def test_rewrapping_goes_on_after_an_interruption(table: MemoryDataKeys) -> None:
    async def steps() -> None:
        old, new = Master(), Master(b"n" * 32)
        envelope = Envelope(old, table)
        sealed = []
        for _ in range(3):
            await envelope.rotate_data_key()
            sealed.append(await envelope.seal(b"s", context=CONTEXT))
        first = min(table.rows.values(), key=lambda row: row.created_at)
        rewrapped = await new.wrap(await old.unwrap(first.wrapped))
        await table.replace(WrappedDataKey(first.id, new.name, rewrapped, first.created_at))
        both = Envelope(old, table, also=[new])
        assert {await both.open(item, context=CONTEXT) for item in sealed} == {b"s"}
        assert await both.rewrap(new) == 3
        assert {await Envelope(new, table).open(item, context=CONTEXT) for item in sealed} == {b"s"}

    run(steps)


def test_a_data_key_that_comes_meanwhile_is_rewrapped_too(table: MemoryDataKeys) -> None:
    async def steps() -> None:
        old, new = Master(), Master(b"n" * 32)
        envelope, other = Envelope(old, table), Envelope(old, table)
        await envelope.rotate_data_key()
        await asyncio.gather(envelope.rewrap(new), other.rotate_data_key())
        assert len(table.rows) == 2
        assert {row.master for row in table.rows.values()} == {new.name}

    run(steps)


def test_a_master_key_that_does_not_give_back_what_it_wrapped_replaces_nothing(table: MemoryDataKeys) -> None:
    class Forgetful(Master):
        async def unwrap(self, wrapped: bytes) -> bytes:
            return bytes(32)

    async def steps() -> None:
        envelope = Envelope(Master(), table)
        await envelope.seal(b"s", context=CONTEXT)
        before = dict(table.rows)
        with pytest.raises(StorageError) as caught:
            await envelope.rewrap(Forgetful(b"f" * 32))
        assert (caught.value.code, table.rows) == ("storage.unwrap", before)

    run(steps)


def test_the_stored_data_key_is_not_the_data_key(table: MemoryDataKeys) -> None:
    async def steps() -> None:
        master = Master()
        await Envelope(master, table).rotate_data_key()
        (row,) = table.rows.values()
        assert await master.unwrap(row.wrapped) not in row.wrapped
        assert (len(row.id), row.master) == (32, master.name)

    run(steps)
