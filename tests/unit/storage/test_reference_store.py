from __future__ import annotations

import base64
import fcntl
import json
import os
import stat
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from eaa.appraisal.alternatives import by_measurement, by_signer
from eaa.appraisal.reference_values import ReferenceValues, parse_reference_values
from eaa.errors import ConfigError, StorageError, UsageError
from eaa.storage.owner_key import KEY_FILE
from eaa.storage.reference_store import REFERENCE_FILE, Entry, ReferenceStore
from eaa.storage.signed_references import encode_references

NOW = datetime(2026, 11, 20, 12, 0, 0, 999, tzinfo=UTC)
CODE = by_measurement("sgx", b"\x01" * 32)
PRODUCT = by_signer(b"\x02" * 32, isv_prod_id=3, min_isv_svn=4)
GUEST = by_measurement("tdx", b"\x05" * 48)


@pytest.fixture
def store(tmp_path: Path) -> ReferenceStore:
    """With one entry recorded."""
    made = ReferenceStore(tmp_path / "config" / "shelter")
    made.record(CODE, label="code", source="a test", recorded_at=NOW)
    return made


def test_nothing_was_ever_recorded(tmp_path: Path) -> None:
    empty = ReferenceStore(tmp_path / "nothing")
    assert (empty.load(), empty.entries()) == (None, ())
    with pytest.raises(UsageError):
        empty.remove("anything")
    assert not empty.path.exists()


def test_what_is_recorded_is_loaded(store: ReferenceStore) -> None:
    store.record(GUEST, label="guest", source="a test", recorded_at=NOW)
    store.record(
        PRODUCT, label="product", source="é\ud800", recorded_at=NOW.astimezone(timezone(timedelta(hours=2)))
    )
    assert store.load() == ReferenceValues((CODE, PRODUCT, GUEST))
    at = NOW.replace(microsecond=0)
    assert store.entries() == (
        Entry("code", "a test", at, CODE),
        Entry("product", "é\ud800", at, PRODUCT),
        Entry("guest", "a test", at, GUEST),
    )
    assert ReferenceStore(store.path).load() == store.load()


def test_the_payload_is_a_file_of_reference_values(store: ReferenceStore) -> None:
    payload = json.loads(store.file.read_bytes())["payload"]
    assert parse_reference_values(payload.encode()) == store.load()


def test_only_the_owner_reads_and_writes(store: ReferenceStore) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (store.path, *store.path.iterdir())}
    assert modes == {"shelter": 0o700, KEY_FILE: 0o600, REFERENCE_FILE: 0o600, ".lock": 0o600}


def test_the_key_is_made_once(store: ReferenceStore) -> None:
    key = (store.path / KEY_FILE).read_bytes()
    store.remove("code")
    store.record(GUEST, label="guest", source="", recorded_at=NOW)
    assert (store.path / KEY_FILE).read_bytes() == key


def test_the_same_again_is_nothing_new(store: ReferenceStore) -> None:
    before = store.file.read_bytes()
    again = store.record(CODE, label="code", source="another", recorded_at=NOW + timedelta(days=1))
    assert (again.new, again.entry.source) == (False, "a test")
    assert store.file.read_bytes() == before


def test_a_label_names_one_thing(store: ReferenceStore) -> None:
    with pytest.raises(UsageError, match="names other values"):
        store.record(PRODUCT, label="code", source="", recorded_at=NOW)
    assert store.load() == ReferenceValues((CODE,))


@pytest.mark.parametrize("label", ["", "-x", ".x", "a b", "a/b", "a\n", "x" * 65, "é"])
def test_labels_that_are_none(store: ReferenceStore, label: str) -> None:
    with pytest.raises(UsageError):
        store.record(PRODUCT, label=label, source="", recorded_at=NOW)


def test_a_time_without_a_zone(store: ReferenceStore) -> None:
    with pytest.raises(UsageError, match="time zone"):
        store.record(PRODUCT, label="x", source="", recorded_at=NOW.replace(tzinfo=None))


def test_what_is_removed_is_no_longer_accepted(store: ReferenceStore) -> None:
    store.record(PRODUCT, label="product", source="", recorded_at=NOW)
    assert store.remove("code").alternative == CODE
    assert store.load() == ReferenceValues((PRODUCT,))
    with pytest.raises(UsageError, match="nothing is recorded"):
        store.remove("code")
    store.remove("product")
    assert store.load() is None
    assert not store.file.exists()


