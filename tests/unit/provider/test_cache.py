"""The cache on disk: several processes, damage, bounds."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eaa.endorsements.fetched import Fetched
from eaa.endorsements.subject import RootCaCrlSubject, Subject, TcbInfoSubject
from eaa.errors import StorageError
from eaa.provider.cache import EndorsementCache
from eaa.provider.files import load_bounded, locked, replace_file
from eaa.provider.kept import Kept

AT = datetime(2026, 1, 1, tzinfo=UTC)


def kept(subject: Subject, body: bytes = b"body", *, at: datetime = AT) -> Kept:
    return Kept(subject, Fetched(body, b"chain"), "PCS", at)


def tcb(number: int) -> TcbInfoSubject:
    return TcbInfoSubject("tdx", number.to_bytes(6, "big"))


def store(cache: EndorsementCache, item: Kept) -> None:
    cache.store(item, accept=lambda old: None)


def test_what_was_stored_is_loaded_by_others(tmp_path: Path) -> None:
    item = kept(RootCaCrlSubject())
    assert EndorsementCache(tmp_path).load(item.subject) is None
    store(EndorsementCache(tmp_path), item)
    assert EndorsementCache(tmp_path).load(item.subject) == item
    assert list(EndorsementCache(tmp_path).entries()) == [item]
    EndorsementCache(tmp_path).discard(item.subject)
    assert EndorsementCache(tmp_path).load(item.subject) is None
    assert list(tmp_path.glob("objects/*/*")) == []


def test_who_stores_sees_what_is_there_and_may_refuse(tmp_path: Path) -> None:
    cache, old, new = (
        EndorsementCache(tmp_path),
        kept(RootCaCrlSubject(), b"old"),
        kept(RootCaCrlSubject(), b"new"),
    )
    seen: list[Kept | None] = []
    cache.store(old, accept=seen.append)

    def refuse(found: Kept | None) -> None:
        seen.append(found)
        raise ValueError

    with pytest.raises(ValueError):
        cache.store(new, accept=refuse)
    assert seen == [None, old]
    assert cache.load(old.subject) == old


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "missing", "directory"])
def test_a_damaged_object_counts_as_absent(tmp_path: Path, damage: str) -> None:
    cache, item = EndorsementCache(tmp_path), kept(RootCaCrlSubject())
    store(cache, item)
    (path,) = tmp_path.glob("objects/*/*")
    data = path.read_bytes()
    path.unlink()
    if damage == "directory":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes(
            {"flip": bytes((data[0], data[1] ^ 1)) + data[2:], "cut": data[:-1], "empty": b""}[damage]
        )
    assert cache.load(item.subject) is None
    assert list(cache.entries()) == []
    if damage != "directory":
        store(cache, item)
        assert cache.load(item.subject) == item


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{}", b"[]", b"nonsense", b"\xff", b'{"format":"eaa-endorsement-cache/1"}',
        b'{"format":"eaa-endorsement-cache/1","subject":"intel/rootcacrl","object":"ab","source":"x",'
        b'"fetched_at":"2026-01-01T00:00:00Z"}',
        b'{"format":"eaa-endorsement-cache/2","subject":"intel/rootcacrl","object":"../../x","source":"x",'
        b'"fetched_at":"2026-01-01T00:00:00Z"}',
        b"x" * 5000,
    ],
)  # fmt: skip
def test_a_damaged_entry_counts_as_absent(tmp_path: Path, text: bytes) -> None:
    cache, item = EndorsementCache(tmp_path), kept(RootCaCrlSubject())
    store(cache, item)
    (pointer,) = tmp_path.glob("subjects/*.json")
    pointer.write_bytes(text)
    assert cache.load(item.subject) is None
    assert list(cache.entries()) == []


def test_an_entry_of_another_subject_counts_as_absent(tmp_path: Path) -> None:
    cache = EndorsementCache(tmp_path)
    store(cache, kept(tcb(1)))
    (pointer,) = tmp_path.glob("subjects/*.json")
    name = hashlib.sha256(tcb(2).key.encode()).hexdigest()
    pointer.rename(pointer.with_name(f"{name}.json"))
    assert cache.load(tcb(2)) is None


def test_beyond_its_bound_the_oldest_go(tmp_path: Path) -> None:
    cache = EndorsementCache(tmp_path, max_bytes=100_000)
    for number in range(30):
        store(cache, kept(tcb(number), bytes(9_000) + bytes((number,)), at=AT + timedelta(hours=number)))
        total = sum(path.stat().st_size for path in tmp_path.glob("objects/*/*"))
        assert total <= 100_000 + 100_000 // 16 + 9_100
    assert cache.load(tcb(29)) is not None
    assert cache.load(tcb(0)) is None
    with pytest.raises(StorageError, match="larger than the whole cache"):
        store(cache, kept(tcb(99), bytes(100_001)))


def test_what_is_replaced_is_removed_in_time(tmp_path: Path) -> None:
    cache = EndorsementCache(tmp_path)
    for number in range(600):
        store(cache, kept(RootCaCrlSubject(), bytes((number % 256, number // 256))))
    assert len(list(tmp_path.glob("objects/*/*"))) <= 257


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from eaa.endorsements.fetched import Fetched
from eaa.endorsements.subject import RootCaCrlSubject
from eaa.provider.cache import EndorsementCache
from eaa.provider.kept import Kept

cache = EndorsementCache(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    def one_more(old):
        global number
        number = int(old.fetched.body) + 1 if old else 1
    def item():
        return Kept(RootCaCrlSubject(), Fetched(b"%d" % number, b"x" * 50000), "PCS", datetime.now(UTC))
    with_number = type("Later", (), {})
    # The number is known only under the lock: the store sees what was there.
    from eaa.provider.files import locked
    with locked(Path(sys.argv[1]) / "counting"):
        one_more(cache.load(RootCaCrlSubject()))
        cache.store(item(), accept=lambda old: None)
"""


def test_several_processes_lose_nothing_and_readers_see_whole_entries(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), "20"], stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    cache, seen = EndorsementCache(tmp_path), [0]
    while any(writer.poll() is None for writer in writers):
        found = cache.load(RootCaCrlSubject())
        if found is not None:
            assert found.fetched.issuer_chain == b"x" * 50000
            seen.append(int(found.fetched.body))
    for writer in writers:
        _, errors = writer.communicate()
        assert writer.returncode == 0, errors.decode()
    last = cache.load(RootCaCrlSubject())
    assert last is not None
    assert last.fetched.body == b"60"
    assert seen == sorted(seen)


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    inside = threading.Event()
    order: list[str] = []

    def second() -> None:
        inside.wait()
        with locked(tmp_path / "lock"):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with locked(tmp_path / "lock"):
        inside.set()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_files_that_cannot_be_had(tmp_path: Path) -> None:
    assert load_bounded(tmp_path / "none", 10) is None
    assert load_bounded(tmp_path, 10) is None
    (tmp_path / "long").write_bytes(bytes(11))
    assert load_bounded(tmp_path / "long", 10) is None
    with pytest.raises(StorageError):
        replace_file(tmp_path / "long" / "below", b"")
    with pytest.raises(StorageError), locked(tmp_path / "long" / "lock"):
        pass
    assert load_bounded(tmp_path / "long" / "below", 10) is None
