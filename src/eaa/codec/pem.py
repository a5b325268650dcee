"""PEM certificate chains, as vendors' services and quotes carry them [RFC7468 §3].

Strict on purpose: the text is not itself signed, so that only one text is accepted for each DER,
apart from line breaks. URL-encoded chains (HTTP headers of PCS and PCCS) are decoded first.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from eaa.errors import FormatError

__all__ = ["MAX_CERTIFICATES", "Texts", "decode_pem_certificates", "encode_pem", "pem_text", "split_chain"]

#: A chain of a vendor has two or three certificates.
MAX_CERTIFICATES = 16
_MAX_BYTES = 256 * 1024
_SPEC = "[RFC7468 §3]"
_BEGIN = re.compile(rb"[\r\n]*-----BEGIN ([A-Z0-9 ]{1,40})-----")
_END_CERTIFICATE = b"-----END CERTIFICATE-----"


#: See :func:`pem_text`.
Texts = Mapping[bytes, bytes]
_NONE: Texts = MappingProxyType({})


def decode_pem_certificates(data: bytes, what: str, known: Texts = _NONE) -> tuple[bytes, ...]:
    """The DER of each certificate in ``data``, in order; at least one, at most 16.

    Accepts PEM or URL-encoded PEM, and the one terminating NUL that Intel's quoting library writes. ``known``
    has the DER of texts that need not be decoded, by :func:`pem_text`.

    Raises:
        FormatError: any other text, base64 that is not canonical, no certificate, or too many.
    """
    blocks = decode_pem(data, "CERTIFICATE", what, known)
    if not blocks:
        raise _error(what, 0, "no certificate found", "missing")
    return blocks


def decode_pem(data: bytes, label: str, what: str, known: Texts = _NONE) -> tuple[bytes, ...]:
    """The DER of each block in ``data``, all of which must be labelled ``label``; ``known`` as above."""
    if len(data) > _MAX_BYTES:
        raise _error(what, 0, f"{len(data)} bytes exceed {_MAX_BYTES}", "too_large")
    if b"%" in data[:64]:
        data = unquote_to_bytes(data)
    text = data.removesuffix(b"\x00").rstrip(b"\r\n")
    blocks: list[bytes] = []
    position, wanted = 0, label.encode()
    ending = b"-----END %b-----" % wanted
    while position < len(text):
        match = _BEGIN.match(text, position)
        end = text.find(ending, match.end()) if match else -1
        if match and match[1] != wanted:
            raise _error(what, position, f"expected {label}, came {match[1].decode()}", "not_pem")
        if match is None or end < 0:
            raise _error(what, position, "expected a PEM block", "not_pem")
        if len(blocks) == MAX_CERTIFICATES:
            raise _error(what, position, f"more than {MAX_CERTIFICATES} blocks", "too_large")
        block = text[match.end() : end]
        blocks.append(known.get(block) or _canonical_base64(block, what, position))
        position = end + len(ending)
    return tuple(blocks)


def split_chain(data: bytes) -> tuple[bytes, bytes]:
    """The first certificate's block of a chain, and the text after it, as received.

    The latter is empty if there is none, or where it depends on the former how it is to be read.
    """
    end = data.find(_END_CERTIFICATE) + len(_END_CERTIFICATE)
    return (data, b"") if b"%" in data[:64] or end < len(_END_CERTIFICATE) else (data[:end], data[end:])


def encode_pem(der: bytes, label: str = "CERTIFICATE") -> bytes:
    """``der`` as one PEM block with lines of 64 characters."""
    return b"-----BEGIN %b-----%b-----END %b-----\n" % (label.encode(), pem_text(der), label.encode())


def pem_text(der: bytes) -> bytes:
    """What is between the boundaries of :func:`encode_pem`: base64 in lines of 64, and breaks around them."""
    text = base64.b64encode(der)
    return b"\n%b\n" % b"\n".join([text[i : i + 64] for i in range(0, len(text), 64)])


def _canonical_base64(text: bytes, what: str, position: int) -> bytes:
    packed = text.replace(b"\n", b"").replace(b"\r", b"")
    try:
        der = binascii.a2b_base64(packed, strict_mode=True)
    except binascii.Error as error:
        raise _error(what, position, f"not base64: {error}", "not_pem") from None
    # One text for each DER: no group of four more than it takes, no stray bits in the last.
    last = binascii.b2a_base64(der[-(len(der) % 3 or 3) :], newline=False)
    if len(packed) != (len(der) + 2) // 3 * 4 or not packed.endswith(last):
        raise _error(what, position, "base64 is not canonical", "not_pem")
    return der


def _error(what: str, offset: int, message: str, detail: str) -> FormatError:
    return FormatError(message, what=what, field="PEM", offset=offset, spec=_SPEC, detail=detail)
