"""Endorsements for many platforms, from which those of one are selected.

Selection is by unverified content, and decides nothing: what is selected is verified afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar

from eaa.endorsements.collateral import IntelCollateral, SignedDocument
from eaa.endorsements.issuers import ordered_chain
from eaa.endorsements.pck import parse_pck_extension
from eaa.endorsements.x509 import Certificate, parse_certificate_chain
from eaa.errors import FormatError
from eaa.evidence.dcap_quote import CertificationType, DcapQuote, parse_certification

__all__ = [
    "CrlRole",
    "EndorsementPool",
    "PooledCrl",
    "PooledIdentity",
    "PooledTcbInfo",
    "collateral_for",
    "merge",
]

T = TypeVar("T")

#: The identity of the quoting enclave of each TEE.
_QE_IDS = {"sgx": "QE", "tdx": "TD_QE"}
_TCB_SIGNING = "SGX TCB Signing"


class CrlRole(Enum):
    """What a revocation list was given as; where nothing says so, what its issuer's name says."""

    ROOT = "root"
    PCK = "pck"
    ARK = "ark"  # AMD's


@dataclass(frozen=True, slots=True)
class PooledTcbInfo:
    """A TCB info and what it says of itself. An empty issuer chain in ``document`` came without one."""

    tee: str  # "sgx" or "tdx"
    fmspc: bytes  # 6
    tcb_evaluation_data_number: int
    issue_date: datetime
    document: SignedDocument


@dataclass(frozen=True, slots=True)
class PooledIdentity:
    """An enclave identity and what it says of itself."""

    id: str  # "QE", "TD_QE" or "QVE"
    tcb_evaluation_data_number: int
    issue_date: datetime
    document: SignedDocument


@dataclass(frozen=True, slots=True)
class PooledCrl:
    """A revocation list. ``issuer_chain`` is empty if it came without one."""

    role: CrlRole
    issuer: bytes  # Name in DER
    this_update: datetime
    der: bytes
    issuer_chain: bytes = b""


@dataclass(frozen=True, slots=True)
class EndorsementPool:
    """Received endorsements, none of them verified.

    ``certificates`` are those that came apart from a document, grouped by the file that held them.
    ``ignored`` are the names of files that hold no endorsement known here.
    """

    tcb_infos: tuple[PooledTcbInfo, ...] = ()
    identities: tuple[PooledIdentity, ...] = ()
    crls: tuple[PooledCrl, ...] = ()
    certificates: tuple[tuple[Certificate, ...], ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is no endorsement at all."""
        return not (self.tcb_infos or self.identities or self.crls or self.certificates)

    def select(self, tee: str, fmspc: bytes, pck_ca: bytes) -> IntelCollateral:
        """What there is for one platform; missing parts are ``None``.

        Among several documents for the platform, the highest evaluation data number counts, then the
        latest issue date. A part that fits another platform only is selected if it is the only one of its
        kind, so that verification refuses it for what it is instead of calling it missing.

        Args:
            tee: ``"sgx"`` or ``"tdx"``.
            fmspc: 6 bytes, of the PCK certificate.
            pck_ca: the Name, in DER, of the PCK certificate's issuer.
        """
        infos = [item for item in self.tcb_infos if item.tee == tee] or self.tcb_infos
        info = _best(infos, lambda item: (item.tee, item.fmspc) == (tee, fmspc), _newest)
        identities = [item for item in self.identities if item.id != "QVE"]
        identity = _best(identities, lambda item: item.id == _QE_IDS.get(tee), _newest)
        tcb_info = self.document(info) if info else None
        root_crl = self._crl(CrlRole.ROOT, _root_name(tcb_info))
        pck_crl = self._crl(CrlRole.PCK, pck_ca)
        return IntelCollateral(
            tcb_info=tcb_info,
            qe_identity=self.document(identity) if identity else None,
            root_ca_crl=root_crl.der if root_crl else None,
            pck_crl=pck_crl.der if pck_crl else None,
            pck_crl_issuer_chain=self.crl_chain(pck_crl) if pck_crl else None,
        )

    def _crl(self, role: CrlRole, issuer: bytes) -> PooledCrl | None:
        lists = [crl for crl in self.crls if crl.role is role]
        return _best(lists, lambda crl: crl.issuer == issuer, lambda crl: crl.this_update)

    def document(self, item: PooledTcbInfo | PooledIdentity) -> SignedDocument:
        """The document of ``item``, one of this pool's, with the issuer chain that came or that fits."""
        if item.document.issuer_chain:
            return item.document
        chain = ordered_chain(
            self.certificates, lambda leaf: _TCB_SIGNING in leaf.common_name, item.issue_date
        )
        return SignedDocument(item.document.body, item.document.signature, chain)

    def crl_chain(self, crl: PooledCrl) -> bytes | None:
        """The issuer chain that ``crl``, one of this pool's, came with or that fits; ``None`` without one."""
        if crl.issuer_chain:
            return crl.issuer_chain
        chain = ordered_chain(
            self.certificates,
            lambda leaf: leaf.subject == crl.issuer,
            crl.this_update,
        )
        return chain or None


def collateral_for(quote: DcapQuote, pool: EndorsementPool) -> IntelCollateral:
    """What ``pool`` has for the platform that made ``quote``.

    A quote whose PCK certificate is absent or malformed gets what fits its TEE: it is verification that
    refuses such a quote and says why.
    """
    try:
        certification = parse_certification(quote).data
        if certification.type is not CertificationType.PCK_CHAIN:
            return pool.select(quote.tee, b"", b"")
        leaf = parse_certificate_chain(certification.data, what="PCK certificate chain")[0]
        fmspc = parse_pck_extension(leaf).fmspc
    except FormatError:
        return pool.select(quote.tee, b"", b"")
    return pool.select(quote.tee, fmspc, leaf.issuer)


def merge(pools: Iterable[EndorsementPool]) -> EndorsementPool:
    """All of ``pools`` as one, in order."""
    pools = tuple(pools)
    parts: dict[str, Any] = {
        item.name: tuple(part for pool in pools for part in getattr(pool, item.name))
        for item in fields(EndorsementPool)
    }
    return EndorsementPool(**parts)


def _best(items: Sequence[T], fits: Callable[[T], bool], rank: Callable[[T], Any]) -> T | None:
    fitting = [item for item in items if fits(item)]
    if fitting:
        return max(fitting, key=rank)
    return items[0] if len(set(items)) == 1 else None


def _newest(item: PooledTcbInfo | PooledIdentity) -> tuple[int, datetime]:
    return item.tcb_evaluation_data_number, item.issue_date


def _root_name(document: SignedDocument | None) -> bytes:
    """The name of the root that ``document``'s chain leads to, if the chain can be read."""
    try:
        chain = parse_certificate_chain(document.issuer_chain, what="issuer chain") if document else ()
    except FormatError:
        return b""
    return chain[-1].issuer if chain else b""
