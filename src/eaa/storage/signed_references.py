"""The signed file of a reference store: its form, and what of it is signed."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from eaa.appraisal.reference_values import Alternative, ReferenceValues, parse_reference_values
from eaa.codec.strict_json import parse_json
from eaa.codec.text import decode_base64
from eaa.errors import FormatError

__all__ = ["FORMAT", "Entry", "SignedReferences", "decode_references", "encode_references"]

FORMAT = "eaa-reference-values/1"
_WHAT = "recorded reference values"
_MEMBERS = ("format", "payload", "entries", "key_id", "signature")
_ENTRY_MEMBERS = ("label", "source", "recorded_at")
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_SIGNATURE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One recorded alternative. ``recorded_at`` is aware, UTC, whole seconds."""

    label: str
    source: str
    recorded_at: datetime
    alternative: Alternative

    @property
    def values(self) -> dict[str, Any]:
        """The alternative as it stands in the payload."""
        return {pin.name: pin.to_json() for pin in self.alternative.pins}


@dataclass(frozen=True, slots=True)
class SignedReferences:
    """The file, read. Nothing in ``payload`` and ``listing`` is known before ``signature`` is verified."""

    payload: bytes
    listing: bytes
    key_id: str
    signature: bytes

    @property
    def signed(self) -> bytes:
        """What the signature covers: the lengths keep the two texts apart."""
        return _signed(self.payload, self.listing)

    def entries(self) -> tuple[Entry, ...]:
        """The entries, of which the signature has been verified.

        Raises:
            FormatError: malformed, or not one for each alternative.
        """
        alternatives = parse_reference_values(self.payload).alternatives
        listing = parse_json(self.listing, _WHAT)
        if not isinstance(listing, list) or len(listing) != len(alternatives):
            raise _error("entries", f"expected a list of {len(alternatives)}")
        return tuple(_entry(item, of) for item, of in zip(listing, alternatives, strict=True))


def encode_references(entries: Sequence[Entry], key_id: str, sign: Callable[[bytes], bytes]) -> bytes:
    """The file for ``entries``, at least one and ordered by TEE, signed by ``sign``."""
    payload = ReferenceValues(tuple(entry.alternative for entry in entries)).encode()
    listing = json.dumps(
        [
            {
                "label": entry.label,
                "source": entry.source,
                "recorded_at": entry.recorded_at.strftime(_TIME),
            }
            for entry in entries
        ]
    ).encode()
    document = {
        "format": FORMAT,
        "payload": payload.decode(),
        "entries": listing.decode(),
        "key_id": key_id,
        "signature": base64.b64encode(sign(_signed(payload, listing))).decode(),
    }
    return json.dumps(document, indent=2).encode() + b"\n"


def decode_references(data: bytes) -> SignedReferences:
    """The file ``data``, whose signature has not been verified.

    Raises:
        FormatError: not of this form.
    """
    document = _object(parse_json(data, _WHAT), _MEMBERS, "document")
    if document["format"] != FORMAT:
        raise _error("format", f"expected {FORMAT}")
    signature = decode_base64(document["signature"], _WHAT, "signature", length=_SIGNATURE_BYTES)
    return SignedReferences(
        _utf8(document["payload"], "payload"),
        _utf8(document["entries"], "entries"),
        document["key_id"],
        signature,
    )


def _signed(payload: bytes, listing: bytes) -> bytes:
    return b"%b %d %b %d %b" % (FORMAT.encode(), len(payload), payload, len(listing), listing)


def _entry(value: Any, alternative: Alternative) -> Entry:
    item = _object(value, _ENTRY_MEMBERS, "entries")
    try:
        time = datetime.strptime(item["recorded_at"], _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise _error("recorded_at", "expected a time such as 2026-01-31T12:00:00Z") from None
    return Entry(item["label"], item["source"], time, alternative)


def _object(value: Any, members: tuple[str, ...], field: str) -> dict[str, str]:
    if not isinstance(value, dict) or value.keys() != set(members):
        raise _error(field, f"expected an object with {', '.join(members)}")
    for name in members:
        if not isinstance(value[name], str):
            raise _error(name, "expected a text")
    return value


def _utf8(text: str, field: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate, written as an escape
        raise _error(field, "not UTF-8") from None


def _error(field: str, message: str) -> FormatError:
    return FormatError(message, what=_WHAT, field=field)
