"""Hygon CSV verification: every step that must hold, in the order in which it is established.

 1. The HRK is byte for byte a trust anchor, is an HRK and certifies itself.
 2. The HSK is an HSK, names the HRK as its issuer, and is signed by it.
 3. The CEK certificate is of a CEK, names the HSK if it names an issuer, and is signed by it.
 4. The PEK certificate in the report is of a PEK, and is signed by the CEK.
 5. The PEK signed the received, masked bytes of the report: 0 to 0xB3, or 0 to 0x3FF in version 2.
 6. The HMAC over PEK and serial number is right under the report's nonce, unless the report is restored.
 7. Report data and nonce are the expected ones without their mask, over all bytes.

All keys are on SM2's curve, all signatures SM2 over SM3 under the signer's user id. 1–2 are remembered by the
bytes of HSK and HRK, and the anchors; 3–4 by the bytes of CEK and PEK on top of that; 5–7 are done at each
call. Four signatures are checked for a report of which nothing is known, three for a new platform under a
known HSK, one for a known platform. Nothing is fetched. Hygon's certificates have no validity period, and
nothing revokes them.

What a CSV report cannot prove is said in the result: :data:`eaa.verify.hygon_csv_result.CSV_LIMITS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from eaa.endorsements.hygon_certificate import HygonCaCertificate
from eaa.endorsements.hygon_endorsements import CsvEndorsements
from eaa.endorsements.hygon_roots import hygon_root_name
from eaa.errors import SignatureError, UsageError
from eaa.evidence.hygon_csv import parse_csv_report
from eaa.verify.hygon_csv_chain import (
    VerifiedCsvAuthorities,
    VerifiedCsvPlatform,
    verify_csv_authorities,
    verify_csv_platform,
)
from eaa.verify.hygon_csv_result import VerifiedCsvEvidence
from eaa.verify.memo import BoundedMemo
from eaa.verify.primitives import require_bound
from eaa.verify.result import Binding, TrustAnchor
from eaa.verify.sm2 import sm3_mac_holds, verify_sm2

__all__ = ["CsvMemo", "verify_csv_report"]

#: A verifier's memo: HSKs by their bytes and anchors, each with the platforms seen under it.
CsvMemo = BoundedMemo[VerifiedCsvAuthorities]


def verify_csv_report(
    data: bytes,
    *,
    restored: bool,
    endorsements: CsvEndorsements,
    trust_anchors: Sequence[HygonCaCertificate],
    binding: Binding,
    mnonce: bytes | None,
    now: datetime,
    memo: CsvMemo,
) -> VerifiedCsvEvidence:
    """The report in ``data``, verified against ``endorsements``.

    Args:
        data: an attestation report, exactly its bytes or its page.
        restored: whether it came in JSON, with the mask of its signer taken off.
        endorsements: of the chip that made the report.
        trust_anchors: the only roots believed, e.g. ``HYGON_HRKS``.
        binding: what the report data, 64 bytes, must be. There is no ``config_id``.
        mnonce: the nonce, 16 bytes; ``None``: not compared. Guests choose it at random themselves.
        now: aware, UTC; only noted in the result.
        memo: what earlier calls verified; a new one verifies everything.

    Raises:
        UsageError: ``now`` is naive, an expected value has the wrong length, or a ``config_id`` is expected.
        FormatError
        EndorsementNotFound: names what is missing.
        VerificationError: a leaf of it names the step that does not hold.
        ConfigError: the extra ``csv`` is not installed.
    """
    if now.tzinfo is None:
        raise UsageError("now must be an aware datetime", detail="naive_datetime")
    if binding.config_id is not None:
        raise UsageError("a CSV report has no field for configuration", detail="config_id_unsupported")
    report = parse_csv_report(data, restored=restored)

    # 1.–4. Endorsements.
    authorities, platform = _verified(endorsements, report.pek_cert, tuple(trust_anchors), memo)

    # 5. Report.
    info = report.tee_info
    verify_sm2(platform.key, info.sig_r + info.sig_s, report.signed, "CSV report", "report")

    # 6. Signer.
    if report.mac_input is not None and not sm3_mac_holds(info.mnonce, report.mac_input, report.signer.mac):
        raise SignatureError("the HMAC of the report's signer does not verify", detail="signer_mac")

    # 7. Bindings.
    if binding.report_data is not None:
        require_bound("report data", "report_data", binding.report_data, info.report_data)
    if mnonce is not None:
        require_bound("nonce", "mnonce", mnonce, info.mnonce)
    hrk = authorities.hrk
    return VerifiedCsvEvidence(
        tee="csv",
        report=report,
        platform=platform,
        trust_anchor=TrustAnchor.of_bytes(hygon_root_name(hrk), hrk.raw),
        verified_at=now,
        endorsements_issued=None,
        endorsements_expire=None,
        bound=binding.names if mnonce is None else (*binding.names, "mnonce"),
    )


def _verified(
    endorsements: CsvEndorsements, pek: bytes, anchors: tuple[HygonCaCertificate, ...], memo: CsvMemo
) -> tuple[VerifiedCsvAuthorities, VerifiedCsvPlatform]:
    # All parts have a bounded size by their format, so that all are worth remembering.
    key = (endorsements.authorities, tuple([anchor.raw for anchor in anchors]))
    authorities = memo.get(key)
    if authorities is None:
        authorities = verify_csv_authorities(endorsements, anchors)
        memo.put(key, authorities)
    platform = authorities.platforms.get((endorsements.cek, pek))
    if platform is None:
        platform = verify_csv_platform(endorsements.cek, pek, authorities)
        authorities.platforms.put((endorsements.cek, pek), platform)
    return authorities, platform
