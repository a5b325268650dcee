"""What certificates and revocation lists of the simulated vendor share: being signed when asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from eaa.attester.simulated.keys import PrivateKey
from eaa.codec.der import wrap_sequence

__all__ = ["Edit", "SignedByIssuer", "distinguished_name", "key_identifier"]

#: Maps what would be signed to what is signed in its place.
Edit = Callable[[bytes], bytes]


@dataclass(kw_only=True, eq=False)
class SignedByIssuer:
    """Ways to be signed wrongly; by default none is taken.

    - ``issuer_name``: another common name of the issuer than the issuer's own;
    - ``signing_key``: another key than the issuer's;
    - ``hash_algorithm``: another than SHA-256;
    - ``extra_extensions``: appended, each with its criticality;
    - ``edit_tbs``: maps the DER that would be signed to what is signed in its place.
    """

    issuer_name: str | None = None
    signing_key: PrivateKey | None = None
    hash_algorithm: SHA256 | SHA384 | SHA512 = field(default_factory=SHA256)
    extra_extensions: list[tuple[x509.ExtensionType, bool]] = field(default_factory=list)
    edit_tbs: Edit | None = None

    def _sign_certificate(self, builder: x509.CertificateBuilder, issuer_key: PrivateKey) -> bytes:
        for extension, critical in self.extra_extensions:
            builder = builder.add_extension(extension, critical)
        key = self.signing_key or issuer_key
        signed = builder.sign(key, self.hash_algorithm, ecdsa_deterministic=True)
        return self._edited(signed.public_bytes(Encoding.DER), signed.tbs_certificate_bytes, key)

    def _sign_crl(self, builder: x509.CertificateRevocationListBuilder, issuer_key: PrivateKey) -> bytes:
        for extension, critical in self.extra_extensions:
            builder = builder.add_extension(extension, critical)
        key = self.signing_key or issuer_key
        signed = builder.sign(key, self.hash_algorithm, ecdsa_deterministic=True)
        return self._edited(signed.public_bytes(Encoding.DER), signed.tbs_certlist_bytes, key)

    def _edited(self, der: bytes, tbs: bytes, key: PrivateKey) -> bytes:
        if self.edit_tbs is None:
            return der
        edited = self.edit_tbs(tbs)
        signature = key.sign(edited, ec.ECDSA(self.hash_algorithm, deterministic_signing=True))
        return wrap_sequence(edited + _ALGORITHMS[self.hash_algorithm.name] + _bit_string(signature))


def distinguished_name(common_name: str) -> x509.Name:
    """CN, O, L, ST, C, in Intel's order."""
    parts = (
        (NameOID.COMMON_NAME, common_name),
        (NameOID.ORGANIZATION_NAME, "EAA Simulated Vendor"),
        (NameOID.LOCALITY_NAME, "Nowhere"),
        (NameOID.STATE_OR_PROVINCE_NAME, "XX"),
        (NameOID.COUNTRY_NAME, "XX"),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def key_identifier(issuer_key: PrivateKey) -> x509.AuthorityKeyIdentifier:
    """The authority key identifier that names ``issuer_key``."""
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())


def _bit_string(value: bytes) -> bytes:
    # An ECDSA signature and its count of unused bits are below 128 bytes up to P-384.
    return b"\x03" + bytes((len(value) + 1,)) + b"\x00" + value


#: AlgorithmIdentifier of ecdsa-with-SHA2, parameters absent [RFC5758 §3.2].
_ALGORITHMS = {
    "sha256": bytes.fromhex("300a06082a8648ce3d040302"),
    "sha384": bytes.fromhex("300a06082a8648ce3d040303"),
    "sha512": bytes.fromhex("300a06082a8648ce3d040304"),
}
