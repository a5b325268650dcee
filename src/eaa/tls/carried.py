"""What a certificate carries, whatever the family that says how."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from eaa.errors import FormatError, UnsupportedError
from eaa.tls.claims import Claims
from eaa.tls.peer import AttachedEvidence, Endorsements, EvidenceKind

__all__ = ["MAX_EVIDENCE_BYTES", "Carried", "attach", "attach_quote", "intel_quote_kind"]

#: Quotes have about 5 KiB, Hygon's reports 7 KiB.
MAX_EVIDENCE_BYTES = 32 * 1024
_WHAT = "evidence in a certificate"
_SGX, _TDX = 0x00, 0x81
_EPID_KEYS, _ECDSA_KEYS = (0, 1), (2, 3)


@dataclass(frozen=True, slots=True)
class Carried:
    """Evidence, and the 64 bytes of report data that it must have by the rule of its family."""

    attached: AttachedEvidence
    report_data: bytes
    claims: Claims | None = None


def attach(kind: EvidenceKind, evidence: bytes, collateral: Endorsements | None = None) -> AttachedEvidence:
    """``evidence`` of a known kind.

    Raises:
        FormatError: none, or more than 32 KiB.
    """
    if not 0 < len(evidence) <= MAX_EVIDENCE_BYTES:
        message = f"{len(evidence)} bytes are none or exceed {MAX_EVIDENCE_BYTES}"
        raise FormatError(message, what=_WHAT, field="length", detail="too_large" if evidence else "missing")
    return AttachedEvidence(kind, evidence, collateral)


def attach_quote(evidence: bytes, *allowed: EvidenceKind) -> AttachedEvidence:
    """``evidence``, a quote whose header says one of the kinds ``allowed``.

    Raises:
        FormatError: another kind, no quote, or a size out of bounds.
        UnsupportedError: EPID.
    """
    kind = intel_quote_kind(evidence)
    if kind not in allowed:
        raise FormatError(
            f"a {kind} has no place in this extension", what=_WHAT, field="header", detail="evidence_kind"
        )
    return attach(kind, evidence)


def intel_quote_kind(evidence: bytes) -> EvidenceKind:
    """Which TEE the header of a quote says it is of: version u16 ‖ key type u16 ‖ TEE type u32.

    Versions 3 to 5 with an ECDSA key [DCAP-QUOTE A.3], [TDX-QUOTE A.3.1]; version 3 has no TEE type.

    Raises:
        FormatError: shorter, or unknown values.
        UnsupportedError: EPID.
    """
    if len(evidence) < 8:
        raise FormatError(
            f"needs 8 bytes, {len(evidence)} came", what=_WHAT, field="header", offset=0, detail="truncated"
        )
    version, key_type, tee_type = struct.unpack_from("<HHI", evidence)
    if version in (1, 2) or (version == 3 and key_type in _EPID_KEYS):
        raise UnsupportedError(
            "the evidence is an EPID quote, which nobody vouches for any more", detail="epid"
        )
    if version == 3 and key_type in _ECDSA_KEYS:
        return EvidenceKind.SGX_QUOTE
    if version in (4, 5) and tee_type in (_SGX, _TDX):
        return EvidenceKind.SGX_QUOTE if tee_type == _SGX else EvidenceKind.TDX_QUOTE
    message = f"no quote has version {version}, key type {key_type} and TEE type {tee_type:#x}"
    raise FormatError(message, what=_WHAT, field="header", offset=0)
