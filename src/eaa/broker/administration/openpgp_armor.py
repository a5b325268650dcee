"""ASCII armor of OpenPGP [RFC9580 §6]: one block of public keys."""

from __future__ import annotations

import binascii
import re

from eaa.errors import FormatError

__all__ = ["dearmor"]

_BLOCK = re.compile(
    rb"\s*-----BEGIN PGP PUBLIC KEY BLOCK-----[ \t]*\r?\n"
    rb"(?:[A-Za-z]+: [^\r\n]*\r?\n)*[ \t]*\r?\n"
    rb"([A-Za-z0-9+/=\s]*?)"
    rb"(?:\n=[A-Za-z0-9+/]{4}\s*)?"
    rb"-----END PGP PUBLIC KEY BLOCK-----\s*"
)


def dearmor(data: bytes) -> bytes:
    """The bytes of the one armored block of ``data``; ``data`` itself if it is binary.

    The checksum, which is there against typing errors, is not looked at [RFC9580 §6.1.1].

    Raises:
        FormatError: ``format.openpgp``: text that is no such block.
    """
    if not data or data[0] & 0x80:
        return data
    block = _BLOCK.fullmatch(data)
    if block is None:
        raise _error("expected one block of BEGIN PGP PUBLIC KEY BLOCK, or binary")
    try:
        return binascii.a2b_base64(b"".join(block[1].split()), strict_mode=True)
    except binascii.Error as error:
        raise _error(f"not base64: {error}") from None


def _error(message: str) -> FormatError:
    return FormatError(
        message, what="OpenPGP keyring", field="armor", spec="[RFC9580 §6]", detail="openpgp"
    )  # fmt: skip
