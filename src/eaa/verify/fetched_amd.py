"""AMD's fetched endorsements, one by one: steps 1 to 3 of :mod:`eaa.verify.fetched`."""

from __future__ import annotations

from collections.abc import Sequence

from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.endorsements.crl import parse_crl
from eaa.endorsements.fetched import Fetched
from eaa.endorsements.pinned import PINNED
from eaa.endorsements.subject import AmdChainSubject, AmdCrlSubject, VekSubject
from eaa.endorsements.x509 import Certificate, parse_certificate_chain
from eaa.errors import ChainError, EndorsementError, EndorsementNotFound
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_tcb import SnpProduct
from eaa.verify.fetched_lists import Lists
from eaa.verify.fetched_result import Genuine
from eaa.verify.path import certificate_window, crl_window, refuse_revoked
from eaa.verify.snp_chain import VerifiedAmdChain, verify_amd_chain, verify_vek
from eaa.verify.snp_path import amd_name, require_amd_crl
from eaa.verify.snp_signatures import kept_rsa_key
from eaa.verify.windows import Windows

__all__ = ["verify_chain", "verify_crl", "verify_vek_certificate"]

Anchors = Sequence[Certificate]
_CHAIN = "AMD certificate chain"
#: What the window of the revocation list is called.
_CRL = "crl"


def verify_chain(subject: AmdChainSubject, fetched: Fetched, anchors: Anchors, lists: Lists) -> Genuine:
    """ASK or ASVK, and ARK. Windows are not asked here."""
    chain = _chain(fetched, anchors, lists)
    _require_issuer(chain, subject.product, subject.kind)
    return Genuine(subject, 0, chain.ask.not_before, _without_list(chain.windows))


def verify_vek_certificate(subject: VekSubject, fetched: Fetched, anchors: Anchors, lists: Lists) -> Genuine:
    """A VCEK's or VLEK's certificate, by its chain. Windows are not asked here."""
    chain = _chain(fetched, anchors, lists)
    _require_issuer(chain, subject.product, subject.kind)
    vek = verify_vek(fetched.body, chain)
    if vek.extensions.hwid != subject.hwid:
        raise EndorsementError(
            f"the {subject.kind.name} certificate is of another chip than asked for", detail="vek_hwid"
        )
    if vek.extensions.tcb != subject.tcb:
        raise EndorsementError(
            f"the {subject.kind.name} certificate is for the TCB {vek.extensions.tcb}, asked for was "
            f"{subject.tcb}",
            detail="vek_tcb",
        )
    return Genuine(subject, 0, vek.certificate.not_before, _without_list(vek.windows))


def verify_crl(subject: AmdCrlSubject, fetched: Fetched, anchors: Anchors) -> Genuine:
    """The revocation list of an ARK that is an anchor. Windows are not asked here."""
    crl = parse_crl(fetched.body, what="AMD revocation list")
    ark = next((anchor for anchor in anchors if anchor.subject == crl.issuer), None)
    if ark is None:
        raise ChainError("the revocation list is not issued by a trust anchor", detail="crl_issuer")
    if amd_name(ark) != f"ARK-{subject.product}":
        raise EndorsementError(
            f"the revocation list is of {amd_name(ark)}, asked for was that of ARK-{subject.product}",
            detail="crl_subject",
        )
    require_amd_crl(crl, ark, kept_rsa_key(ark.spki))
    refuse_revoked(ark, crl, "ARK", "ark")
    windows = (certificate_window(ark, "ARK", "ark"), crl_window(crl, "revocation list", _CRL))
    return Genuine(subject, crl.number or 0, crl.this_update, Windows.of(windows))


def _chain(fetched: Fetched, anchors: Anchors, lists: Lists) -> VerifiedAmdChain:
    if not fetched.issuer_chain:
        raise EndorsementNotFound(f"the {_CHAIN} is missing", detail="issuer_chain")
    chain = parse_certificate_chain(fetched.issuer_chain, what=_CHAIN, known=PINNED.and_of(anchors))
    if len(chain) != 2:
        raise ChainError(
            f"the {_CHAIN} has {len(chain)} certificates, expected an ASK or ASVK and its ARK",
            detail="length",
        )
    ask, ark = chain
    crl = lists.latest(ark.subject, "AMD revocation list", _CRL)
    return verify_amd_chain(SnpEndorsements(None, ask.der, ark.der, crl.der if crl else None), anchors)


def _without_list(windows: Windows) -> Windows:
    """``windows`` without the revocation list's, which has been asked and can be had anew by itself."""
    return Windows.of(item for item in windows.items if item.detail != _CRL)


def _require_issuer(chain: VerifiedAmdChain, product: SnpProduct, kind: SigningKey) -> None:
    if (chain.product, chain.kind) != (product, kind):
        raise EndorsementError(
            f"the chain is of {chain.product} and {chain.kind.name}s, asked for was {product} and "
            f"{kind.name}s",
            detail="chain_subject",
        )
