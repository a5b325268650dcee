"""What a sealed secret says: the secret under an envelope, or where it is kept [COCO-SEALED Format]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from eaa.codec.members import object_at, text_at
from eaa.codec.text import decode_base64
from eaa.errors import FormatError, UnsupportedError
from eaa.oci.annotation import IV_BYTES, TAG_BYTES, WrapType
from eaa.oci.layer_key import open_a256gcm, require_kek
from eaa.oci.members import optional_object, parse_object

__all__ = [
    "KBS",
    "EnvelopeSecret",
    "VaultSecret",
    "open_envelope",
    "open_envelope_data",
    "parse_payload",
]

#: The provider that is a key broker. The others are key management services of clouds.
KBS = "kbs"
_VERSION = "0.1.0"
_LIMIT = 1024 * 1024
_WHAT = "sealed secret"


@dataclass(frozen=True, slots=True)
class EnvelopeSecret:
    """``encrypted_data`` is the secret under a data key; that is ``encrypted_key``, under ``key_id``."""

    provider: str
    key_id: str
    encrypted_key: bytes = field(repr=False)
    encrypted_data: bytes = field(repr=False)
    wrap_type: str
    iv: bytes = field(repr=False)
    provider_settings: Mapping[str, Any]
    annotations: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class VaultSecret:
    """The secret ``name`` of ``provider``; that of ``kbs`` is a ``kbs:///`` URI."""

    provider: str
    name: str
    provider_settings: Mapping[str, Any]
    annotations: Mapping[str, Any]


def parse_payload(data: bytes) -> EnvelopeSecret | VaultSecret:
    """The payload in ``data``, JSON of at most 1 MiB.

    Raises:
        FormatError: it is none.
        UnsupportedError: ``unsupported.sealed_secret_version`` or ``.sealed_secret_type``.
    """
    members = parse_object(data, _WHAT, limit=_LIMIT)
    version, kind = text_at(members, "version", _WHAT), text_at(members, "type", _WHAT)
    if version != _VERSION:
        raise UnsupportedError(
            f"{_WHAT}: expected version {_VERSION}, got {version[:32]!r}", detail="sealed_secret_version"
        )
    match kind:
        case "envelope":
            return _envelope(members)
        case "vault":
            return _vault(members)
        case _:
            raise UnsupportedError(
                f"{_WHAT}: expected type envelope or vault, got {kind[:32]!r}", detail="sealed_secret_type"
            )


def open_envelope(envelope: EnvelopeSecret, kek: bytes) -> bytes:
    """The secret, with the key of 32 bytes that ``key_id`` names at the key broker.

    No published tool defines what ``encrypted_key`` is there. Here it is an IV of 12 bytes, then the data key
    under A256GCM, then the tag of 16.

    Raises:
        UnsupportedError: ``unsupported.envelope_provider``: not ``kbs``; ``unsupported.unauthenticated``.
        FormatError: a length is wrong.
        SignatureError: ``signature.wrapped_key``: it does not open.
    """
    if envelope.provider != KBS:
        raise UnsupportedError(
            f"{_WHAT}: expected the provider {KBS}, got {envelope.provider[:32]!r}",
            detail="envelope_provider",
        )
    require_kek(kek)
    iv, wrapped = envelope.encrypted_key[:_IV], envelope.encrypted_key[_IV:]
    if len(iv) != _IV or len(wrapped) <= TAG_BYTES:
        raise _length("encrypted_key", _IV + TAG_BYTES + 1, len(envelope.encrypted_key))
    key = open_a256gcm(wrapped, kek=kek, iv=iv, what=f"the data key under {envelope.key_id[:128]}")
    return open_envelope_data(envelope, key)


def open_envelope_data(envelope: EnvelopeSecret, key: bytes) -> bytes:
    """The secret, with the data key that was in ``encrypted_key``; raises as :func:`open_envelope`."""
    require_kek(key)
    if envelope.wrap_type != WrapType.A256GCM:
        raise UnsupportedError(
            f"{_WHAT}: expected wrap_type A256GCM, got {envelope.wrap_type[:32]!r}", detail="unauthenticated"
        )
    if len(envelope.iv) != _IV:
        raise _length("iv", _IV, len(envelope.iv))
    if len(envelope.encrypted_data) < TAG_BYTES:
        raise _length("encrypted_data", TAG_BYTES, len(envelope.encrypted_data))
    return open_a256gcm(envelope.encrypted_data, kek=key, iv=envelope.iv, what="the sealed secret")


_IV = IV_BYTES[WrapType.A256GCM]


def _envelope(members: dict[str, Any]) -> EnvelopeSecret:
    def decoded(name: str) -> bytes:
        return decode_base64(text_at(members, name, _WHAT), _WHAT, name)

    return EnvelopeSecret(
        provider=text_at(members, "provider", _WHAT),
        key_id=text_at(members, "key_id", _WHAT),
        encrypted_key=decoded("encrypted_key"),
        encrypted_data=decoded("encrypted_data"),
        wrap_type=text_at(members, "wrap_type", _WHAT),
        iv=decoded("iv"),
        provider_settings=_mapping(object_at(members, "provider_settings", _WHAT)),
        annotations=_mapping(optional_object(members, "annotations", _WHAT)),
    )


def _vault(members: dict[str, Any]) -> VaultSecret:
    return VaultSecret(
        provider=text_at(members, "provider", _WHAT),
        name=text_at(members, "name", _WHAT),
        provider_settings=_mapping(object_at(members, "provider_settings", _WHAT)),
        annotations=_mapping(optional_object(members, "annotations", _WHAT)),
    )


def _mapping(members: dict[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(members)


def _length(name: str, expected: int, came: int) -> FormatError:
    return FormatError(f"expected {expected} bytes at least, came {came}", what=_WHAT, field=name)
