"""dcap-qvl, a verifier in Rust, asked about the same bytes at the same time as ours [PyPI dcap-qvl 0.7]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import dcap_qvl  # type: ignore[import-untyped]  # it ships no types

from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.x509 import Certificate
from eaa.errors import EAAError
from eaa.evidence.dcap_quote import parse_certification
from eaa.evidence.tdx import TdReport, TdReport15
from eaa.verify.dcap import Memo, verify_quote
from eaa.verify.dcap_result import VerifiedDcapEvidence
from eaa.verify.result import Binding

__all__ = ["POLICIES", "Case", "Ours", "Policy", "Theirs", "ours", "policy_of", "theirs"]


@dataclass(frozen=True, slots=True)
class Case:
    """A question to both verifiers. ``root`` is the only anchor that dcap-qvl takes beside its own."""

    name: str
    quote: bytes
    collateral: IntelCollateral
    now: datetime
    anchors: tuple[Certificate, ...]
    root: bytes | None  # DER; None for Intel's

    def but(self, name: str, **changes: object) -> Case:
        """This case with ``changes``, named after them."""
        return replace(self, name=f"{self.name}: {name}", **changes)  # type: ignore[arg-type]  # fields by name


@dataclass(frozen=True, slots=True)
class Ours:
    """``verdict`` is the TCB status, or the error's code."""

    verdict: str
    evidence: VerifiedDcapEvidence | None

    @property
    def accepted(self) -> bool:
        return self.evidence is not None and self.verdict != "Revoked"

    @property
    def advisory_ids(self) -> tuple[str, ...]:
        return self.evidence.tcb.advisory_ids if self.evidence else ()


@dataclass(frozen=True, slots=True)
class Theirs:
    """``status`` is ``None`` where dcap-qvl refuses, and ``error`` what it says."""

    status: str | None
    advisory_ids: tuple[str, ...] = ()
    error: str = ""


def ours(case: Case, memo: Memo | None = None) -> Ours:
    try:
        evidence = verify_quote(
            case.quote,
            collateral=case.collateral,
            trust_anchors=case.anchors,
            binding=Binding(),
            now=case.now,
            memo=memo or Memo(1),
        )
    except EAAError as error:
        return Ours(error.code, None)
    return Ours(str(evidence.tcb.status), evidence)


def theirs(case: Case) -> Theirs:
    collateral = case.collateral
    tcb_info, qe_identity = collateral.tcb_info, collateral.qe_identity
    assert tcb_info is not None
    assert qe_identity is not None
    seconds = int(case.now.timestamp())
    try:
        given = dcap_qvl.QuoteCollateralV3(
            (collateral.pck_crl_issuer_chain or b"").decode(),
            collateral.root_ca_crl,
            collateral.pck_crl,
            tcb_info.issuer_chain.decode(),
            tcb_info.body.decode(),
            tcb_info.signature,
            qe_identity.issuer_chain.decode(),
            qe_identity.body.decode(),
            qe_identity.signature,
        )
        if case.root is None:
            report = dcap_qvl.verify(case.quote, given, seconds)
        else:
            report = dcap_qvl.verify_with_root_ca(case.quote, given, case.root, seconds)
    except ValueError as error:  # UnicodeDecodeError too: its members are text
        return Theirs(None, error=str(error).removeprefix("Verification failed: "))
    return Theirs(report.status, tuple(sorted(report.advisory_ids)))


@dataclass(frozen=True, slots=True)
class Policy:
    """What dcap-qvl refuses beyond Intel's library: ``words`` are in its error, ``holds`` must be so."""

    words: str
    reason: str
    holds: Callable[[VerifiedDcapEvidence], bool]


def policy_of(evidence: VerifiedDcapEvidence, error: str) -> Policy | None:
    """The policy by which dcap-qvl refuses with ``error``, if what it names is so in ``evidence``."""
    return next((item for item in POLICIES if item.words in error and item.holds(evidence)), None)


def _td(evidence: VerifiedDcapEvidence) -> TdReport | None:
    return evidence.quote.body if isinstance(evidence.quote.body, TdReport) else None


def _td_bits(*bits: int, are_set: bool = True) -> Callable[[VerifiedDcapEvidence], bool]:
    """Whether any of the TD ATTRIBUTES' bits is set, or is not."""

    def holds(evidence: VerifiedDcapEvidence) -> bool:
        td = _td(evidence)
        return td is not None and any(bool(td.td_attributes[n // 8] >> n % 8 & 1) is are_set for n in bits)

    return holds


def _service_td(evidence: VerifiedDcapEvidence) -> bool:
    body = evidence.quote.body
    return isinstance(body, TdReport15) and any(body.mr_service_td)


def _newer_sgx_quote(evidence: VerifiedDcapEvidence) -> bool:
    return evidence.tee == "sgx" and evidence.quote.header.version > 3


def _other_authentication_data(evidence: VerifiedDcapEvidence) -> bool:
    return len(parse_certification(evidence.quote).authentication_data) != 32


def _last_second(evidence: VerifiedDcapEvidence) -> bool:
    return evidence.verified_at == evidence.endorsements_expire


POLICIES = (
    Policy("Debug mode is enabled", "a claim here", lambda evidence: evidence.quote.body.debug),
    Policy("TD profiling is enabled", "a claim here", _td_bits(4, 5, 6)),
    Policy(
        "Reserved bits in TD attributes are set",
        "a claim here: Intel's library does not look at them [DCAP-QVL §4.1.2.4]",
        _td_bits(*(n for n in range(64) if n not in (0, 27, 28, 29, 30, 31, 63))),
    ),
    Policy("TD migration is enabled", "a claim here", _td_bits(29)),
    Policy("SERVTD_EXT is enabled", "a claim here", _td_bits(*range(24, 64))),
    Policy("SEPT_VE_DISABLE is not enabled", "a claim here", _td_bits(28, are_set=False)),
    Policy("Invalid MR service TD", "a claim here", _service_td),
    Policy(
        "Failed to decode TcbInfo",
        "version 2 is of SGX, and Intel's library takes it [DCAP-QVL §4.1.2.2]",
        lambda evidence: evidence.tee == "sgx",
    ),
    Policy(
        "SGX TEE quote must have version 3",
        "versions 4 and 5 carry SGX bodies too [TDX-QUOTE A.3.1]",
        _newer_sgx_quote,
    ),
    Policy(
        "Invalid QE auth data length",
        "the format has a length, and the QE report is bound to all of it [DCAP-QUOTE A.4]",
        _other_authentication_data,
    ),
    Policy(
        "CrlExpired",
        "a revocation list holds up to and with its next update [DCAP-QVL, PckParser.cpp, Validity::isValid]",
        _last_second,
    ),
)
