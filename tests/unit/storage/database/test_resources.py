"""Secrets by path, in versions."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from eaa.broker.names import ResourcePath
from eaa.broker.ports import Resources
from eaa.broker.records import ResourceInfo
from eaa.errors import ConflictError, FormatError, ResourceNotFound, StorageError, UsageError
from eaa.storage.database import versions
from eaa.storage.database.database import Database
from eaa.storage.database.resources import DatabaseResources
from tests.unit.storage.conftest import Run
from tests.unit.storage.database.samples import HOUR, NOW, PATH, AesSealer


@pytest.fixture
def resources(database: Database) -> Resources:
    return database.resources


def test_what_was_put_is_read(run: Run, resources: Resources) -> None:
    content = bytes(range(256))
    info = run(resources.put(PATH, content, by="alice", now=NOW))
    assert info == ResourceInfo(PATH, 1, 256, True, NOW, "alice")
    read = run(resources.read(PATH))
    assert (read.info, read.content) == (info, content)


@pytest.mark.parametrize("content", [b"", b"\0", bytes(1_000_000)], ids=["empty", "NUL", "1 MB"])
def test_any_bytes_are_a_content(run: Run, resources: Resources, content: bytes) -> None:
    run(resources.put(PATH, content, by="", now=NOW))
    assert run(resources.read(PATH)).content == content


def test_the_newest_version_is_read_and_old_ones_by_number(run: Run, resources: Resources) -> None:
    run(resources.put(PATH, b"one", by="a", now=NOW))
    run(resources.put(PATH, b"two", by="b", now=NOW + HOUR))
    assert run(resources.read(PATH)).content == b"two"
    assert run(resources.read(PATH, version=1)).content == b"one"
    versions = run(resources.versions(PATH))
    assert [(v.version, v.created_at, v.created_by) for v in versions] == [
        (2, NOW + HOUR, "b"),
        (1, NOW, "a"),
    ]


def test_what_was_never_put_is_not_found(run: Run, resources: Resources) -> None:
    run(resources.put(PATH, b"one", by="", now=NOW))
    other = ResourcePath("default", "key", "2")
    for missing in (
        resources.read(other),
        resources.read(PATH, version=2),
        resources.set_enabled(other, True),
        resources.set_enabled(PATH, True, version=2),
        resources.delete(other),
        resources.delete(PATH, version=2),
    ):
        with pytest.raises(ResourceNotFound):
            run(missing)
    assert run(resources.versions(other)) == []


def test_a_disabled_version_is_passed_over(run: Run, resources: Resources) -> None:
    run(resources.put(PATH, b"one", by="", now=NOW))
    run(resources.put(PATH, b"two", by="", now=NOW))
    run(resources.set_enabled(PATH, False, version=2))
    assert run(resources.read(PATH)).content == b"one"
    with pytest.raises(ResourceNotFound):
        run(resources.read(PATH, version=2))
    run(resources.set_enabled(PATH, True, version=2))
    assert run(resources.read(PATH)).content == b"two"


def test_all_versions_are_disabled_at_once(run: Run, resources: Resources) -> None:
    for _ in range(3):
        run(resources.put(PATH, b"x", by="", now=NOW))
    run(resources.set_enabled(PATH, False))
    with pytest.raises(ResourceNotFound):
        run(resources.read(PATH))
    assert [info.enabled for info in run(resources.versions(PATH))] == [False] * 3
    run(resources.put(PATH, b"new", by="", now=NOW))
    assert run(resources.read(PATH)).content == b"new"


def test_a_deleted_version_number_is_never_used_again(run: Run, resources: Resources) -> None:
    run(resources.put(PATH, b"one", by="", now=NOW))
    run(resources.put(PATH, b"two", by="", now=NOW))
    run(resources.delete(PATH, version=2))
    assert run(resources.read(PATH)).info.version == 1
    assert run(resources.put(PATH, b"three", by="", now=NOW)).version == 3
    run(resources.delete(PATH))
    with pytest.raises(ResourceNotFound):
        run(resources.read(PATH))
    assert run(resources.list()) == []
    assert run(resources.put(PATH, b"four", by="", now=NOW)).version == 4


def test_listing_gives_the_newest_of_each_path_that_begins_so(run: Run, resources: Resources) -> None:
    paths = [
        "default/key/1",
        "default/key/10",
        "default/keys/1",
        "default.b/key/1",
        "Z/a/a",
        "a_b/c/d",
        "a-b/c/d",
    ]
    for text in paths:
        for _ in range(2):
            run(resources.put(ResourcePath.parse(text), b"x", by="", now=NOW))

    def listed(prefix: str = "", after: str = "", limit: int = 100) -> list[str]:
        found = run(resources.list(prefix=prefix, after=after, limit=limit))
        assert {info.version for info in found} <= {2}
        return [str(info.path) for info in found]

    assert listed() == sorted(paths)
    assert listed("default/key/") == ["default/key/1", "default/key/10"]
    assert listed("default/key") == ["default/key/1", "default/key/10", "default/keys/1"]
    assert listed("default%") == listed("_") == listed("zzz") == []
    assert listed("a_b") == ["a_b/c/d"]
    assert listed(limit=3) == sorted(paths)[:3]
    assert listed(after=sorted(paths)[2], limit=3) == sorted(paths)[3:6]
    assert listed("default/", after="default/key/1") == ["default/key/10", "default/keys/1"]
    assert listed(after=max(paths)) == []


def test_listing_by_text_that_cannot_be_kept_is_refused(run: Run, resources: Resources) -> None:
    for bad in ("\0", "\ud800"):
        with pytest.raises(FormatError, match="NUL"):
            run(resources.list(prefix=bad))
        with pytest.raises(FormatError, match="NUL"):
            run(resources.list(after=bad))


def test_a_disabled_path_is_listed_as_such(run: Run, resources: Resources) -> None:
    run(resources.put(PATH, b"x", by="", now=NOW))
    run(resources.set_enabled(PATH, False))
    assert [info.enabled for info in run(resources.list())] == [False]


def test_puts_at_the_same_time_get_different_versions(run: Run, database: Database, other: Database) -> None:
    async def work() -> list[int]:
        puts = [
            store.resources.put(PATH, f"{n}".encode(), by="", now=NOW)
            for n in range(20)
            for store in (database, other)
        ]
        return sorted(info.version for info in await asyncio.gather(*puts))

    assert run(work()) == list(range(1, 41))
    assert len(run(database.resources.versions(PATH))) == 40


def test_a_put_is_seen_by_other_workers_at_once(run: Run, database: Database, other: Database) -> None:
    for n in range(20):
        run(database.resources.put(PATH, b"%d" % n, by="", now=NOW))
        assert run(other.resources.read(PATH)).content == b"%d" % n


def test_content_is_sealed_for_its_path_and_version(run: Run, database: Database, sealer: AesSealer) -> None:
    run(database.resources.put(PATH, b"one", by="", now=NOW))
    run(database.resources.put(PATH, b"two", by="", now=NOW))
    assert sealer.contexts == [b"resource/default/key/1@1", b"resource/default/key/1@2"]


def test_content_moved_to_another_version_does_not_open(run: Run, database: Database) -> None:
    run(database.resources.put(PATH, b"one", by="", now=NOW))
    run(database.resources.put(PATH, b"two", by="", now=NOW))
    backend = database._connected.backend
    move = "UPDATE resources SET sealed = (SELECT sealed FROM resources WHERE version = 1) WHERE version = 2"
    run(backend.write(lambda connection: connection.exec_driver_sql(move)))
    with pytest.raises(StorageError) as caught:
        run(database.resources.read(PATH))
    assert caught.value.code == "storage.sealed"


def test_times_are_exact_and_utc(run: Run, resources: Resources) -> None:
    now = NOW.astimezone(tz=None) + timedelta(microseconds=1)
    run(resources.put(PATH, b"", by="", now=now))
    read = run(resources.read(PATH)).info.created_at
    assert read == now
    assert read.utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_refused(run: Run, resources: Resources) -> None:
    with pytest.raises(UsageError, match="aware"):
        run(resources.put(PATH, b"", by="", now=NOW.replace(tzinfo=None)))


def test_only_after_the_version_that_was_seen(run: Run, resources: Resources) -> None:
    async def put(content: bytes, expected: int | None) -> ResourceInfo:
        return await resources.put(PATH, content, by="", now=NOW, expected_version=expected)

    async def at_once() -> list[ResourceInfo | BaseException]:
        return await asyncio.gather(
            *(put(content, 0) for content in (b"a", b"b", b"c")), return_exceptions=True
        )

    outcomes = run(at_once())
    (kept,) = [item for item in outcomes if isinstance(item, ResourceInfo)]
    assert (
        sorted(item.code for item in outcomes if isinstance(item, ConflictError)) == ["conflict.version"] * 2
    )
    second = run(put(b"next", kept.version))
    with pytest.raises(ConflictError, match=f"expected version {kept.version} to be the newest, it is"):
        run(put(b"late", kept.version))
    assert run(resources.read(PATH)).content == b"next"
    run(resources.delete(PATH))
    with pytest.raises(ConflictError):
        run(put(b"late", second.version))
    assert run(put(b"anew", 0)).version > second.version


def test_a_put_that_is_overtaken_too_often_gives_up(
    run: Run, database: Database, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time it has sealed, another worker takes the number."""
    monkeypatch.setattr(versions, "ATTEMPTS", 3)

    class Overtaken(AesSealer):
        async def seal(self, plaintext: bytes, *, context: bytes) -> bytes:
            await other.resources.put(PATH, b"faster", by="", now=NOW)
            return await super().seal(plaintext, context=context)

    slow = DatabaseResources(database._connected.backend, Overtaken())
    with pytest.raises(StorageError) as caught:
        run(slow.put(PATH, b"slower", by="", now=NOW))
    assert caught.value.code == "storage.conflict"
    assert len(run(other.resources.versions(PATH))) == 3
