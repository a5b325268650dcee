"""SEV evidence as it is handed over, verified: what came with a report, what was given, what is pinned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from eaa.endorsements.sev_ca import SevCaCertificate, parse_sev_ca
from eaa.endorsements.sev_endorsements import SevEndorsements
from eaa.endorsements.sev_roots import AMD_SEV_ARKS, AMD_SEV_ASKS
from eaa.errors import BindingError, UsageError
from eaa.evidence.sev_evidence import SevEvidence, parse_sev_evidence
from eaa.verify.psp_chain import require_part
from eaa.verify.result import Binding
from eaa.verify.sev import MNONCE_BYTES, SevMemo, verify_sev_report
from eaa.verify.sev_chain import ask_of_cek
from eaa.verify.sev_result import VerifiedSevEvidence

__all__ = ["sev_endorsements", "sev_mnonce", "verify_sev_evidence"]

_REPORT_DATA_BYTES = 64


def verify_sev_evidence(
    data: bytes,
    *,
    endorsements: SevEndorsements,
    trust_anchors: Sequence[SevCaCertificate],
    binding: Binding,
    now: datetime,
    memo: SevMemo,
) -> VerifiedSevEvidence:
    """The evidence in ``data``, in any shape that :func:`parse_sev_evidence` reads.

    A report has no report data: ``binding.report_data`` must be the nonce with 48 zero bytes after it.

    Raises:
        UsageError: report data of another length, or a ``config_id``.
        FormatError, EndorsementNotFound, VerificationError: as :func:`eaa.verify.sev.verify_sev_report`.
    """
    evidence = parse_sev_evidence(data)
    found = sev_endorsements(evidence, endorsements, trust_anchors)
    # Without these, which ARK is missing too cannot be said.
    require_part(found.cek, "CEK")
    require_part(found.ask, "ASK")
    return verify_sev_report(
        evidence.report,
        endorsements=found,
        trust_anchors=trust_anchors,
        mnonce=sev_mnonce(binding),
        now=now,
        memo=memo,
    )


def sev_mnonce(binding: Binding) -> bytes | None:
    """The nonce that ``binding`` expects, 16 bytes.

    Raises:
        UsageError: report data of another length than 64 bytes, or a ``config_id``.
        BindingError: more than a nonce, which no SEV report carries.
    """
    if binding.config_id is not None:
        raise UsageError("an SEV report has no field for configuration", detail="config_id_unsupported")
    expected = binding.report_data
    if expected is None:
        return None
    if len(expected) != _REPORT_DATA_BYTES:
        raise UsageError(
            f"report data has {_REPORT_DATA_BYTES} bytes, came {len(expected)}", detail="report_data_length"
        )
    if any(expected[MNONCE_BYTES:]):
        raise BindingError(
            f"an SEV report carries a nonce of {MNONCE_BYTES} bytes, and no more of the expected report data",
            detail="report_data",
        )
    return expected[:MNONCE_BYTES]


def sev_endorsements(
    evidence: SevEvidence, given: SevEndorsements, anchors: Iterable[SevCaCertificate]
) -> SevEndorsements:
    """For ``evidence``: given ones, and what came with it. AMD's own certificates need not be given.

    Raises:
        FormatError: a certificate is malformed.
    """
    found = given.or_else(SevEndorsements.of_evidence(evidence))
    if found.ask is None and found.cek is not None:
        ask = AMD_SEV_ASKS.get(evidence.product) if evidence.product else None
        ask = ask or ask_of_cek(found.cek, AMD_SEV_ASKS.values())
        found = found if ask is None else found.or_else(SevEndorsements(ask=ask.raw))
    if found.ark is None and found.ask is not None:
        issuer = parse_sev_ca(found.ask).certifying_id
        known = (*anchors, *AMD_SEV_ARKS.values())
        ark = next((item for item in known if item.key_id == issuer), None)
        found = found if ark is None else found.or_else(SevEndorsements(ark=ark.raw))
    return found
