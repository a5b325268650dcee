"""Certificates of a simulated AMD in SEV's format [SEV-API B.1], [SEV-API C].

Every field may be changed at any time; the next read of ``raw`` is signed anew over what there is then.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

from eaa.attester.simulated.amd_keys import SimulatedRsaKey
from eaa.endorsements.sev_ca import SevCaCertificate, parse_sev_ca
from eaa.endorsements.sev_certificate import SevAlgorithm
from eaa.evidence.psp_certificate import (
    COORDINATE_BYTES,
    PSP_SIGNED_BYTES,
    KeyUsage,
    PspCertificate,
)

__all__ = ["SevAuthority", "SevPlatformCertificate", "SevSigned", "sign_sev_ecdsa", "sign_sev_rsa"]

_P384 = 2
_HASHES: dict[int, SHA256 | SHA384] = {2048: SHA256(), 4096: SHA384()}


def sign_sev_rsa(key: SimulatedRsaKey, data: bytes) -> bytes:
    """RSASSA-PSS over ``data`` as AMD's keys of this size sign, little-endian."""
    bits = key.private.key_size
    hash_ = _HASHES[bits]
    return key.sign(data, hash_, hash_.digest_size)[::-1]


def sign_sev_ecdsa(key: ec.EllipticCurvePrivateKey, algorithm: SevAlgorithm, data: bytes) -> bytes:
    """ECDSA P-384 over ``data``: r ‖ s, 72 bytes each, little-endian."""
    hash_ = SHA384() if algorithm is SevAlgorithm.ECDSA_SHA384 else SHA256()
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hash_, deterministic_signing=True)))
    return r.to_bytes(COORDINATE_BYTES, "little") + s.to_bytes(COORDINATE_BYTES, "little")


@dataclass(kw_only=True, eq=False)
class SevAuthority:
    """An ARK, which has no ``issuer``, or an ASK.

    ``signing_key`` signs in place of the issuer's; ``certifying_id`` and ``modulus`` are in the certificate
    in place of the true ones.
    """

    key: SimulatedRsaKey
    key_id: bytes  # 16 bytes
    usage: KeyUsage
    issuer: SevAuthority | None = None
    certifying_id: bytes | None = None
    modulus: int | None = None
    signing_key: SimulatedRsaKey | None = None

    @property
    def raw(self) -> bytes:
        """The certificate, signed over the fields as they are now."""
        issuer = self.issuer or self
        numbers = self.key.private.public_key().public_numbers()
        bits = self.key.private.key_size
        header = (
            (1).to_bytes(4, "little")
            + self.key_id
            + (issuer.key_id if self.certifying_id is None else self.certifying_id)
            + self.usage.to_bytes(4, "little")
            + bytes(16)
            + bits.to_bytes(4, "little") * 2
        )
        modulus = numbers.n if self.modulus is None else self.modulus
        signed = b"".join(
            (header, numbers.e.to_bytes(bits // 8, "little"), modulus.to_bytes(bits // 8, "little"))
        )
        # As long as the key that is certified, whatever key signs.
        return signed + sign_sev_rsa(self.signing_key or issuer.key, signed).ljust(bits // 8, b"\x00")

    @property
    def parsed(self) -> SevCaCertificate:
        """:attr:`raw` as the verifier sees it, for example as a trust anchor."""
        return parse_sev_ca(self.raw)


@dataclass(kw_only=True, eq=False)
class SevSigned:
    """One signature of a platform's certificate: by whom, and what it says of itself."""

    by: SevAuthority | SevPlatformCertificate
    usage: KeyUsage | None = None  # in place of the signer's
    algorithm: int | None = None  # in place of the signer's
    signing_key: SimulatedRsaKey | ec.EllipticCurvePrivateKey | None = None

    def over(self, data: bytes) -> tuple[int, int, bytes]:
        """Usage, algorithm and 512 bytes of signature."""
        by = self.by
        key = self.signing_key or by.key
        if isinstance(key, SimulatedRsaKey):
            rsa_4096 = key.private.key_size == 4096
            own = SevAlgorithm.RSA_SHA384 if rsa_4096 else SevAlgorithm.RSA_SHA256
            signature = sign_sev_rsa(key, data)
        else:
            own = by.algorithm if isinstance(by, SevPlatformCertificate) else SevAlgorithm.ECDSA_SHA256
            signature = sign_sev_ecdsa(key, own, data)
        algorithm = own if self.algorithm is None else self.algorithm
        return (by.usage if self.usage is None else self.usage), algorithm, signature.ljust(512, b"\x00")


@dataclass(kw_only=True, eq=False)
class SevPlatformCertificate:
    """A CEK's, OCA's, PEK's or PDH's certificate. ``signed_by`` are one or two signatures, in their order.

    ``fields`` are fields of the certificate by name, in place of what follows from the rest and signed with
    it; ``point`` is in it in place of the key's.
    """

    key: ec.EllipticCurvePrivateKey
    usage: KeyUsage
    algorithm: SevAlgorithm = SevAlgorithm.ECDSA_SHA256
    signed_by: list[SevSigned] = field(default_factory=list)
    fields: dict[str, bytes | int] = field(default_factory=dict)
    point: tuple[int, int] | None = None

    @property
    def raw(self) -> bytes:
        """The certificate, signed over the fields as they are now."""
        numbers = self.key.public_key().public_numbers()
        point = (numbers.x, numbers.y) if self.point is None else self.point
        pubkey = _P384.to_bytes(4, "little") + b"".join(
            coordinate.to_bytes(COORDINATE_BYTES, "little") for coordinate in point
        )
        body: dict[str, bytes | int] = {
            "version": 1,
            "api_minor": 22,
            "pubkey_usage": self.usage,
            "pubkey_algo": self.algorithm,
            "pubkey": pubkey.ljust(1028, b"\x00"),
            "sig1_usage": KeyUsage.NONE,
            "sig2_usage": KeyUsage.NONE,
            **self.fields,
        }
        signed = PspCertificate.build(**body).raw[:PSP_SIGNED_BYTES]
        for number, signature in enumerate(self.signed_by, 1):
            names = (f"sig{number}_usage", f"sig{number}_algo", f"sig{number}")
            body |= dict(zip(names, signature.over(signed), strict=True))
        return PspCertificate.build(**(body | self.fields)).raw
