"""AMD's endorsements, verified up to a trust anchor: steps 1 to 5 of :mod:`eaa.verify.snp`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.endorsements.amd_vek import VekExtensions, parse_vek_extensions
from eaa.endorsements.crl import CertificateRevocationList, parse_crl
from eaa.endorsements.pinned import PINNED
from eaa.endorsements.x509 import Certificate, parse_certificate
from eaa.errors import ChainError, EndorsementError, EndorsementNotFound
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_tcb import SnpProduct
from eaa.verify.ecdsa import CRYPTOGRAPHY, EcdsaKey, EcdsaLibrary
from eaa.verify.memo import BoundedMemo
from eaa.verify.path import certificate_window, crl_window, refuse_revoked, require_anchor, require_ca
from eaa.verify.result import TrustAnchor
from eaa.verify.snp_path import amd_name, issuer_role, require_amd_crl, require_amd_issued, require_vek
from eaa.verify.snp_signatures import RsaKey, kept_rsa_key, rsa_key
from eaa.verify.windows import Windows

__all__ = ["VerifiedAmdChain", "VerifiedVek", "verify_amd_chain", "verify_vek"]

K = TypeVar("K")

_CHAIN = "SNP certificate chain"
#: One VCEK for each chip and TCB version; a cluster behind one issuer has some thousands.
_MAX_VEKS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class VerifiedVek:
    """A key that AMD certified, and no list revokes, for one chip or cloud at one TCB version."""

    certificate: Certificate
    key: EcdsaKey
    extensions: VekExtensions
    windows: Windows  # of the whole chain


@dataclass(frozen=True, slots=True, eq=False)
class VerifiedAmdChain:
    """An ASK or ASVK under a trust anchor, with what has been verified on top of it.

    ``crl`` is ``None`` if it was allowed that there is none. The memo lives here, so that it goes when
    the chain that it rests on goes.
    """

    ark: Certificate
    trust_anchor: TrustAnchor  # the ARK's name and digest
    ask: Certificate
    ask_key: RsaKey
    product: SnpProduct
    kind: SigningKey  # that it issues certificates of
    crl: CertificateRevocationList | None
    windows: Windows
    veks: BoundedMemo[VerifiedVek] = field(default_factory=lambda: BoundedMemo(_MAX_VEKS))


def verify_amd_chain(endorsements: SnpEndorsements, anchors: Sequence[Certificate]) -> VerifiedAmdChain:
    """ASK and revocation list of ``endorsements``, verified up to one of ``anchors``.

    Windows are not asked here, nor whether a list is needed.

    Raises:
        EndorsementNotFound: ASK or ARK are missing.
        FormatError, ChainError, SignatureError, RevokedError
    """
    # 1. ARK: byte for byte an anchor, which its signature over itself would add nothing to.
    ark_der = _required(endorsements.ark, "ARK", "ark")
    known = PINNED.and_of(anchors).by_der
    ark = known.get(ark_der) or parse_certificate(ark_der, what="ARK")
    require_anchor(ark, anchors, _CHAIN)
    if ark.issuer != ark.subject:
        raise ChainError("the ARK is not self-issued", detail="ark_issuer")
    require_ca(ark, 1, "ARK", "ark")
    ark_key = _key(ark, kept_rsa_key, "ARK", "ark")

    # 2. ASK or ASVK: issued by the ARK, of the ARK's product.
    ask_der = _required(endorsements.ask, "ASK", "ask")
    ask = known.get(ask_der) or parse_certificate(ask_der, what="ASK")
    require_ca(ask, 0, "ASK", "ask")
    product, kind = issuer_role(ask)
    if amd_name(ark) != f"ARK-{product}":
        raise ChainError(
            f"the ASK {ask.common_name!r} is not of the product of {ark.common_name!r}", detail="ask_product"
        )
    require_amd_issued(ask, ark, ark_key, "ASK", "ask")

    # 3. Revocation list: the ARK's, and lists neither.
    windows = [certificate_window(ark, "ARK", "ark"), certificate_window(ask, "ASK", "ask")]
    crl = None
    if endorsements.crl is not None:
        crl = parse_crl(endorsements.crl, what="AMD revocation list")
        require_amd_crl(crl, ark, ark_key)
        refuse_revoked(ark, crl, "ARK", "ark")
        refuse_revoked(ask, crl, "ASK", "ask")
        windows.append(crl_window(crl, "revocation list", "crl"))
    return VerifiedAmdChain(
        ark,
        TrustAnchor.of_certificate(ark),
        ask,
        _key(ask, kept_rsa_key if ask_der in known else rsa_key, "ASK", "ask"),
        product,
        kind,
        crl,
        Windows.of(windows),
    )


def verify_vek(der: bytes, chain: VerifiedAmdChain, ecdsa: EcdsaLibrary = CRYPTOGRAPHY) -> VerifiedVek:
    """The VCEK or VLEK certificate in ``der``, verified under ``chain``; its key is of ``ecdsa``.

    Windows are not asked here.

    Raises:
        FormatError, UnsupportedError, ChainError, SignatureError, RevokedError, EndorsementError
    """
    # 4. VEK: issued by the ASK, named and made for what that issues.
    vek = parse_certificate(der, what="VEK certificate")
    require_vek(vek, chain.kind)
    require_amd_issued(vek, chain.ask, chain.ask_key, "VEK certificate", "vek")
    key = _key(vek, ecdsa.p384, "VEK certificate", "vek")
    if chain.crl is not None:
        # The ARK's list is the only one there is: an ASK may not sign lists. AMD gives all VEKs serial number
        # zero, so that an entry for it would be for all of them.
        refuse_revoked(vek, chain.crl, "VEK certificate", "vek")
    extensions = parse_vek_extensions(vek)
    if extensions.kind is not chain.kind:
        raise EndorsementError(
            f"the VEK certificate is of a {extensions.kind.name}, its issuer certifies {chain.kind.name}s",
            detail="vek_kind",
        )
    if extensions.product is not chain.product:
        raise EndorsementError(
            f"the VEK certificate is for {extensions.product}, its issuer certifies {chain.product}",
            detail="vek_product",
        )
    window = certificate_window(vek, "VEK certificate", "vek")
    return VerifiedVek(vek, key, extensions, chain.windows.and_of(window))


def _required(part: bytes | None, what: str, detail: str) -> bytes:
    """``part``, or EndorsementNotFound naming it."""
    if part is None:
        raise EndorsementNotFound(f"the {what} is missing from the endorsements", detail=detail)
    return part


def _key(certificate: Certificate, read: Callable[[bytes], K], what: str, detail: str) -> K:
    try:
        return read(certificate.spki)
    except ValueError as error:
        raise ChainError(f"the key of the {what} is {error}", detail=f"{detail}_key") from None
