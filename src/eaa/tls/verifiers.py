"""Verifiers of a peer's evidence, by the names of the originals."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from eaa.appraisal.policy import Policy
from eaa.appraisal.result import AttestationResult
from eaa.endorsements.hygon_certificate import HygonCaCertificate
from eaa.endorsements.pool import EndorsementPool
from eaa.endorsements.roots import SIMULATED_NAME_PREFIX
from eaa.endorsements.x509 import Certificate
from eaa.errors import UnsupportedError, UsageError
from eaa.tls.csv_verifier import CsvVerifier
from eaa.tls.dcap_verifier import DcapVerifier
from eaa.tls.evidence_verifier import EvidenceVerifier, GenuineVerifier
from eaa.tls.instances import NULL_VERIFIER, SIMULATED, VERIFIERS, Instance, find_instance
from eaa.tls.peer import AttachedEvidence, EvidenceKind
from eaa.tls.snp_verifier import SnpVerifier
from eaa.verify.dcap import Memo
from eaa.verify.hygon_csv import CsvMemo
from eaa.verify.snp import SnpMemo

__all__ = ["EvidenceVerifier", "NullVerifier", "make_verifier"]

_QVE_NOTE = (
    "sgx_ecdsa_qve: there is no quote verification enclave here; quotes are verified in this process by the "
    "same rules, as the original does outside an enclave"
)
#: HSK and HRK.
_CSV_AUTHORITIES = 16
#: ASK, ARK and list of each product and key kind, old and new ones.
_SNP_CHAINS = 64


@dataclass(frozen=True, slots=True)
class NullVerifier:
    """Takes anything, or nothing, and proves nothing."""

    name: ClassVar[str] = NULL_VERIFIER
    notes: ClassVar[tuple[str, ...]] = ()
    #: For each connection.
    warning: ClassVar[str] = "nullverifier: nothing was proven about the peer of this connection"

    def verify(
        self, evidence: AttachedEvidence, *, report_data: bytes, now: datetime
    ) -> AttestationResult | None:
        """``None``, whatever came."""
        return None


def make_verifier(
    name: str,
    *,
    policy: Policy,
    pool: EndorsementPool | None,
    trust_anchors: Sequence[Certificate],
    memo: Memo,
    allow_null: bool,
    snp_memo: SnpMemo | None = None,
    hygon_anchors: Sequence[HygonCaCertificate] = (),
    allow_missing_crl: bool = False,
) -> EvidenceVerifier | NullVerifier:
    """The verifier by ``name``; empty is automatic: by kind of evidence, and never null.

    Args:
        name: as in ``VERIFIERS``, or an alias.
        policy: what is acceptable beyond genuine.
        pool: own endorsements, preferred to what peers attach.
        trust_anchors: the only roots believed, of all vendors. For ``simulated`` those of simulated ones.
        memo: what earlier calls verified of quotes.
        allow_null: whether ``nullverifier`` may be named.
        hygon_anchors: the only roots of Hygon believed, e.g. ``HYGON_HRKS``; none by default.
        snp_memo: as ``memo``, of SNP reports; a new one by default.
        allow_missing_crl: verify SNP reports where there is no revocation list.

    Raises:
        UsageError: no such instance; null without ``allow_null``; anchors that cannot be meant.
        UnsupportedError: ``unsupported.verifier``: known, and not implemented, with the reason.
    """
    found = find_instance(VERIFIERS, "verifier", name) if name else _AUTOMATIC
    if found.name == NULL_VERIFIER:
        return _null(allow_null)
    if found.unsupported:
        raise UnsupportedError(f"verifier {found.name}: {found.unsupported}", detail="verifier")
    anchors = tuple(trust_anchors)
    if not anchors:
        raise UsageError("without a trust anchor nothing is ever believed", detail="trust_anchors")
    notes: tuple[str, ...] = (_QVE_NOTE,) if found.name == "sgx_ecdsa_qve" else ()
    warning = ""
    if found.name == SIMULATED:
        notes = (_simulated_note(anchors),)
        warning = notes[0]
    dcap = DcapVerifier(pool, anchors, memo)
    snp = SnpVerifier(
        pool, anchors, SnpMemo(_SNP_CHAINS) if snp_memo is None else snp_memo, allow_missing_crl
    )
    vendors: dict[EvidenceKind, GenuineVerifier] = {
        EvidenceKind.SGX_QUOTE: dcap,
        EvidenceKind.TDX_QUOTE: dcap,
        EvidenceKind.SNP_REPORT: snp,
        EvidenceKind.CSV_REPORT: CsvVerifier(tuple(hygon_anchors), CsvMemo(_CSV_AUTHORITIES)),
    }
    return EvidenceVerifier(name, {kind: vendors[kind] for kind in found.kinds}, policy, notes, warning)


#: All kinds that some instance takes which may be selected automatically.
_AUTOMATIC = Instance(
    "", 0, tuple(kind for item in VERIFIERS if item.automatic and not item.unsupported for kind in item.kinds)
)


def _null(allowed: bool) -> NullVerifier:
    if not allowed:
        raise UsageError(
            "nullverifier proves nothing about the peer; it takes --unsafe-null", detail="null_not_allowed"
        )
    return NullVerifier()


def _simulated_note(anchors: tuple[Certificate, ...]) -> str:
    if not all(anchor.common_name.startswith(SIMULATED_NAME_PREFIX) for anchor in anchors):
        raise UsageError(
            "verifier simulated takes the roots of simulated vendors alone as trust anchors",
            detail="trust_anchors",
        )
    roots = " and ".join(
        f"{anchor.common_name!r}, SHA-256 {hashlib.sha256(anchor.der).hexdigest()}" for anchor in anchors
    )
    believed = "root believed is" if len(anchors) == 1 else "roots believed are"
    return f"simulated: the only {believed} {roots}; no hardware stands behind it"
