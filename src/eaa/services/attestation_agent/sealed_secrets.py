"""Sealed secrets opened in the guest: the signature first, then the key or the secret from the broker."""

from __future__ import annotations

import asyncio
from pathlib import Path

from eaa.broker.names import require_name
from eaa.errors import ConfigError, ResourceNotFound, UnsupportedError
from eaa.oci.key_id import KeyId, parse_key_id
from eaa.oci.sealed_secret import EnvelopeSecret, VaultSecret, open_envelope, parse_sealed_secret
from eaa.oci.secret_payload import KBS
from eaa.oci.signing_key import parse_signing_key
from eaa.services.attestation_agent.secrets import GuestSecrets

__all__ = ["SIGNING_KEYS", "unseal_secret"]

#: As guest components have it.
SIGNING_KEYS = Path("/run/confidential-containers/cdh/sealed-secret")
_MAX_KEY_BYTES = 16 * 1024
_URI = "kbs://"


async def unseal_secret(text: bytes, secrets: GuestSecrets, signing_keys: Path) -> bytes:
    """What is sealed in ``text``.

    Its ``kid`` names a resource, or a file in ``signing_keys``, that is a JWK and has signed it.

    Raises:
        FormatError: it is no sealed secret.
        SignatureError: the signature does not verify, or the envelope does not open.
        ResourceNotFound: the signing key or the secret is not there.
        UnsupportedError: not signed, or of a cloud's provider.
        EAAError: as :class:`GuestSecrets`.
    """
    sealed = parse_sealed_secret(text)
    sealed.verify(parse_signing_key(await _signing_key(sealed.kid, secrets, signing_keys)))
    match sealed.payload:
        case EnvelopeSecret() as envelope:
            return open_envelope(envelope, await secrets.key(_of_broker(envelope.provider, envelope.key_id)))
        case VaultSecret() as vault:
            return await secrets.key(_of_broker(vault.provider, vault.name))


async def _signing_key(kid: str, secrets: GuestSecrets, folder: Path) -> bytes:
    if kid.startswith(_URI):
        return await secrets.key(parse_key_id(kid))
    path = folder / require_name(kid, what="signing key")
    return await asyncio.to_thread(_load, path)


def _load(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_KEY_BYTES + 1)
    except FileNotFoundError:
        raise ResourceNotFound(
            f"sealed secret: there is no signing key {path}", detail="signing_key"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", detail="signing_key", file=str(path)) from None
    if len(data) > _MAX_KEY_BYTES:
        raise ConfigError(f"{path}: more than {_MAX_KEY_BYTES} bytes", detail="signing_key", file=str(path))
    return data


def _of_broker(provider: str, name: str) -> KeyId:
    if provider != KBS:
        raise UnsupportedError(
            f"sealed secret: expected the provider {KBS}, got {provider[:32]!r}", detail="envelope_provider"
        )
    return parse_key_id(name)
