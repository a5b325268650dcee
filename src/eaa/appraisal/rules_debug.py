"""The rule about debug, which all TEEs share."""

from __future__ import annotations

from eaa.appraisal.finding import Finding, finding
from eaa.appraisal.result import Verdict

__all__ = ["debug_finding"]

_OPAQUE, _VISIBLE = 2, 96  # runtime-opaque [AR4SI §2.3.4]
_SUBJECT = {"sgx": "the enclave", "tdx": "the TD", **dict.fromkeys(("snp", "sev", "csv"), "the guest")}


def debug_finding(tee: str, names: str, *, debug: bool, allow_debug: bool) -> Finding:
    """Allowed or not, memory that the host can read is contraindicated in the trust vector."""
    expected = "any" if allow_debug else "false"
    if not debug:
        return finding(
            "debug", "debug", expected, "false", "pass", "debug is off", ("runtime_opaque", _OPAQUE)
        )
    message = f"{_SUBJECT[tee]} is under debug, the host can look into it: {names}"
    verdict: Verdict = "note" if allow_debug else "fail"
    return finding("debug", "debug", expected, "true", verdict, message, ("runtime_opaque", _VISIBLE))
