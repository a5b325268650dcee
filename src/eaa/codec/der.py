"""DER through pyca/cryptography's declarative ASN.1, with our errors and the received bytes kept.

The declarative decoder is strict DER: minimal lengths, no trailing bytes, defaults not encoded. It
also reads certificates that ``cryptography.x509`` refuses or has announced to refuse (docs/adr/0003).
"""

from __future__ import annotations

from typing import TypeVar, cast

from cryptography.hazmat import asn1

from eaa.errors import FormatError

__all__ = ["decode_der", "parse_tlv", "tlv_bytes", "wrap_sequence"]

T = TypeVar("T")


def decode_der(schema: type[T], data: bytes, what: str, field: str, spec: str) -> T:
    """``data`` decoded as exactly one ``schema``; :class:`FormatError` if it is anything else."""
    try:
        return asn1.decode_der(schema, data)
    except (ValueError, OverflowError) as error:
        raise _not_der(error, what, field, spec) from None


def parse_tlv(tlv: asn1.TLV, schema: type[T], what: str, field: str, spec: str) -> T:
    """The ``schema`` inside ``tlv``, as :func:`decode_der`."""
    try:
        return cast("T", tlv.parse(schema))
    except (ValueError, OverflowError) as error:
        raise _not_der(error, what, field, spec) from None


def tlv_bytes(tlv: asn1.TLV) -> bytes:
    """The DER of ``tlv``, header included: what a signature over it covers.

    DER has one encoding of a value, so that these are the received bytes.
    """
    return asn1.encode_der(tlv)


def wrap_sequence(contents: bytes) -> bytes:
    """A SEQUENCE around ``contents``: the declarative decoder starts at a sequence only."""
    return b"".join((b"\x30", _length(len(contents)), contents))


def _length(length: int) -> bytes:
    if length < 0x80:
        return _SHORT_LENGTHS[length]
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets


_SHORT_LENGTHS = tuple(bytes((length,)) for length in range(0x80))


def _not_der(error: Exception, what: str, field: str, spec: str) -> FormatError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return FormatError(
        f"not the expected DER: {reason}", what=what, field=field, offset=0, spec=spec, detail="not_der"
    )
