"""Signed bundles: all the endorsements that a site without network needs, in one file.

The form is described in docs/reference/endorsement-bundle.md. The signature says who put them together, so
that nobody leaves out, or puts back, what the site relies on; whether each is genuine is verified by itself.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from eaa.codec.canonical_json import Json, canonical_json
from eaa.codec.strict_json import MAX_DOCUMENT_BYTES, parse_json
from eaa.codec.text import decode_base64
from eaa.endorsements.fetched import Fetched
from eaa.endorsements.subject import parse_subject
from eaa.errors import FormatError, SignatureError
from eaa.provider.kept import Kept

__all__ = ["FORMAT", "SignedBundle", "decode_bundle", "encode_bundle", "is_bundle"]

FORMAT = "eaa-endorsements/1"
_WHAT = "endorsement bundle"
_MEMBERS = {"format", "payload", "key_id", "signature"}
_ENTRY_MEMBERS = {"subject", "body", "issuer_chain", "source", "fetched_at"}
_SIGNATURE_BYTES = 64
#: 10,000 chips' certificates fit.
_MAX_ENTRIES = 65536
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class SignedBundle:
    """A bundle, read. Nothing in ``payload`` is known before :meth:`entries` has verified its signature."""

    payload: bytes
    key_id: str
    signature: bytes

    def entries(self, verify: Callable[[bytes, bytes], bool]) -> tuple[Kept, ...]:
        """What is in it, if ``verify``, called with the signature and what it covers, says that it holds.

        Raises:
            SignatureError: ``signature.endorsement_bundle``.
            FormatError: malformed.
        """
        if not verify(self.signature, _signed(self.payload)):
            raise SignatureError(
                f"the bundle is not signed by the key that is believed; it says {self.key_id!a:.80}",
                detail="endorsement_bundle",
            )
        items = _object(parse_json(self.payload, _WHAT), {"endorsements"}, "payload")["endorsements"]
        if not isinstance(items, list) or len(items) > _MAX_ENTRIES:
            raise _error("endorsements", f"expected a list of at most {_MAX_ENTRIES}")
        kept = tuple(_entry(item) for item in items)
        if len({item.subject.key for item in kept}) != len(kept):
            raise _error("endorsements", "a subject is given twice")
        return kept


def encode_bundle(kept: Iterable[Kept], *, key_id: str, sign: Callable[[bytes], bytes]) -> bytes:
    """The bundle of ``kept``: the same bytes each time for the same endorsements and key."""
    ordered = sorted(kept, key=lambda item: item.subject.key)
    entries: list[Json] = [
        {
            "subject": item.subject.key,
            "body": base64.b64encode(item.fetched.body).decode(),
            "issuer_chain": item.fetched.issuer_chain.decode(),
            "source": item.source,
            "fetched_at": item.fetched_at.astimezone(UTC).strftime(_TIME),
        }
        for item in ordered
    ]
    payload = canonical_json({"endorsements": entries}, _WHAT)
    document: Json = {
        "format": FORMAT,
        "payload": payload.decode(),
        "key_id": key_id,
        "signature": base64.b64encode(sign(_signed(payload))).decode(),
    }
    return canonical_json(document, _WHAT) + b"\n"


def is_bundle(data: bytes) -> bool:
    """Whether ``data`` begins as a bundle does, whole or not."""
    return data[:1] == b"{" and f'"{FORMAT}"'.encode() in data[:64]


def decode_bundle(data: bytes) -> SignedBundle:
    """The bundle in ``data``, at most 16 MiB, whose signature has not been verified.

    Raises:
        FormatError: not of this form.
    """
    if len(data) > MAX_DOCUMENT_BYTES:
        raise _error("length", f"{len(data)} bytes exceed {MAX_DOCUMENT_BYTES}")
    document = _object(parse_json(data, _WHAT), _MEMBERS, "document")
    if document["format"] != FORMAT:
        raise _error("format", f"expected {FORMAT}")
    signature = decode_base64(_text(document, "signature"), _WHAT, "signature", length=_SIGNATURE_BYTES)
    return SignedBundle(_utf8(document, "payload"), _text(document, "key_id"), signature)


def _signed(payload: bytes) -> bytes:
    """What the signature covers: not to be taken for anything else that the key signs."""
    return b"%b %d %b" % (FORMAT.encode(), len(payload), payload)


def _entry(value: Any) -> Kept:
    item = _object(value, _ENTRY_MEMBERS, "endorsements")
    try:
        at = datetime.strptime(_text(item, "fetched_at"), _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise _error("fetched_at", "expected a time such as 2026-01-31T12:00:00Z") from None
    body = decode_base64(_text(item, "body"), _WHAT, "body")
    fetched = Fetched(body, _utf8(item, "issuer_chain"))
    return Kept(parse_subject(_text(item, "subject")), fetched, _text(item, "source"), at)


def _object(value: Any, members: set[str], field: str) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != members:
        raise _error(field, f"expected an object with {', '.join(sorted(members))}")
    return value


def _text(value: dict[str, Any], name: str) -> str:
    text = value[name]
    if not isinstance(text, str):
        raise _error(name, "expected a text")
    return text


def _utf8(value: dict[str, Any], name: str) -> bytes:
    try:
        return _text(value, name).encode()
    except UnicodeEncodeError:  # a lone surrogate, written as an escape
        raise _error(name, "not UTF-8") from None


def _error(field: str, message: str) -> FormatError:
    return FormatError(message, what=_WHAT, field=field)
