"""A keyring of OpenPGP certificates: one after the other, in binary [RFC9580 §10.1].

Packets are told apart and keys are named; signatures in certificates are not verified. That is for who uses
the keyring, and administrators say by importing which keys they mean.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from eaa.broker.administration.openpgp_armor import dearmor
from eaa.codec.reader import Reader
from eaa.errors import FormatError, ResourceNotFound, UnsupportedError

__all__ = ["MAX_CERTIFICATES", "Certificate", "merge", "parse_keyring", "without"]

MAX_CERTIFICATES = 256
_WHAT = "OpenPGP keyring"
_PUBLIC_KEY = 6
_USER_ID = 13
#: Signature, user ID, public subkey, user attribute; primary keys begin a certificate.
_PARTS = frozenset({2, _USER_ID, 14, 17})
#: Marker, trust (how one machine's gpg thinks of a key), padding: left out.
_IGNORED = frozenset({10, 12, 21})
_SECRET = frozenset({5, 7})


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate: ``fingerprint`` in upper-case hexadecimal, 40 digits of a v4 key, 64 of a v6 key."""

    fingerprint: str
    user_ids: tuple[str, ...]
    data: bytes

    def is_named(self, name: str) -> bool:
        """Whether ``name`` is the fingerprint or the key id, which is an end of it or a beginning."""
        if len(self.fingerprint) == 40:
            return len(name) in (16, 40) and self.fingerprint.endswith(name)
        return len(name) in (16, 64) and self.fingerprint.startswith(name)


def parse_keyring(data: bytes) -> tuple[Certificate, ...]:
    """The certificates of ``data``, binary or one armored block; none if it is empty.

    Raises:
        FormatError: ``format.openpgp``; secret keys are refused too.
        UnsupportedError: ``unsupported.openpgp_key``: keys older than v4, or of a later form.
    """
    binary = dearmor(data)
    # Of each: fingerprint, user ids, packets. A certificate may have as many as fit.
    found: list[tuple[str, list[str], list[bytes]]] = []
    for offset, tag, body, packet in _packets(binary):
        if tag in _SECRET:
            raise _error(
                "packet", "a secret key, expected public ones: export them with gpg --export", offset
            )
        if tag == _PUBLIC_KEY:
            if len(found) == MAX_CERTIFICATES:
                raise _error("packet", f"more than {MAX_CERTIFICATES} certificates", offset)
            found.append((_fingerprint(body, offset), [], [packet]))
        elif tag in _PARTS and found:
            _, user_ids, packets = found[-1]
            packets.append(packet)
            if tag == _USER_ID:
                user_ids.append(body.decode("utf-8", "replace"))
        elif tag not in _IGNORED:
            raise _error("packet", f"expected a public key, got a packet of type {tag}", offset)
    return tuple(Certificate(name, tuple(ids), b"".join(packets)) for name, ids, packets in found)


def merge(kept: tuple[Certificate, ...], new: tuple[Certificate, ...]) -> tuple[Certificate, ...]:
    """``kept`` and ``new``; a new certificate replaces the one of its fingerprint."""
    return tuple({item.fingerprint: item for item in (*kept, *new)}.values())


def without(kept: tuple[Certificate, ...], name: str) -> tuple[Certificate, ...]:
    """``kept`` but the certificate that ``name`` names: a fingerprint, or a key id of 16 digits.

    Raises:
        FormatError: ``format.openpgp``: another form; eight digits name more keys than one.
        ResourceNotFound: none is called so.
    """
    digits = name.strip().replace(" ", "").upper().removeprefix("0X")
    if len(digits) not in (16, 40, 64) or set(digits) - set("0123456789ABCDEF"):
        raise _error("key id", f"expected 16, 40 or 64 hexadecimal digits, got {name!r:.80}", None)
    left = tuple(item for item in kept if not item.is_named(digits))
    if len(left) == len(kept):
        raise ResourceNotFound(f"the keyring has no key {digits}", detail="gpg_key")
    return left


def _packets(data: bytes) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Offset, type, body and whole bytes of each packet [RFC9580 §4.2]."""
    reader = Reader(data, _WHAT, "[RFC9580 §4.2]")
    while reader.remaining:
        start = reader.offset
        first = reader.u8("packet")
        if not first & 0x80:
            raise _error("packet", "expected a packet header, bit 7 is not set", start)
        tag, length = _header(reader, first, start)
        body = reader.take(length, "packet body")
        yield start, tag, body, data[start : reader.offset]


def _header(reader: Reader, first: int, start: int) -> tuple[int, int]:
    if not first & 0x40:  # the old form
        size = first & 3
        if size == 3:
            raise _error("packet length", "indeterminate", start)
        return first >> 2 & 0xF, int.from_bytes(reader.take(1 << size, "packet length"))
    octet = reader.u8("packet length")
    if octet < 192:
        return first & 0x3F, octet
    if octet < 224:
        return first & 0x3F, (octet - 192 << 8) + reader.u8("packet length") + 192
    if octet < 255:
        raise _error("packet length", "partial, which a key never has", start)
    return first & 0x3F, int.from_bytes(reader.take(4, "packet length"))


def _fingerprint(body: bytes, offset: int) -> str:
    """[RFC9580 §5.5.4]."""
    if len(body) > 0xFFFF:
        raise _error("public key", f"{len(body)} bytes", offset)
    match body[:1]:
        case b"\x04":
            # The name that OpenPGP gives to v4 keys; no security rests on it here.
            sha1 = hashlib.sha1(b"\x99" + len(body).to_bytes(2) + body, usedforsecurity=False)
            return sha1.hexdigest().upper()
        case b"\x06":
            return hashlib.sha256(b"\x9b" + len(body).to_bytes(4) + body).hexdigest().upper()
        case _:
            raise UnsupportedError(
                f"OpenPGP key of version {body[:1].hex() or 'none'}, expected 4 or 6", detail="openpgp_key"
            )


def _error(field: str, message: str, offset: int | None) -> FormatError:
    return FormatError(message, what=_WHAT, field=field, offset=offset, spec="[RFC9580]", detail="openpgp")
