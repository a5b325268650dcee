"""Makes the service's own keys: an authority, signing keys below it, and keys that seal challenges.

Replicas share them through the storage. Where several start at once, or rotate at once, one of them wins
for the first keys; of later ones there may be two, and the newest that is active signs.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.x509.oid import NameOID

from eaa.broker.key_book import AUTHORITY, CHALLENGE, TOKEN, Rotation
from eaa.broker.ports import ServiceKeys
from eaa.broker.records import ServiceKey
from eaa.errors import InternalError

__all__ = ["current_keys", "ensure_keys"]

_AUTHORITY_YEARS = timedelta(days=3653)
_BACKDATED = timedelta(hours=1)
_PURPOSES = (AUTHORITY, TOKEN, CHALLENGE)


async def ensure_keys(store: ServiceKeys, *, rotation: Rotation, issuer: str, now: datetime) -> None:
    """Make what is missing or due.

    Raises:
        StorageError: it cannot be kept.
    """
    authority = await _active_authority(store, issuer, now)
    for purpose in (TOKEN, CHALLENGE):
        keys = await store.of(purpose)
        if rotation.due(keys, purpose, now=now):
            begins, ends = rotation.term(keys, purpose, now=now)
            made = _signer(authority, issuer, begins, ends) if purpose == TOKEN else _challenge(begins, ends)
            await store.add(made, only_first=not keys)
    await store.prune(now)


async def _active_authority(store: ServiceKeys, issuer: str, now: datetime) -> ServiceKey:
    """The oldest whose certificate holds; one of a clock that was ahead does not yet."""
    while True:
        kept = await store.of(AUTHORITY)
        active = [key for key in kept if key.active_from <= now + _BACKDATED]
        if active:
            return active[-1]
        await store.add(_authority(issuer, now), only_first=not kept)


async def current_keys(store: ServiceKeys) -> Sequence[ServiceKey]:
    """All of them."""
    return [key for purpose in _PURPOSES for key in await store.of(purpose)]


def _authority(issuer: str, now: datetime) -> ServiceKey:
    private = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"{issuer} attestation results authority")
    certificate = _certificate(name, name, private.public_key(), private, now, now + _AUTHORITY_YEARS, True)
    return _key(AUTHORITY, private, (certificate,), now, now + _AUTHORITY_YEARS)


def _signer(authority: ServiceKey, issuer: str, begins: datetime, ends: datetime) -> ServiceKey:
    private = ec.generate_private_key(ec.SECP256R1())
    above = load_der_private_key(authority.material, None)
    if not isinstance(above, ec.EllipticCurvePrivateKey):
        raise InternalError("the authority of attestation results has no EC key")
    own = x509.load_der_x509_certificate(authority.certificate_chain[0])
    name = _name(f"{issuer} attestation results")
    certificate = _certificate(name, own.subject, private.public_key(), above, begins, ends, False)
    return _key(TOKEN, private, (certificate, authority.certificate_chain[0]), begins, ends)


def _challenge(begins: datetime, ends: datetime) -> ServiceKey:
    return ServiceKey(CHALLENGE, secrets.token_hex(4), secrets.token_bytes(32), (), begins, ends)


def _key(
    purpose: str,
    private: ec.EllipticCurvePrivateKey,
    chain: tuple[bytes, ...],
    begins: datetime,
    ends: datetime,
) -> ServiceKey:
    material = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return ServiceKey(purpose, secrets.token_hex(8), material, chain, begins, ends)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    begins: datetime,
    ends: datetime,
    authority: bool,
) -> bytes:
    usage = x509.KeyUsage(
        digital_signature=not authority, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=authority, crl_sign=authority,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins - _BACKDATED)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(authority, 0 if authority else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.DER)
