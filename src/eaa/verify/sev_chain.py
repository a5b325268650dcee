"""AMD's endorsements of a SEV platform, verified to a trust anchor: steps 1–6 of :mod:`eaa.verify.sev`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from eaa.endorsements.sev_ca import SevCaCertificate, parse_sev_ca
from eaa.endorsements.sev_certificate import SevCertificate, parse_sev_certificate
from eaa.endorsements.sev_endorsements import SevEndorsements
from eaa.errors import ChainError, SignatureError
from eaa.evidence.psp_certificate import KeyUsage
from eaa.verify.memo import BoundedMemo
from eaa.verify.psp_chain import require_issuer, require_part, require_root, require_signature, require_usage
from eaa.verify.sev_signatures import (
    RSA_ALGORITHMS,
    SevEcKey,
    SevRsaKey,
    sev_ec_key,
    sev_rsa_key,
    verify_sev_ecdsa,
    verify_sev_rsa,
)

__all__ = [
    "VerifiedSevAuthorities",
    "VerifiedSevPlatform",
    "ask_of_cek",
    "verify_sev_authorities",
    "verify_sev_platform",
]

#: One platform for each owner of a machine; a cluster has some thousands.
_MAX_PLATFORMS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class VerifiedSevPlatform:
    """The keys of a platform whose chip AMD certified.

    ``pdh`` is ``None`` if there was none.
    """

    cek: SevCertificate
    oca: SevCertificate
    pek: SevCertificate
    pdh: SevCertificate | None
    key: SevEcKey  # the PEK


@dataclass(frozen=True, slots=True, eq=False)
class VerifiedSevAuthorities:
    """An ASK under a trust anchor, with the platforms that have been verified on top of it.

    The memo lives here, so that it goes when the authorities that it rests on go.
    """

    ark: SevCaCertificate
    ask: SevCaCertificate
    ask_key: SevRsaKey
    platforms: BoundedMemo[VerifiedSevPlatform] = field(default_factory=lambda: BoundedMemo(_MAX_PLATFORMS))


def verify_sev_authorities(
    endorsements: SevEndorsements, anchors: Sequence[SevCaCertificate]
) -> VerifiedSevAuthorities:
    """The ASK of ``endorsements``, verified up to one of ``anchors``.

    Raises:
        EndorsementNotFound: ASK or ARK are missing.
        FormatError, ChainError, SignatureError
    """
    # 1. ARK: an anchor.
    ark = parse_sev_ca(require_part(endorsements.ark, "ARK"))
    require_root(ark, "ARK", anchors)
    ark_key = _rsa_key(ark, "ARK", "ark")

    # 2. ASK: an ASK, of this ARK.
    ask = parse_sev_ca(require_part(endorsements.ask, "ASK"))
    require_issuer(ask, "ASK", ark, "ARK")
    if ask.key_bits != ark.key_bits:
        raise ChainError("ASK and ARK have keys of different sizes", detail="ask_key")
    verify_sev_rsa(ark_key, ask.signature, ask.signed, "ASK", "ask")
    return VerifiedSevAuthorities(ark, ask, _rsa_key(ask, "ASK", "ask"))


def verify_sev_platform(
    endorsements: SevEndorsements, authorities: VerifiedSevAuthorities
) -> VerifiedSevPlatform:
    """CEK, OCA, PEK and, where it is there, PDH of ``endorsements``, verified up to ``authorities``.

    Raises:
        EndorsementNotFound: CEK, OCA or PEK are missing.
        FormatError, ChainError, SignatureError
    """
    # 3. CEK: issued by the ASK.
    cek = _parsed(endorsements.cek, KeyUsage.CEK)
    cek_key = _ec_key(cek)
    _require_by_ask(cek, authorities.ask, authorities.ask_key)

    # 4. OCA: issued by itself. Who the owner is, it does not say.
    oca = _parsed(endorsements.oca, KeyUsage.OCA)
    oca_key = _ec_key(oca)
    _require_issued(oca, oca, oca_key)

    # 5. PEK: issued by the owner and by the chip.
    pek = _parsed(endorsements.pek, KeyUsage.PEK)
    pek_key = _ec_key(pek)
    _require_issued(pek, oca, oca_key)
    _require_issued(pek, cek, cek_key)

    # 6. PDH: issued by the PEK.
    pdh = None
    if endorsements.pdh is not None:
        pdh = _parsed(endorsements.pdh, KeyUsage.PDH)
        _ec_key(pdh)
        _require_issued(pdh, pek, pek_key)
    return VerifiedSevPlatform(cek, oca, pek, pdh, pek_key)


def ask_of_cek(cek: bytes, asks: Iterable[SevCaCertificate]) -> SevCaCertificate | None:
    """Which of ``asks`` issued ``cek``, a certificate that does not say; at most one signature for each.

    Raises:
        FormatError
    """
    certificate = parse_sev_certificate(cek)
    for ask in asks:
        try:
            _require_by_ask(certificate, ask, _rsa_key(ask, "ASK", "ask"))
        except (ChainError, SignatureError):
            continue
        return ask
    return None


def _parsed(data: bytes | None, usage: KeyUsage) -> SevCertificate:
    certificate = parse_sev_certificate(require_part(data, usage.name))
    require_usage(certificate, usage)
    return certificate


def _require_by_ask(cek: SevCertificate, ask: SevCaCertificate, key: SevRsaKey) -> None:
    signature = require_signature(cek, KeyUsage.ASK, "ASK")
    if signature.algorithm != RSA_ALGORITHMS[ask.key_bits]:
        raise ChainError("the CEK is not signed with the algorithm of its ASK", detail="cek_algorithm")
    data = signature.data[: ask.key_bits // 8][::-1]
    verify_sev_rsa(key, data, cek.frame.signed, "CEK certificate", "cek")


def _require_issued(certificate: SevCertificate, issuer: SevCertificate, key: SevEcKey) -> None:
    name, by = certificate.usage.name, issuer.usage.name
    signature = require_signature(certificate, issuer.usage, by)
    if signature.algorithm != issuer.algorithm:
        raise ChainError(
            f"the {name} is not signed with the algorithm of its {by}", detail=f"{name.lower()}_algorithm"
        )
    detail = name.lower() if by in ("PEK", name) else f"{name.lower()}_by_{by.lower()}"
    verify_sev_ecdsa(
        key, issuer.algorithm, signature.data, certificate.frame.signed, f"{name} certificate by the {by}",
        detail,
    )  # fmt: skip


def _ec_key(certificate: SevCertificate) -> SevEcKey:
    try:
        return sev_ec_key(certificate.x, certificate.y)
    except ValueError:
        name = certificate.usage.name
        raise ChainError(f"the key of the {name} is not on its curve", detail=f"{name.lower()}_key") from None


def _rsa_key(certificate: SevCaCertificate, what: str, detail: str) -> SevRsaKey:
    try:
        return sev_rsa_key(certificate.public_exponent, certificate.modulus, certificate.key_bits)
    except ValueError as error:
        raise ChainError(f"the key of the {what} is unusable: {error}", detail=f"{detail}_key") from None
