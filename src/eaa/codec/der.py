"""DER through pyca/cryptography's declarative ASN.1, with our errors and the received bytes kept.

The declarative decoder is strict DER: minimal lengths, no trailing bytes, defaults not encoded. It
also reads certificates that ``cryptography.x509`` refuses or has announced to refuse (docs/adr/0003).
"""

from __future__ import annotations

from typing import Any, TypeVar

from cryptography.hazmat import asn1

from eaa.errors import FormatError

__all__ = ["decode_der", "parse_tlv", "tlv_bytes", "wrap_sequence"]

T = TypeVar("T")


def decode_der(schema: type[T], data: bytes, what: str, field: str, spec: str) -> T:
    """``data`` decoded as exactly one ``schema``; :class:`FormatError` if it is anything else."""
    try:
        return asn1.decode_der(schema, data)
    except (ValueError, OverflowError) as error:
        raise FormatError(
            f"not the expected DER: {_first_line(error)}",
            what=what,
            field=field,
            offset=0,
            spec=spec,
            detail="not_der",
        ) from None


def parse_tlv(tlv: Any, schema: type[T], what: str, field: str, spec: str) -> T:
    """The ``schema`` inside an ``asn1.TLV``, as :func:`decode_der`."""
    return decode_der(schema, tlv_bytes(tlv), what, field, spec)


def tlv_bytes(tlv: Any) -> bytes:
    """The DER of ``tlv``, header included: what a signature over it covers.

    DER has one encoding of a length, so that the header is rebuilt from the decoded length.
    """
    return bytes(tlv.tag_bytes) + _with_length(bytes(tlv.data))


def wrap_sequence(contents: bytes) -> bytes:
    """A SEQUENCE around ``contents``: the declarative decoder starts at a sequence only."""
    return b"\x30" + _with_length(contents)


def _with_length(contents: bytes) -> bytes:
    length = len(contents)
    if length < 0x80:
        return bytes((length,)) + contents
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets + contents


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
