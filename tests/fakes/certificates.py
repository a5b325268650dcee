"""Certificates and revocation lists of any shape, for tests of what reads them.

Those of the simulated vendor (:mod:`tests.fakes.vendor`) have Intel's profile; these have what a test
asks for.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from eaa.attester.simulated.pck import SimulatedPckCertificate
from eaa.codec.der import wrap_sequence
from eaa.endorsements.x509 import Certificate, Extension, parse_certificate
from tests.fakes.vendor import NOW, make_platform

__all__ = ["DAY", "KEY", "certificate", "crl", "name", "pck_certificate", "rebuilt", "with_extension"]

DAY = timedelta(days=1)
KEY = ec.derive_private_key(1, ec.SECP256R1())
Extensions = tuple[tuple[x509.ExtensionType, bool], ...]


def name(*common_names: str) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, item) for item in common_names]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests")])


def certificate(
    subject: str = "leaf",
    issuer: str = "root",
    *,
    not_before: datetime = NOW - DAY,
    not_after: datetime = NOW + DAY,
    extensions: Extensions = (),
    public_key: ec.EllipticCurvePublicKey | None = None,
) -> Certificate:
    """A certificate as received, signed by :data:`KEY`."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(public_key or KEY.public_key())
        .serial_number(7)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    signed = builder.sign(KEY, SHA256(), ecdsa_deterministic=True)
    return parse_certificate(signed.public_bytes(Encoding.DER))


def crl(
    issuer: str = "SGX Root CA",
    *,
    this_update: datetime = NOW - DAY,
    serials: tuple[int, ...] = (),
    extensions: Extensions = (),
) -> bytes:
    """The DER of a revocation list, signed by :data:`KEY`."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(name(issuer))
        .last_update(this_update)
        .next_update(NOW + 30 * DAY)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    for serial in serials:
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(serial)
            .revocation_date(datetime(2026, 1, 1, tzinfo=UTC))
        )
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(KEY, SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.DER)


def rebuilt(tbs: bytes, like: Certificate | bytes, *, algorithm: bytes | None = None) -> bytes:
    """``tbs`` with a signature, which does not verify, in the shape of a certificate or list."""
    outer = algorithm or bytes.fromhex("300a06082a8648ce3d040302")
    signature = like.signature if isinstance(like, Certificate) else like
    return wrap_sequence(tbs + outer + bytes((3, len(signature) + 1, 0)) + signature)


def pck_certificate(**overrides: bytes | None) -> SimulatedPckCertificate:
    """A PCK certificate; ``f2_17`` is DER in place of field 2.17, or ``None`` to leave it out."""
    pck = make_platform().pck
    pck.field_overrides = {key[1:].replace("_", "."): value for key, value in overrides.items()}
    return pck


def with_extension(parsed: Certificate, oid: str, value: bytes) -> Certificate:
    """``parsed`` as if it had this extension."""
    return replace(parsed, extensions={**parsed.extensions, oid: Extension(False, value)})
