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
from eaa.errors import ChainError
from eaa.evidence.psp_certificate import KeyUsage
from eaa.verify.memo import BoundedMemo
from eaa.verify.psp_chain import require_issuer, require_part, require_root, require_signature, require_usage
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
    # 1. HRK: an anchor.
    hrk = parse_hygon_ca(require_part(endorsements.hrk, "HRK"))
    require_root(hrk, "HRK", anchors)

    # 2. HSK: an HSK, of this HRK.
    hsk = parse_hygon_ca(require_part(endorsements.hsk, "HSK"))
    require_issuer(hsk, "HSK", hrk, "HRK")
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
    verify_sm2(
        cek_key, require_signature(pek, KeyUsage.CEK, "CEK").data, pek.frame.signed, "PEK certificate", "pek"
    )
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
    cek = _parsed(require_part(cek_data, "CEK"), KeyUsage.CEK)
    if any(cek.certifying_id) and cek.certifying_id != authorities.hsk.key_id:
        raise ChainError(
            f"the CEK names {cek.certifying_id.hex()} as its issuer, "
            f"the HSK is {authorities.hsk.key_id.hex()}",
            detail="cek_issuer",
        )
    cek_key = _sm2_key(cek.key, "CEK")
    signature = require_signature(cek, KeyUsage.ASK, "HSK")
    verify_sm2(authorities.hsk_key, signature.data, cek.frame.signed, "CEK certificate", "cek")
    return cek, cek_key


def _parsed(data: bytes, usage: KeyUsage) -> HygonCertificate:
    certificate = parse_hygon_certificate(data)
    require_usage(certificate, usage)
    return certificate


def _sm2_key(key: HygonPublicKey, name: str) -> Sm2Key:
    try:
        return sm2_key(key.x, key.y, key.user_id)
    except ValueError:
        raise ChainError(f"the key of the {name} is not on its curve", detail=f"{name.lower()}_key") from None
