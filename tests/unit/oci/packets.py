"""Packets and options as other programs write them."""

from __future__ import annotations

import base64
import json
from typing import Any

from eaa.oci.annotation import AnnotationPacket
from eaa.oci.digest import Digest
from eaa.oci.key_id import parse_key_id
from eaa.oci.layer_key import LayerOptions, encode_layer_options, wrap_options

__all__ = ["IV", "KEK", "KID", "OPTIONS", "as_json", "b64", "options_json", "packet", "wrapped"]

KEK = bytes(range(32))
IV = bytes(range(100, 112))
KID = "kbs:///default/key/1"
OPTIONS = LayerOptions(b"k" * 32, Digest("sha256", "ab" * 32), b"n" * 16)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def options_json(**changes: Any) -> bytes:
    """Options as ocicrypt writes them; a member that is ``...`` is left out."""
    members: dict[str, Any] = {
        "symkey": b64(b"k" * 32),
        "digest": "sha256:" + "ab" * 32,
        "cipheroptions": {"nonce": b64(b"n" * 16)},
    } | changes
    return as_json({name: value for name, value in members.items() if value is not ...})


def wrapped() -> AnnotationPacket:
    """:data:`OPTIONS` under :data:`KEK`."""
    return wrap_options(encode_layer_options(OPTIONS), kek=KEK, kid=parse_key_id(KID), iv=IV)


def packet(**changes: Any) -> bytes:
    """A packet of v0.5 around :func:`wrapped`; a member that is ``...`` is left out."""
    sealed = wrapped()
    members: dict[str, Any] = {
        "kid": KID,
        "wrapped_data": b64(sealed.wrapped),
        "iv": b64(sealed.iv),
        "wrap_type": "A256GCM",
    } | changes
    return as_json({name: value for name, value in members.items() if value is not ...})
