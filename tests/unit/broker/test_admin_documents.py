"""Documents that guests judge images by: the keyring, the policy, where signatures are."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from typing import Any

import pytest

from eaa.broker.administration.gpg_keyring import (
    MAX_CERTIFICATES,
    Certificate,
    merge,
    parse_keyring,
    without,
)
from eaa.broker.administration.guest_documents import GPG_KEYRING, GuestDocuments
from eaa.broker.administration.image_documents import require_image_policy, require_sigstore_config
from eaa.broker.names import ResourcePath
from eaa.broker.records import ResourceInfo
from eaa.errors import AccessDenied, ConflictError, EAAError, FormatError, ResourceNotFound, UnsupportedError
from tests.fakes.administrators import ADMIN, NOW, READER, Bureau, run
from tests.fakes.memory_stores import MemoryResources

V4 = b"\x04" + bytes(4) + b"\x16key material"
V6 = b"\x06" + bytes(4) + b"\x1b" + bytes(4)


def packet(tag: int, body: bytes, form: str = "one") -> bytes:
    """A packet, its length in one of the forms that there are."""
    new = bytes([0xC0 | tag])
    match form:
        case "one":
            return new + bytes([len(body)]) + body
        case "two":
            return new + bytes([((len(body) - 192) >> 8) + 192, (len(body) - 192) & 0xFF]) + body
        case "five":
            return new + b"\xff" + len(body).to_bytes(4) + body
        case "old1" | "old2" | "old4":
            size = int(form[-1])
            header = 0x80 | tag << 2 | {1: 0, 2: 1, 4: 2}[size]
            return bytes([header]) + len(body).to_bytes(size) + body
    raise AssertionError(form)


def key(body: bytes = V4, user: str = "Ada <ada@example.org>") -> bytes:
    return packet(6, body) + packet(13, user.encode()) + packet(2, b"signature") + packet(14, b"subkey")


def armored(data: bytes, headers: str = "", checksum: str = "=abcd\n") -> bytes:
    text = base64.b64encode(data).decode()
    begin, end = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"
    return f"{begin}\n{headers}\n{text[:64]}\n{text[64:]}\n{checksum}{end}\n".encode()


FINGERPRINT = hashlib.sha1(b"\x99" + len(V4).to_bytes(2) + V4, usedforsecurity=False).hexdigest().upper()
FINGERPRINT6 = hashlib.sha256(b"\x9b" + len(V6).to_bytes(4) + V6).hexdigest().upper()


@pytest.mark.parametrize("form", ["one", "five", "old1", "old2", "old4"])
def test_lengths_of_packets(form: str) -> None:
    (found,) = parse_keyring(packet(6, V4, form))
    assert found == Certificate(FINGERPRINT, (), packet(6, V4, form))


def test_a_length_of_two_octets() -> None:
    body = V4 + bytes(300)
    (found,) = parse_keyring(packet(6, body, "two"))
    assert found.data == packet(6, body, "two")


def test_certificates_are_told_apart() -> None:
    first, second = parse_keyring(key() + packet(10, b"PGP") + key(V6, "Bob") + packet(12, b"\x01\x06"))
    assert (first.fingerprint, first.user_ids, first.data) == (FINGERPRINT, ("Ada <ada@example.org>",), key())
    assert (second.fingerprint, second.user_ids, second.data) == (FINGERPRINT6, ("Bob",), key(V6, "Bob"))
    assert parse_keyring(b"") == ()


@pytest.mark.parametrize(
    "text",
    [armored(key()), armored(key(), "Version: 1\nComment: x y\n"), armored(key(), checksum=""),
     armored(key()).replace(b"\n", b"\r\n"), b"\n" + armored(key())],
)  # fmt: skip
def test_armor(text: bytes) -> None:
    (found,) = parse_keyring(text)
    assert found.data == key()


@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        (packet(5, V4), FormatError, "secret key"),
        (key() + packet(7, V4), FormatError, "secret key"),
        (packet(13, b"x"), FormatError, "packet of type 13"),
        (key() + packet(18, b"x"), FormatError, "packet of type 18"),
        (packet(6, b"\x03" + bytes(9)), UnsupportedError, "version 03"),
        (packet(6, b""), UnsupportedError, "version none"),
        (packet(6, V4 + bytes(0x10000), "five"), FormatError, "bytes"),
        (b"\xc6\xe0" + bytes(40), FormatError, "partial"),
        (b"\x9b" + bytes(40), FormatError, "indeterminate"),
        (b"\xc6\x05\x04", FormatError, "needs 5 bytes"),
        (b"\xc6", FormatError, "needs 1 bytes"),
        (key() + b"\x01", FormatError, "bit 7"),
        (b"hello", FormatError, "expected one block"),
        (armored(key()) * 2, FormatError, "expected one block"),
        (armored(key()).replace(b"PUBLIC", b"PRIVATE"), FormatError, "expected one block"),
        (armored(key(), checksum="A\n"), FormatError, "not base64"),
        (b"".join(key() for _ in range(MAX_CERTIFICATES + 1)), FormatError, "more than 256"),
    ],
)
def test_what_is_no_keyring(data: bytes, error: type[EAAError], says: str) -> None:
    with pytest.raises(error, match=says):
        parse_keyring(data)


def test_a_new_certificate_replaces_the_old_one() -> None:
    old, other = parse_keyring(key(V4, "old") + key(V6, "other"))
    (new,) = parse_keyring(key(V4, "new"))
    assert [item.user_ids for item in merge((old, other), (new,))] == [("new",), ("other",)]


@pytest.mark.parametrize(
    "name",
    [
        FINGERPRINT,
        FINGERPRINT[-16:],
        "0x" + FINGERPRINT[-16:].lower(),
        f" {FINGERPRINT[:20]} {FINGERPRINT[20:]}",
    ],
)
def test_names_of_a_v4_key(name: str) -> None:
    kept = parse_keyring(key() + key(V6))
    assert [item.fingerprint for item in without(kept, name)] == [FINGERPRINT6]


@pytest.mark.parametrize("name", [FINGERPRINT6, FINGERPRINT6[:16]])
def test_names_of_a_v6_key(name: str) -> None:
    kept = parse_keyring(key() + key(V6))
    assert [item.fingerprint for item in without(kept, name)] == [FINGERPRINT]


@pytest.mark.parametrize(
    "name", ["", FINGERPRINT[-8:], "G" * 16, "../" + FINGERPRINT[-13:], FINGERPRINT + "00"]
)
def test_what_names_no_key(name: str) -> None:
    with pytest.raises(FormatError, match="hexadecimal"):
        without(parse_keyring(key()), name)


@pytest.mark.parametrize("name", [FINGERPRINT[:16], FINGERPRINT6[-16:], "0" * 40, "0" * 64])
def test_a_key_that_is_not_there(name: str) -> None:
    with pytest.raises(ResourceNotFound):
        without(parse_keyring(key() + key(V6)), name)


# ── use cases ──


@pytest.fixture
def bureau() -> Bureau:
    return Bureau()


@pytest.fixture
def documents(bureau: Bureau) -> GuestDocuments:
    return bureau.administration.documents


def test_the_keyring(bureau: Bureau, documents: GuestDocuments) -> None:
    assert run(documents.gpg_keys(ADMIN)) == ()
    assert len(run(documents.import_gpg_key(ADMIN, armored(key())))) == 1
    run(documents.import_gpg_key(ADMIN, key(V6, "Bob")))
    assert run(documents.gpg_keyring(ADMIN)) == key() + key(V6, "Bob")
    run(documents.delete_gpg_key(ADMIN, FINGERPRINT))
    assert [item.user_ids for item in run(documents.gpg_keys(ADMIN))] == [("Bob",)]
    run(documents.delete_gpg_key(ADMIN, FINGERPRINT6))
    assert run(documents.gpg_keyring(ADMIN)) == b""
    assert run(bureau.stores.resources.read(GPG_KEYRING)).info.version == 4


@dataclass
class _Overtaken(MemoryResources):
    """Before each of the first ``left`` puts, somebody else puts a keyring."""

    left: int = 0

    async def put(self, path: ResourcePath, content: bytes, **given: Any) -> ResourceInfo:
        if self.left:
            self.left -= 1
            await super().put(path, key(V6, "Bob"), by="other", now=NOW)
        return await super().put(path, content, **given)


def test_no_change_of_the_keyring_is_lost(bureau: Bureau) -> None:
    def change(left: int) -> _Overtaken:
        stored = _Overtaken(left=left)
        documents = GuestDocuments(replace(bureau.administration.resources, resources=stored))
        run(documents.import_gpg_key(ADMIN, key()))
        return stored

    stored = change(9)
    assert run(stored.read(GPG_KEYRING)).content == key(V6, "Bob") + key()
    with pytest.raises(ConflictError):
        change(10)


def test_a_disabled_keyring_is_not_written_over(bureau: Bureau, documents: GuestDocuments) -> None:
    run(documents.import_gpg_key(ADMIN, key()))
    run(bureau.administration.resources.set_enabled(ADMIN, GPG_KEYRING, False))
    with pytest.raises(ResourceNotFound):
        run(documents.import_gpg_key(ADMIN, key(V6, "Bob")))
    assert run(bureau.stores.resources.versions(GPG_KEYRING))[0].version == 1


def test_nothing_is_imported(bureau: Bureau, documents: GuestDocuments) -> None:
    with pytest.raises(FormatError, match="no key"):
        run(documents.import_gpg_key(ADMIN, b""))
    assert not bureau.stores.resources.versions_of


def test_only_an_admin_sees_or_changes_documents(bureau: Bureau, documents: GuestDocuments) -> None:
    for use in (
        documents.gpg_keyring(READER), documents.image_policy(READER),
        documents.import_gpg_key(READER, key()),
        documents.put_image_policy(READER, b'{"default":[{"type":"reject"}]}'),
    ):  # fmt: skip
        with pytest.raises(EAAError, match="does not include"):
            run(use)
    assert not bureau.stores.resources.versions_of


def test_image_documents(documents: GuestDocuments) -> None:
    policy, sigstore = b'{"default":[{"type":"reject"}]}', b"default-docker:\n  sigstore: file:///x\n"
    run(documents.put_image_policy(ADMIN, policy))
    run(documents.put_sigstore_config(ADMIN, sigstore))
    assert run(documents.image_policy(ADMIN)) == policy
    assert run(documents.sigstore_config(ADMIN)) == sigstore


@pytest.mark.parametrize(
    "text",
    [
        b'{"default":[{"type":"insecureAcceptAnything"}],"transports":{}}',
        b'{"default":[{"type":"reject"}],"transports":{"docker":{"quay.io/a":[{"type":"signedBy","keyPath":"x"}]}}}',
        b'{"default":[{"type":"sigstoreSigned","keyPath":"kbs:///default/cosign-public-key/test"}]}',
    ],
)
def test_image_policies(text: bytes) -> None:
    assert require_image_policy(text) == text


@pytest.mark.parametrize(
    "text",
    [
        b'{"default":[{"type":"insecureAcceptAnything"}],}',  # the original's own default
        b"[]",
        b"{}",
        b'{"default":[]}',
        b'{"default":{"type":"reject"}}',
        b'{"default":["reject"]}',
        b'{"default":[{"type":"acceptAnything"}]}',
        b'{"default":[{"type":"reject"}],"transport":{}}',
        b'{"default":[{"type":"reject"}],"transports":[]}',
        b'{"default":[{"type":"reject"}],"transports":{"docker":[]}}',
        b'{"default":[{"type":"reject"}],"transports":{"docker":{"a":[]}}}',
        b'{"default":[{"type":"reject"}]}' + b" " * 65536,
    ],
)
def test_what_is_no_image_policy(bureau: Bureau, text: bytes) -> None:
    with pytest.raises(FormatError):
        run(bureau.administration.documents.put_image_policy(ADMIN, text))
    assert not bureau.stores.resources.versions_of


@pytest.mark.parametrize("text", [b"default:\n  sigstore: file:///x\n", b"# c\ndocker:\n  quay.io: {}\n"])
def test_sigstore_configurations(text: bytes) -> None:
    assert require_sigstore_config(text) == text


@pytest.mark.parametrize(
    "text", [b"", b"\xff\xfe", b"other: 1\n", b" default: 1\n", b"default:\n" + b" " * 65536]
)
def test_what_is_no_sigstore_configuration(text: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        require_sigstore_config(text)
    assert caught.value.code == "format.sigstore_config"


def test_many_small_packets_are_read_in_one_pass() -> None:
    """Half a million of them, which took minutes when each was appended to all before it."""
    data = packet(6, V4) + packet(2, b"") * 500_000
    (found,) = parse_keyring(data)
    assert found.data == data


@pytest.mark.parametrize("put", ["import_gpg_key", "put_image_policy", "put_sigstore_config"])
def test_who_may_not_put_has_nothing_read(put: str) -> None:
    bureau = Bureau()
    with pytest.raises(AccessDenied):
        run(getattr(bureau.administration.documents, put)(READER, b"not such a document"))
    assert [code for _, code, _ in bureau.said] == ["access_denied.role"]