# ── what cannot be trusted ──


def refused(store: ReferenceStore, *, file: str = REFERENCE_FILE) -> str:
    """Every method refuses, and names the file."""
    messages = set()
    for method in (
        store.load,
        store.entries,
        lambda: store.remove("code"),
        lambda: store.record(CODE, label="code", source="", recorded_at=NOW),
    ):
        with pytest.raises(ConfigError) as caught:
            method()
        assert str(store.path / file if file else store.path) in str(caught.value)
        messages.add(str(caught.value))
    assert len(messages) == 1
    return messages.pop()


def test_any_byte_changed_is_refused(store: ReferenceStore) -> None:
    data = store.file.read_bytes()
    for position in range(len(data) - 1):
        changed = bytearray(data)
        changed[position] ^= 1
        store.file.write_bytes(changed)
        try:
            assert store.load() == ReferenceValues((CODE,))
        except ConfigError:
            continue
        # White space between members, which says nothing.
        assert json.loads(changed) == json.loads(data)


@pytest.mark.parametrize("member", ["payload", "entries", "key_id", "signature", "format"])
def test_another_value_of_a_member_is_refused(store: ReferenceStore, member: str) -> None:
    document = json.loads(store.file.read_bytes())
    text = document[member]
    for value in (text.replace("0", "1", 1) if "0" in text else "A" + text, "", "\ud800", 1, None):
        store.file.write_text(json.dumps({**document, member: value}))
        refused(store)
    del document[member]
    store.file.write_text(json.dumps(document))
    refused(store)


def test_bytes_moved_between_the_signed_texts_are_refused(store: ReferenceStore) -> None:
    document = json.loads(store.file.read_bytes())
    document["entries"] = document["payload"][-1] + document["entries"]
    document["payload"] = document["payload"][:-1]
    store.file.write_text(json.dumps(document))
    assert "signature does not verify" in refused(store)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b"{" * 10000])
def test_another_file_in_its_place_is_refused(store: ReferenceStore, content: bytes) -> None:
    store.file.write_bytes(content)
    refused(store)


def test_a_file_that_another_owner_signed(store: ReferenceStore, tmp_path: Path) -> None:
    other = ReferenceStore(tmp_path / "other")
    other.record(PRODUCT, label="code", source="", recorded_at=NOW)
    store.file.write_bytes(other.file.read_bytes())
    assert "another key" in refused(store)


def test_a_file_without_its_key(store: ReferenceStore) -> None:
    (store.path / KEY_FILE).unlink()
    assert "no owner's key" in refused(store)


@pytest.mark.parametrize(
    ("listing", "says"),
    [
        ([], "expected a list of 1"),
        ({}, "expected a list of 1"),
        ([1], "expected an object"),
        ([{"label": "a", "source": "b"}], "expected an object"),
        ([{"label": "a", "source": "b", "recorded_at": "yesterday"}], "expected a time"),
    ],
)
def test_a_signed_file_that_is_malformed(store: ReferenceStore, listing: object, says: str) -> None:
    """Only who holds the key can write one; it is refused all the same."""
    key = load_pem_private_key((store.path / KEY_FILE).read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    document = json.loads(store.file.read_bytes())
    document["entries"] = json.dumps(listing)
    texts = [document[name].encode() for name in ("payload", "entries")]
    signed = b"eaa-reference-values/1 %d %b %d %b" % (len(texts[0]), texts[0], len(texts[1]), texts[1])
    document["signature"] = base64.b64encode(key.sign(signed)).decode()
    store.file.write_text(json.dumps(document))
    assert says in refused(store)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o666])
def test_a_key_that_others_may_read(store: ReferenceStore, mode: int) -> None:
    (store.path / KEY_FILE).chmod(mode)
    assert "chmod 600" in refused(store, file=KEY_FILE)


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_may_write(store: ReferenceStore, mode: int) -> None:
    store.file.chmod(mode)
    assert "others may write to it" in refused(store)


