"""Certificates of a simulated Hygon, in its two formats [CSV-RS certs].

Every field may be changed at any time; the next read of ``raw`` is signed anew over what there is then.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from eaa.attester.simulated.hygon_keys import SimulatedSm2Key, little_endian
from eaa.endorsements.hygon_certificate import (
    SM2_ALGORITHM,
    HygonCaCertificate,
    HygonCertificateBody,
    parse_hygon_ca,
)
from eaa.evidence.psp_certificate import PSP_SIGNED_BYTES, KeyUsage, PspCertificate

__all__ = ["HygonAuthority", "HygonPlatformCertificate"]

_SM2_CURVE = 3
_SIGNED_CA_BYTES = HygonCaCertificate.sig_r.offset


@dataclass(kw_only=True, eq=False)
class HygonAuthority:
    """An HRK, which has no ``issuer``, or an HSK.

    ``signing_key`` signs in place of the issuer's; ``fields`` are fields of the certificate by name, in place
    of what follows from the rest.
    """

    key: SimulatedSm2Key
    key_id: bytes  # 16 bytes
    user_id: bytes
    usage: KeyUsage
    issuer: HygonAuthority | None = None
    signing_key: SimulatedSm2Key | None = None
    fields: dict[str, bytes | int] = field(default_factory=dict)

    @property
    def raw(self) -> bytes:
        """The certificate, signed over the fields as they are now."""
        issuer = self.issuer or self
        point = little_endian(*self.key.point)
        values: dict[str, bytes | int] = {
            "version": 1,
            "key_id": self.key_id,
            "certifying_id": issuer.key_id,
            "key_usage": self.usage,
            "curve": _SM2_CURVE,
            "pubkey_x": point[:72],
            "pubkey_y": point[72:],
            "uid_size": len(self.user_id),
            "user_id": self.user_id.ljust(254, b"\x00"),
            **self.fields,
        }
        signed = HygonCaCertificate.build(**values).raw[:_SIGNED_CA_BYTES]
        signature = (self.signing_key or issuer.key).sign(issuer.user_id, signed)
        values = {"sig_r": signature[:72], "sig_s": signature[72:], **values}
        return HygonCaCertificate.build(**values).raw

    @property
    def parsed(self) -> HygonCaCertificate:
        """:attr:`raw` as the verifier sees it, for example as a trust anchor."""
        return parse_hygon_ca(self.raw)


@dataclass(kw_only=True, eq=False)
class HygonPlatformCertificate:
    """A CEK's or PEK's certificate.

    ``signing_key`` signs in place of the issuer's; ``signed_as`` is in the signature in place of the issuer's
    usage; ``fields`` and ``key_fields`` are fields of the certificate and of its public key by name, in place
    of what follows from the rest.
    """

    key: SimulatedSm2Key
    user_id: bytes
    usage: KeyUsage
    issuer: HygonAuthority | HygonPlatformCertificate
    version: int = 1
    signing_key: SimulatedSm2Key | None = None
    signed_as: KeyUsage | None = None
    fields: dict[str, bytes | int] = field(default_factory=dict)
    key_fields: dict[str, bytes | int] = field(default_factory=dict)

    @property
    def raw(self) -> bytes:
        """The certificate, signed over the fields as they are now."""
        values: dict[str, bytes | int] = {
            "version": self.version,
            "api_major": 1,
            "api_minor": 3,
            "pubkey_usage": self.usage,
            "pubkey_algo": SM2_ALGORITHM,
            "pubkey": self._pubkey(),
            "sig1_usage": self.issuer.usage if self.signed_as is None else self.signed_as,
            "sig1_algo": SM2_ALGORITHM,
            "sig2_usage": KeyUsage.NONE,
            **self.fields,
        }
        signed = PspCertificate.build(**values).raw[:PSP_SIGNED_BYTES]
        signature = (self.signing_key or self.issuer.key).sign(self.issuer.user_id, signed)
        return PspCertificate.build(**{"sig1": signature.ljust(512, b"\x00"), **values}).raw

    def _pubkey(self) -> bytes:
        point = little_endian(*self.key.point)
        values: dict[str, bytes | int] = {
            "curve": _SM2_CURVE,
            "pubkey_x": point[:72],
            "pubkey_y": point[72:],
            "uid_size": len(self.user_id),
            "user_id": self.user_id.ljust(254, b"\x00"),
        }
        # From version 2 on a CEK names its HSK.
        if self.version > 1 and isinstance(self.issuer, HygonAuthority):
            values["certifying_id"] = self.issuer.key_id
        return HygonCertificateBody.build(**(values | self.key_fields)).raw
