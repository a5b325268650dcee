"""Intel's appraisal policies, which are kept for verifiers and not read further than their kind
[PCCS].
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from eaa.codec.base64url import decode_base64url
from eaa.codec.strict_json import parse_json
from eaa.errors import FormatError
from eaa.services.pccs.call import require_hexadecimal

__all__ = ["AppraisalPolicy", "parse_appraisal_policy"]

_WHAT = "appraisal policy"
#: By class id: SGX, TDX 1.0, TDX 1.5. The TD QE's comes beside one of them.
_KINDS = {
    "3123ec35-8d38-4ea5-87a5-d6c48b567570": 0,
    "9eec018b-7481-4b1c-8e1a-9f7c0c8c777f": 1,
    "f708b97f-0fb2-4e6b-8b03-8a5bcd1221d3": 2,
}
_TD_QE = "3769258c-75e6-4bc7-8d72-d2b0e224cad2"


@dataclass(frozen=True, slots=True)
class AppraisalPolicy:
    """``text`` is a JWT, whose signature is for the verifier to check; ``identifier`` is its SHA-384 in
    hex.
    """

    identifier: str
    fmspc: str
    kind: int
    is_default: bool
    text: str


def parse_appraisal_policy(value: Any) -> AppraisalPolicy:
    """The body of PUT ``appraisalpolicy``.

    Raises:
        FormatError: a member is missing or not of its form, or the policy is of no known class.
    """
    if not isinstance(value, dict) or not isinstance(value.get("is_default"), bool):
        raise _error("is_default", "expected an object with is_default, fmspc and policy")
    text = value.get("policy")
    if not isinstance(text, str) or not text.isascii():
        raise _error("policy", "expected a JWT")
    fmspc = require_hexadecimal(value.get("fmspc"), "fmspc", 12)
    identifier = hashlib.sha384(text.encode()).hexdigest()
    return AppraisalPolicy(identifier, fmspc, _kind(text), value["is_default"], text)


def _kind(text: str) -> int:
    parts = text.split(".")
    if len(parts) < 2:
        raise _error("policy", "expected a JWT")
    payload = parse_json(decode_base64url(parts[1], _WHAT, "policy"), _WHAT)
    inner = payload.get("policy_payload") if isinstance(payload, dict) else None
    content = parse_json(inner, _WHAT) if isinstance(inner, str) else None
    policies = content.get("policy_array") if isinstance(content, dict) else None
    if not isinstance(policies, list):
        raise _error("policy_payload", "expected JSON with policy_array")
    for item in policies:
        environment = item.get("environment") if isinstance(item, dict) else None
        identifier = environment.get("class_id") if isinstance(environment, dict) else None
        known = identifier.lower() if isinstance(identifier, str) else ""
        if known in _KINDS:
            return _KINDS[known]
        if known != _TD_QE:
            raise _error("class_id", f"unknown class {identifier!a:.60}")
    raise _error("policy_array", "expected a policy of SGX or TDX")


def _error(field: str, message: str) -> FormatError:
    return FormatError(message, what=_WHAT, field=field, spec="[PCCS]", detail="parameter")
