"""base64url without padding, of which each value has one text [RFC4648 §5]."""

from __future__ import annotations

import binascii

from eaa.errors import FormatError

__all__ = ["decode_base64url", "encode_base64url"]


def encode_base64url(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).rstrip(b"=").translate(_URL_SAFE).decode()


def decode_base64url(text: str, what: str, field: str) -> bytes:
    """The bytes of which ``text`` is exactly what :func:`encode_base64url` makes.

    Raises:
        FormatError: ``format.base64url``: other characters, padding, or bits that are left over.
    """
    try:
        raw = text.encode("ascii")
        data = binascii.a2b_base64(raw.translate(_STANDARD) + b"=" * (-len(raw) % 4), strict_mode=True)
    except ValueError:  # binascii.Error and UnicodeEncodeError are of this kind
        data = None
    if data is None or encode_base64url(data) != text:
        raise FormatError("not base64url without padding", what=what, field=field, detail="base64url")
    return data


_URL_SAFE, _STANDARD = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")
