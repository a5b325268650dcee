"""The key of one layer: ocicrypt's private options, and how they are wrapped under a key-encryption key."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from eaa.codec.members import object_at, text_at
from eaa.codec.text import decode_base64
from eaa.errors import FormatError, SignatureError, UnsupportedError, UsageError
from eaa.oci.annotation import IV_BYTES, AnnotationPacket, WrapType
from eaa.oci.digest import Digest, parse_digest
from eaa.oci.key_id import KeyId
from eaa.oci.members import parse_object

__all__ = [
    "KEK_BYTES",
    "LayerOptions",
    "encode_layer_options",
    "open_a256gcm",
    "parse_layer_options",
    "require_kek",
    "unwrap_options",
    "wrap_options",
]

KEK_BYTES = 32
SYMKEY_BYTES = 32
NONCE_BYTES = 16
#: Some 160 bytes are seen.
MAX_OPTIONS_BYTES = 4096
_WHAT = "layer options"


@dataclass(frozen=True, slots=True)
class LayerOptions:
    """``symkey`` 32 bytes, ``digest`` of the layer in the clear (compressed as it is), ``nonce`` 16 bytes."""

    symkey: bytes = field(repr=False)
    digest: Digest
    nonce: bytes = field(repr=False)


def parse_layer_options(data: bytes) -> LayerOptions:
    """The options in ``data``, JSON of at most 4 KiB.

    Raises:
        FormatError: it is none, or a length is wrong, or a cipher option is none that is known.
        UnsupportedError: the digest's algorithm.
    """
    members = parse_object(data, _WHAT, limit=MAX_OPTIONS_BYTES)
    cipher = object_at(members, "cipheroptions", _WHAT)
    if cipher.keys() != {"nonce"}:
        raise FormatError("expected a nonce and nothing else", what=_WHAT, field="cipheroptions")
    return LayerOptions(
        decode_base64(text_at(members, "symkey", _WHAT), _WHAT, "symkey", length=SYMKEY_BYTES),
        parse_digest(text_at(members, "digest", _WHAT), what=_WHAT),
        decode_base64(text_at(cipher, "nonce", _WHAT), _WHAT, "nonce", length=NONCE_BYTES),
    )


def encode_layer_options(options: LayerOptions) -> bytes:
    """The JSON of ``options``, as ocicrypt writes it."""
    return orjson.dumps(
        {
            "symkey": b64encode(options.symkey).decode(),
            "digest": str(options.digest),
            "cipheroptions": {"nonce": b64encode(options.nonce).decode()},
        }
    )


def wrap_options(options: bytes, *, kek: bytes, kid: KeyId, iv: bytes) -> AnnotationPacket:
    """``options``, which are a layer's, under ``kek`` of 32 bytes with A256GCM and no additional data.

    ``iv`` is 12 fresh random bytes: never two packets of one key with the same.

    Raises:
        FormatError: ``options`` or ``kek`` are none.
        UsageError: ``usage.iv``: its length.
    """
    require_kek(kek)
    if len(iv) != IV_BYTES[WrapType.A256GCM]:
        raise UsageError(f"expected an IV of {IV_BYTES[WrapType.A256GCM]} bytes, came {len(iv)}", detail="iv")
    parse_layer_options(options)
    return AnnotationPacket(kid, AESGCM(kek).encrypt(iv, options, None), iv, WrapType.A256GCM)


def unwrap_options(packet: AnnotationPacket, *, kek: bytes) -> bytes:
    """The options in ``packet``, which :func:`parse_layer_options` takes, as they were wrapped.

    Raises:
        SignatureError: ``signature.wrapped_key``: another key has wrapped them, or they were changed.
        UnsupportedError: ``unsupported.unauthenticated``: A256CTR, under which a change is not noticed.
        FormatError: ``format.kek``: ``kek`` has not 32 bytes; or what was wrapped are no options.
    """
    require_kek(kek)
    if packet.wrap_type != WrapType.A256GCM:
        raise UnsupportedError(
            f"the layer key under {packet.kid} is wrapped with {packet.wrap_type}, under which a change is "
            "not noticed; that is not allowed",
            detail="unauthenticated",
        )
    options = open_a256gcm(packet.wrapped, kek=kek, iv=packet.iv, what=f"the layer key under {packet.kid}")
    parse_layer_options(options)
    return options


def open_a256gcm(wrapped: bytes, *, kek: bytes, iv: bytes, what: str) -> bytes:
    """The plaintext of ``wrapped``, ciphertext and tag.

    Raises:
        SignatureError: ``signature.wrapped_key``.
    """
    try:
        return AESGCM(kek).decrypt(iv, wrapped, None)
    except InvalidTag:
        raise SignatureError(
            f"{what} does not open with this key: another key has wrapped it, or it was changed",
            detail="wrapped_key",
        ) from None


def require_kek(kek: bytes) -> None:
    """Holds if ``kek`` is a key of AES-256.

    Raises:
        FormatError: ``format.kek``.
    """
    if len(kek) != KEK_BYTES:
        raise FormatError(
            f"expected {KEK_BYTES} bytes, came {len(kek)}",
            what="key-encryption key", field="length", detail="kek",
        )  # fmt: skip
