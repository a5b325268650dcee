"""Keys that wrap the keys of images."""

from __future__ import annotations

import asyncio

import pytest

from eaa.broker.ports import Keys
from eaa.broker.records import KeyInfo
from eaa.errors import FormatError, ResourceNotFound
from eaa.storage.database.database import Database
from tests.unit.storage.conftest import Run
from tests.unit.storage.database.samples import HOUR, NOW, AesSealer


@pytest.fixture
def keys(database: Database) -> Keys:
    return database.keys


@pytest.mark.parametrize("size", [16, 24, 32])
def test_what_was_put_is_read(run: Run, keys: Keys, size: int) -> None:
    info = run(keys.put("k", b"k" * size, by="alice", now=NOW))
    assert info == KeyInfo("k", 1, size * 8, False, NOW, "alice")
    read = run(keys.read("k"))
    assert (read.info, read.material) == (info, b"k" * size)


def test_rotation_keeps_the_old_version_by_number(run: Run, keys: Keys) -> None:
    run(keys.put("k", b"1" * 16, by="", now=NOW))
    run(keys.put("k", b"2" * 32, by="", now=NOW + HOUR))
    assert run(keys.read("k")).material == b"2" * 32
    assert run(keys.read("k", version=1)).material == b"1" * 16
    assert [(v.version, v.bits) for v in run(keys.versions("k"))] == [(2, 256), (1, 128)]


def test_a_destroyed_version_has_no_bytes_any_more(run: Run, keys: Keys, database: Database) -> None:
    run(keys.put("k", b"1" * 16, by="", now=NOW))
    run(keys.put("k", b"2" * 16, by="", now=NOW))
    run(keys.destroy("k", version=2))
    for version in (None, 2):
        with pytest.raises(ResourceNotFound):
            run(keys.read("k", version=version))
    assert run(keys.read("k", version=1)).material == b"1" * 16
    assert [info.destroyed for info in run(keys.versions("k"))] == [True, False]
    assert [info.destroyed for info in run(keys.list())] == [True]
    count = "SELECT count(sealed) FROM keys"
    kept = run(database._connected.backend.write(lambda c: c.exec_driver_sql(count).scalar_one()))
    assert kept == 1


def test_a_destroyed_key_can_be_put_anew_under_a_new_version(run: Run, keys: Keys) -> None:
    run(keys.put("k", b"1" * 16, by="", now=NOW))
    run(keys.destroy("k"))
    assert run(keys.put("k", b"2" * 16, by="", now=NOW)).version == 2
    assert run(keys.read("k")).material == b"2" * 16


def test_what_is_not_there_is_not_found(run: Run, keys: Keys) -> None:
    run(keys.put("k", b"1" * 16, by="", now=NOW))
    for missing in (
        keys.read("x"),
        keys.read("k", version=2),
        keys.destroy("x"),
        keys.destroy("k", version=2),
    ):
        with pytest.raises(ResourceNotFound):
            run(missing)
    assert run(keys.versions("x")) == []


def test_listing_goes_by_id(run: Run, keys: Keys) -> None:
    for kid in ("b", "a", "B", "a", "a-1"):
        run(keys.put(kid, b"k" * 16, by="", now=NOW))
    assert [(info.kid, info.version) for info in run(keys.list())] == [
        ("B", 1),
        ("a", 2),
        ("a-1", 1),
        ("b", 1),
    ]
    assert [info.kid for info in run(keys.list(after="B", limit=2))] == ["a", "a-1"]
    with pytest.raises(FormatError):
        run(keys.list(after="\0"))


def test_rotations_at_the_same_time_get_different_versions(
    run: Run, database: Database, other: Database
) -> None:
    async def work() -> list[int]:
        puts = [
            store.keys.put("k", b"k" * 16, by="", now=NOW) for _ in range(10) for store in (database, other)
        ]
        return sorted(info.version for info in await asyncio.gather(*puts))

    assert run(work()) == list(range(1, 21))


def test_material_is_sealed_for_its_id_and_version(run: Run, keys: Keys, sealer: AesSealer) -> None:
    run(keys.put("k", b"1" * 16, by="", now=NOW))
    assert sealer.contexts == [b"key/k@1"]
