"""A verified CSV report in the claim names of Trustee [COCO-CLAIMS verifier/csv].

Bytes and signature numbers are lower-case hex of the bytes as they lie, without masks; bits of the policy,
versions and the firmware's build are numbers.
"""

from __future__ import annotations

from typing import Any

from eaa.broker.trustee_event_log import event_log_claims
from eaa.errors import BindingError, UsageError
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_log import EventLog
from eaa.evidence.event_replay import compare_with_rtmrs
from eaa.evidence.hygon_csv import CsvTeeInfo, CsvTeeInfoV2
from eaa.evidence.psp_policy import CsvGuestPolicy
from eaa.verify.hygon_csv_result import VerifiedCsvEvidence

__all__ = ["csv_policy_claims"]

_HEX = ("user_pubkey_digest", "vm_id", "vm_version", "report_data", "mnonce", "measure")
_NUMBERS = ("sig_usage", "sig_algo")
_HEX_V2 = ("reserved0", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "rtmr4", "reserved1")
_BITS = ("nodbg", "noks", "es", "nosend", "domain", "csv", "csv3", "asid_reuse")
_VERSIONS = ("hsk_version", "cek_version", "api_major", "api_minor")


def csv_policy_claims(verified: VerifiedCsvEvidence, event_log: EventLog | None) -> dict[str, Any]:
    """The claims; the event log's only if it replays to the report's registers.

    Raises:
        BindingError: ``binding.event_log``: it does not.
        FormatError: the log has no SM3 digests.
        UsageError: ``usage.event_log``: a report of version 1 has no registers.
    """
    info = verified.report.tee_info
    claims: dict[str, Any] = {
        "version": str(verified.report.version),
        "policy": _policy(verified.report.policy),
        **{name: getattr(info, name).hex() for name in _HEX},
        **{name: getattr(info, name).to_bytes(4, "little").hex() for name in _NUMBERS},
        "serial_number": verified.report.serial_number,
        # Which chip it is, which no policy of Trustee's can see: the serial number is not signed.
        "cek_sha256": verified.cek_sha256.hex(),
    }
    if isinstance(info, CsvTeeInfo):
        if event_log is not None:
            raise UsageError("a CSV report of version 1 vouches for no event log", detail="event_log")
        return claims | {"anonce": info.anonce.to_bytes(4, "little").hex()}
    claims |= {"build": info.fw_build, "rtmr_version": info.rtmr_version}
    claims |= {name: getattr(info, name).hex() for name in _HEX_V2}
    if event_log is not None:
        _require_replay(event_log, info)
        claims["uefi_event_logs"] = event_log_claims(event_log)
    return claims


def _policy(policy: CsvGuestPolicy) -> dict[str, int]:
    return {name: int(getattr(policy, name)) for name in (*_BITS, *_VERSIONS)}


def _require_replay(log: EventLog, info: CsvTeeInfoV2) -> None:
    registers = (info.rtmr1, info.rtmr2, info.rtmr3, info.rtmr4)
    for item in compare_with_rtmrs(log, registers, algorithm=HashAlgorithm.SM3_256, first=1):
        if not item.matches:
            raise BindingError(
                f"the event log does not replay to RTMR{item.rtmr} of the report", detail="event_log"
            )