def test_a_file_that_others_may_read(store: ReferenceStore) -> None:
    store.file.chmod(0o644)
    store.path.chmod(0o755)
    assert store.load() is not None


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_folder_that_others_may_write(store: ReferenceStore, mode: int) -> None:
    store.path.chmod(mode)
    assert "chmod 7" in refused(store, file="")


def test_a_file_that_belongs_to_somebody_else(store: ReferenceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = os.geteuid()
    fake = os.stat_result((0o40700, 0, 0, 0, owner + 1, 0, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "stat", lambda *_, **__: fake)
    monkeypatch.setattr(os, "geteuid", lambda: owner)
    with pytest.raises(ConfigError, match="belongs to user"):
        store.load()


@pytest.mark.parametrize("name", [KEY_FILE, REFERENCE_FILE])
@pytest.mark.parametrize("kind", ["link", "folder", "fifo"])
def test_something_else_in_place_of_a_file(store: ReferenceStore, name: str, kind: str) -> None:
    path = store.path / name
    moved = path.rename(store.path / "moved")
    if kind == "link":
        path.symlink_to(moved)
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path, 0o600)
    refused(store, file=name)


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"])
def test_a_key_that_is_none(store: ReferenceStore, pem: bytes) -> None:
    (store.path / KEY_FILE).write_bytes(pem)
    assert "no unencrypted Ed25519 key" in refused(store, file=KEY_FILE)


def test_a_key_of_another_kind(store: ReferenceStore) -> None:
    key = generate_ec_key(SECP256R1())
    (store.path / KEY_FILE).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    refused(store, file=KEY_FILE)


def test_a_file_that_is_too_large(store: ReferenceStore) -> None:
    with store.file.open("r+b") as stream:
        stream.truncate(16 * 1024 * 1024 + 1)
    assert "more than" in refused(store)


def test_the_store_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch(mode=0o600)
    with pytest.raises(ConfigError, match="is no folder"):
        ReferenceStore(path).load()
    with pytest.raises(ConfigError, match="cannot be written"):
        ReferenceStore(path).record(CODE, label="x", source="", recorded_at=NOW)


# ── writing ──


def test_another_writer_is_waited_for_and_then_not(store: ReferenceStore) -> None:
    impatient = ReferenceStore(store.path, lock_timeout_seconds=0.05)
    with (store.path / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert impatient.load() is not None
        with pytest.raises(StorageError, match="another process"):
            impatient.remove("code")
    impatient.remove("code")


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "shared"

    def record(number: int) -> None:
        value = by_measurement("sgx", bytes((number,)) * 32)
        ReferenceStore(path).record(value, label=f"n{number}", source="", recorded_at=NOW)

    threads = [threading.Thread(target=record, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {entry.label for entry in ReferenceStore(path).entries()} == {f"n{number}" for number in range(12)}


@pytest.mark.parametrize("name", ["replace", "fsync"])
def test_a_write_that_fails_leaves_the_old_file(
    store: ReferenceStore, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = store.file.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, name, fail)
        with pytest.raises(ConfigError, match="cannot be written: No space left"):
            store.record(PRODUCT, label="product", source="", recorded_at=NOW)
    assert store.file.read_bytes() == before
    assert {path.name for path in store.path.iterdir()} == {KEY_FILE, REFERENCE_FILE, ".lock"}


def test_a_removal_that_fails(store: ReferenceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "unlink", fail)
    with pytest.raises(ConfigError, match="cannot be removed: Read-only"):
        store.remove("code")


def test_the_form_is_stable() -> None:
    """A file of an older release stays readable: the form changes only with its name."""
    entry = Entry("code", "test", NOW.replace(microsecond=0), CODE)
    seen: list[bytes] = []

    def sign(data: bytes) -> bytes:
        seen.append(data)
        return bytes(64)

    data = encode_references([entry], "id", sign)
    document = json.loads(data)
    assert list(document) == ["format", "payload", "entries", "key_id", "signature"]
    assert document["format"] == "eaa-reference-values/1"
    listing = '[{"label": "code", "source": "test", "recorded_at": "2026-11-20T12:00:00Z"}]'
    assert document["entries"] == listing
    payload = document["payload"]
    assert seen == [f"eaa-reference-values/1 {len(payload)} {payload} {len(listing)} {listing}".encode()]
