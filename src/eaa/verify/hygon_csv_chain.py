"""Hygon's endorsements, verified to a trust anchor: steps 1–4 of :mod:`eaa.verify.hygon_csv`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from eaa.endorsements.hygon_certificate import (
    HygonCaCertificate,
    HygonCertificate,
    HygonPublicKey,
    parse_hygon_ca,
    parse_hygon_certificate,
)
from eaa.endorsements.hygon_endorsements import CsvEndorsements
from eaa.errors import ChainError, EndorsementNotFound
from eaa.evidence.psp_certificate import KeyUsage, PspSignature
from eaa.verify.memo import BoundedMemo
from eaa.verify.sm2 import Sm2Key, sm2_key, verify_sm2

__all__ = [
    "VerifiedCsvAuthorities",
    "VerifiedCsvPlatform",
    "verify_csv_authorities",
    "verify_csv_cek",
    "verify_csv_platform",
]

#: One for each machine and each PEK that it makes; a cluster has some thousands.
_MAX_PLATFORMS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class VerifiedCsvPlatform:
    """A PEK of a chip that Hygon certified."""

    cek: HygonCertificate
    pek: HygonCertificate
    key: Sm2Key  # the PEK


@dataclass(frozen=True, slots=True, eq=False)
class VerifiedCsvAuthorities:
    """An HSK under a trust anchor, with the platforms that have been verified on top of it.

    The memo lives here, so that it goes when the authorities that it rests on go.
    """

    hrk: HygonCaCertificate
    hsk: HygonCaCertificate
    hsk_key: Sm2Key
    platforms: BoundedMemo[VerifiedCsvPlatform] = field(default_factory=lambda: BoundedMemo(_MAX_PLATFORMS))


def verify_csv_authorities(
    endorsements: CsvEndorsements, anchors: Sequence[HygonCaCertificate]
) -> VerifiedCsvAuthorities:
    """The HSK of ``endorsements``, verified up to one of ``anchors``.

    Raises:
        EndorsementNotFound: HSK or HRK are missing.
        FormatError, ChainError, SignatureError
    """
    # 1. HRK: byte for byte an anchor, which its signature over itself would add nothing to.
    hrk = parse_hygon_ca(_required(endorsements.hrk, "HRK", "hrk"))
    if not any(hrk.raw == anchor.raw for anchor in anchors):
        raise ChainError(
            f"the HRK {hrk.key_id.hex()} is not one of the {len(anchors)} trust anchors",
            detail="untrusted_root", key_id=hrk.key_id.hex(),
        )  # fmt: skip
    if hrk.usage is not KeyUsage.ARK or hrk.certifying_id != hrk.key_id:
        raise ChainError("the trust anchor is no HRK that certifies itself", detail="hrk_usage")

    # 2. HSK: an HSK, of this HRK.
    hsk = parse_hygon_ca(_required(endorsements.hsk, "HSK", "hsk"))
    if hsk.usage is not KeyUsage.ASK:
        raise ChainError("the HSK certificate is of an HRK", detail="hsk_usage")
    if hsk.certifying_id != hrk.key_id:
        raise ChainError(
            f"the HSK names {hsk.certifying_id.hex()} as its issuer, the HRK is {hrk.key_id.hex()}",
            detail="hsk_issuer",
        )
    verify_sm2(_sm2_key(hrk.key, "HRK"), hsk.signature, hsk.signed, "HSK certificate", "hsk")
    return VerifiedCsvAuthorities(hrk, hsk, _sm2_key(hsk.key, "HSK"))


def verify_csv_platform(
    cek_data: bytes | None, pek_data: bytes, authorities: VerifiedCsvAuthorities
) -> VerifiedCsvPlatform:
    """CEK and PEK, verified up to ``authorities``.

    Raises:
        EndorsementNotFound: the CEK is missing.
        FormatError, ChainError, SignatureError
    """
    cek, cek_key = verify_csv_cek(cek_data, authorities)

    # 4. PEK: issued by the chip. The owner's signature beside it is not looked at: no evidence has the OCA.
    pek = _parsed(pek_data, KeyUsage.PEK)
    pek_key = _sm2_key(pek.key, "PEK")
    verify_sm2(cek_key, _signature(pek, KeyUsage.CEK).data, pek.frame.signed, "PEK certificate", "pek")
    return VerifiedCsvPlatform(cek, pek, pek_key)


def verify_csv_cek(
    cek_data: bytes | None, authorities: VerifiedCsvAuthorities
) -> tuple[HygonCertificate, Sm2Key]:
    """The CEK, verified up to ``authorities``, and its key. It does not say which chip it is of.

    Raises:
        EndorsementNotFound: the CEK is missing.
        FormatError, ChainError, SignatureError
    """
    # 3. CEK: issued by the HSK.
    cek = _parsed(_required(cek_data, "CEK", "cek"), KeyUsage.CEK)
    if any(cek.certifying_id) and cek.certifying_id != authorities.hsk.key_id:
        raise ChainError(
            f"the CEK names {cek.certifying_id.hex()} as its issuer, "
            f"the HSK is {authorities.hsk.key_id.hex()}",
            detail="cek_issuer",
        )
    cek_key = _sm2_key(cek.key, "CEK")
    signature = _signature(cek, KeyUsage.ASK)
    verify_sm2(authorities.hsk_key, signature.data, cek.frame.signed, "CEK certificate", "cek")
    return cek, cek_key


def _parsed(data: bytes, usage: KeyUsage) -> HygonCertificate:
    certificate = parse_hygon_certificate(data)
    if certificate.usage is not usage:
        raise ChainError(
            f"the {usage.name} certificate is of a {certificate.usage.name}",
            detail=f"{usage.name.lower()}_usage",
        )
    return certificate


def _signature(certificate: HygonCertificate, usage: KeyUsage) -> PspSignature:
    signature = certificate.frame.signature_by(usage)
    if signature is None:
        name = certificate.usage.name
        raise ChainError(
            f"the {name} certificate has no signature by its issuer", detail=f"{name.lower()}_unsigned"
        )
    return signature


def _sm2_key(key: HygonPublicKey, name: str) -> Sm2Key:
    try:
        return sm2_key(key.x, key.y, key.user_id)
    except ValueError:
        raise ChainError(f"the key of the {name} is not on its curve", detail=f"{name.lower()}_key") from None


def _required(part: bytes | None, what: str, detail: str) -> bytes:
    if part is None:
        raise EndorsementNotFound(f"the {what} certificate is missing from the endorsements", detail=detail)
    return part
