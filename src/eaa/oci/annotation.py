"""The packet in which a layer's key travels with its image, wrapped, in every form that was published.

====================================  ==============================================================
original verdictd, eaa_kbc            ``kid``, ``wrapped_data`` and ``iv`` as integers, ``algorithm``
                                      ``AES``, ``key_length`` 256
sample, offline and cc_kbc, to v0.4   ``wrapped_data`` and ``iv`` as integers or base64,
                                      ``wrap_type`` ``aes-gcm``, ``aes_256_ctr`` or ``A256GCM``
v0.5 and later                        base64; ``wrap_type`` ``A256GCM`` or ``A256CTR``
today's, 0.1.0                        the same, with ``version``, ``provider``,
                                      ``provider_settings`` and ``annotations``
====================================  ==============================================================

Written is the last, which readers of the last two take [COCO-IMAGE annotation_packet].
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from eaa.codec.members import text_at
from eaa.codec.text import decode_base64
from eaa.errors import FormatError, UnsupportedError, UsageError
from eaa.oci.key_id import KeyId, parse_key_id
from eaa.oci.members import bytes_at, optional_object, parse_object

__all__ = [
    "IV_BYTES",
    "KEYS_ANNOTATION",
    "MAX_PACKET_BYTES",
    "TAG_BYTES",
    "AnnotationPacket",
    "WrapType",
    "encode_annotation",
    "parse_annotation",
    "split_annotations",
]

#: Where a layer's descriptor has it: packets in base64, joined by commas, one for each recipient.
KEYS_ANNOTATION = "org.opencontainers.image.enc.keys.provider.attestation-agent"
#: A packet seen has below 1 KiB; as integers four times that.
MAX_PACKET_BYTES = 64 * 1024
MAX_RECIPIENTS = 16
TAG_BYTES = 16
_WHAT = "annotation packet"
_VERSION = "0.1.0"
_PROVIDER = "kbs"
_SPEC = "[COCO-IMAGE annotation_packet]"


class WrapType(StrEnum):
    """How a key is wrapped: AES-256-GCM, or AES-256-CTR, which does not notice a change."""

    A256GCM = "A256GCM"
    A256CTR = "A256CTR"


IV_BYTES = {WrapType.A256GCM: 12, WrapType.A256CTR: 16}
_SPELLINGS = {
    "A256GCM": WrapType.A256GCM,
    "aes-gcm": WrapType.A256GCM,
    "A256CTR": WrapType.A256CTR,
    "aes_256_ctr": WrapType.A256CTR,
}


@dataclass(frozen=True, slots=True)
class AnnotationPacket:
    """``wrapped`` is ciphertext, of which with A256GCM the last 16 bytes are the tag.

    ``iv`` has 12 bytes, with A256CTR 16.
    """

    kid: KeyId
    wrapped: bytes = field(repr=False)
    iv: bytes = field(repr=False)
    wrap_type: str


def parse_annotation(data: bytes) -> AnnotationPacket:
    """The packet in ``data``, JSON of at most 64 KiB. Members that are not known are not read.

    Raises:
        FormatError: it is none, or its key id is none.
        UnsupportedError: ``unsupported.annotation_version``, ``.annotation_provider`` or ``.wrap_type``.
    """
    members = parse_object(data, _WHAT, limit=MAX_PACKET_BYTES)
    _require(members, "version", _VERSION, "annotation_version")
    _require(members, "provider", _PROVIDER, "annotation_provider")
    for name in ("provider_settings", "annotations"):
        optional_object(members, name, _WHAT)
    kid = parse_key_id(text_at(members, "kid", _WHAT))
    wrap_type = _wrap_type(members)
    wrapped, iv = bytes_at(members, "wrapped_data", _WHAT), bytes_at(members, "iv", _WHAT)
    if len(iv) != IV_BYTES[wrap_type]:
        raise _error("iv", f"expected {IV_BYTES[wrap_type]} bytes for {wrap_type}, came {len(iv)}")
    least = 1 + (TAG_BYTES if wrap_type is WrapType.A256GCM else 0)
    if len(wrapped) < least:
        # The original verdictd writes [0] when it has not got the key.
        raise _error("wrapped_data", f"expected at least {least} bytes, came {len(wrapped)}")
    return AnnotationPacket(kid, wrapped, iv, wrap_type)


def encode_annotation(packet: AnnotationPacket) -> bytes:
    """``packet`` in today's form.

    Raises:
        UsageError: ``usage.wrap_type``: a packet that is not authenticated is not written.
    """
    if packet.wrap_type != WrapType.A256GCM:
        raise UsageError(f"expected a packet of A256GCM, came {packet.wrap_type}", detail="wrap_type")
    return orjson.dumps(
        {
            "version": _VERSION,
            "kid": str(packet.kid),
            "wrapped_data": b64encode(packet.wrapped).decode(),
            "provider": _PROVIDER,
            "iv": b64encode(packet.iv).decode(),
            "wrap_type": packet.wrap_type,
            "provider_settings": {},
            "annotations": {},
        }
    )


def split_annotations(text: str) -> tuple[bytes, ...]:
    """The packets, unread, in the value of :data:`KEYS_ANNOTATION`: one to sixteen.

    Raises:
        FormatError: ``format.bad_value``, ``format.too_large``, ``format.too_many``.
    """
    if len(text) > MAX_RECIPIENTS * MAX_PACKET_BYTES:
        raise _error("annotation", f"{len(text)} characters are too many", "too_large")
    parts = text.split(",")
    if len(parts) > MAX_RECIPIENTS:
        raise _error("annotation", f"expected at most {MAX_RECIPIENTS}, came {len(parts)}", "too_many")
    return tuple(decode_base64(part, _WHAT, "annotation") for part in parts)


def _wrap_type(members: dict[str, Any]) -> WrapType:
    old, new = members.get("algorithm"), members.get("wrap_type")
    if old is not None and new is not None:
        raise _error("wrap_type", "expected it or algorithm, not both")
    if old is not None:
        if old != "AES" or type(members.get("key_length")) is not int or members["key_length"] != 256:
            raise UnsupportedError(
                f"{_WHAT}: expected algorithm AES of key_length 256", detail="wrap_type"
            )  # fmt: skip
        return WrapType.A256GCM
    name = text_at(members, "wrap_type", _WHAT)
    if name not in _SPELLINGS:
        raise UnsupportedError(f"{_WHAT}: expected wrap_type A256GCM, got {name[:32]!r}", detail="wrap_type")
    return _SPELLINGS[name]


def _require(members: dict[str, Any], name: str, value: str, detail: str) -> None:
    if name in members and (came := text_at(members, name, _WHAT)) != value:
        raise UnsupportedError(f"{_WHAT}: expected {name} {value}, got {came[:32]!r}", detail=detail)


def _error(field_: str, message: str, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=_WHAT, field=field_, spec=_SPEC, detail=detail)
