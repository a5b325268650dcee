"""How far verification has come, as types: what later steps rest on and memos remember.

Each value is constructed only after every check on it has held. The memos live inside the values
they rest on, so that they go when those go.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime

from eaa.endorsements.crl import CertificateRevocationList
from eaa.endorsements.enclave_identity import EnclaveIdentity
from eaa.endorsements.pck import PckExtension
from eaa.endorsements.tcb_info import TcbInfo
from eaa.endorsements.x509 import Certificate
from eaa.evidence.sgx import EnclaveReport
from eaa.verify.ecdsa import EcdsaKey, EcdsaLibrary
from eaa.verify.memo import BoundedMemo
from eaa.verify.result import TrustAnchor
from eaa.verify.tcb import ComponentTcb, TcbEvaluation
from eaa.verify.windows import Windows

__all__ = ["VerifiedCollateral", "VerifiedPckCa", "VerifiedPlatform"]

#: Distinct sets of SVNs under one collateral: an update of a module or of microcode gives a new one.
_MAX_EVALUATIONS = 1024
#: Intel has one Processor and one Platform CA, each issued once or twice.
_MAX_PCK_CAS = 16
#: One quoting enclave on one platform; a cluster behind one collateral has some thousands.
_MAX_PLATFORMS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class VerifiedPckCa:
    """A PCK CA under the collateral's root, with its own revocation list."""

    certificate: Certificate
    key: EcdsaKey
    crl: CertificateRevocationList
    windows: Windows


@dataclass(frozen=True, slots=True, eq=False)
class VerifiedPlatform:
    """An attestation key that a genuine, unrevoked platform's quoting enclave holds.

    ``certification`` are the bytes that showed it, with which a later quote's are compared.
    """

    certification: bytes
    attestation_key: EcdsaKey
    pck: PckExtension
    qe_report: EnclaveReport
    qe_tcb: ComponentTcb
    svns: Hashable  # of the platform and its QE: what its TCB depends on, under one collateral
    windows: Windows


@dataclass(frozen=True, slots=True, eq=False)
class VerifiedCollateral:
    """TCB info and QE identity that Intel signed, with what has been verified on top of them.

    The memos live here, so that they go when the collateral they rest on goes.
    """

    root: Certificate
    trust_anchor: TrustAnchor  # the root's name and digest
    root_key: EcdsaKey
    root_ca_crl: CertificateRevocationList
    tcb_info: TcbInfo
    qe_identity: EnclaveIdentity
    windows: Windows
    issued: datetime  # the later of the issue dates of TCB info and QE identity
    ecdsa: EcdsaLibrary  # of every key here and on top of it
    pck_cas: BoundedMemo[VerifiedPckCa] = field(default_factory=lambda: BoundedMemo(_MAX_PCK_CAS))
    platforms: BoundedMemo[VerifiedPlatform] = field(default_factory=lambda: BoundedMemo(_MAX_PLATFORMS))
    evaluations: BoundedMemo[TcbEvaluation] = field(default_factory=lambda: BoundedMemo(_MAX_EVALUATIONS))
