"""The request for the workload's evidence, and the answer: one line of JSON each.

::

    → {"type": "GETENCLAVEINFO", "nonce": "<64 hexadecimal digits>", "id"?: "<up to 64 characters>"}
    ← {"id", "msgtype": "ENCLAVEINFO", "version": 2,
       "evidence": {"kind", "evidence": base64,
                    "collateral"?: {as dcap-qvl has it} | {"vek", "ask", "ark", "crl": base64}},
       "claims": base64, "mrenclave", "mrsigner", "unverified": ["mrenclave", "mrsigner"]}
    ← {"id", "msgtype": "ERROR", "version": 2, "error": {"code", "message"}}

The evidence is the workload's own, bound to ``claims``, which are of its key and the nonce: whoever asked
verifies both. ``mrenclave`` and ``mrsigner`` are what a quote of SGX says of itself, for people to read; an
SNP report has ``measurement`` in their place, and parts of its collateral that are missing are left out. The
original's request without a nonce, answered by measurements that nobody can verify, is refused.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import asdict, dataclass
from typing import Any

from eaa.codec.strict_json import parse_json
from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.errors import EAAError, FormatError, UsageError
from eaa.evidence.dcap_quote import parse_quote
from eaa.evidence.sgx import EnclaveReport
from eaa.evidence.snp import parse_snp_report
from eaa.tls.claims import NONCE_BYTES
from eaa.tls.gate_events import Answered
from eaa.tls.peer import AttachedEvidence, Endorsements, EvidenceKind

__all__ = [
    "MAX_REQUEST_BYTES",
    "InfoRequest",
    "encode_answer",
    "encode_error",
    "parse_request",
    "require_nonce",
]

MAX_REQUEST_BYTES = 4096
_REQUEST, _WHAT = "GETENCLAVEINFO", "request"
_VERSION = 2
_MAX_ID = 64
_PUBLIC = {
    "remote_protocol.upstream_unreachable": "the workload behind this forwarder cannot be reached",
    "remote_protocol.truncated": "the workload behind this forwarder went away",
    "remote_protocol.deadline": "the workload behind this forwarder did not answer in time",
    "remote_protocol.upstream_refused": (
        "the workload behind this forwarder was not accepted, or did not accept the forwarder"
    ),
}


@dataclass(frozen=True, slots=True)
class InfoRequest:
    """A request for evidence; ``nonce`` is whatever stood there."""

    id: str
    nonce: Any


def parse_request(data: bytes) -> InfoRequest | None:
    """The request that ``data`` is, or ``None`` if it is something else, e.g. an application's bytes."""
    if len(data) > MAX_REQUEST_BYTES:
        return None
    try:
        members = parse_json(data, _WHAT)
    except FormatError:
        return None
    if not isinstance(members, dict) or members.get("type") != _REQUEST:
        return None
    name = members.get("id")
    usable = isinstance(name, str) and 0 < len(name) <= _MAX_ID and name.isprintable()
    return InfoRequest(
        name if isinstance(name, str) and usable else secrets.token_hex(8), members.get("nonce")
    )


def require_nonce(request: InfoRequest) -> bytes:
    """The 32 bytes that were drawn for this request.

    Raises:
        UsageError: ``usage.nonce``: none, or not 64 hexadecimal digits, or all zero.
    """
    text = request.nonce
    if isinstance(text, str) and len(text) == 2 * NONCE_BYTES and text.isascii() and text.isalnum():
        try:
            nonce = bytes.fromhex(text)
        except ValueError:
            nonce = b""
        if any(nonce):
            return nonce
    raise UsageError(
        "a nonce is required: 64 hexadecimal digits, not all zero; measurements without fresh evidence are "
        "not handed out",
        detail="nonce",
    )


def encode_answer(request: InfoRequest, answered: Answered) -> bytes:
    """The line with the workload's evidence."""
    attached = answered.evidence
    evidence: dict[str, Any] = {"kind": str(attached.kind), "evidence": _base64(attached.evidence)}
    if attached.collateral and (members := _collateral(attached.collateral)):
        evidence["collateral"] = members
    measurements = _measurements(attached)
    return _line(
        {
            "id": request.id,
            "msgtype": "ENCLAVEINFO",
            "version": _VERSION,
            "evidence": evidence,
            "claims": _base64(answered.claims),
            **measurements,
            "unverified": list(measurements),
        }
    )


def encode_error(request: InfoRequest, error: EAAError) -> bytes:
    """The line that says why there is no evidence: the code, and no more than may be told to anyone."""
    message = str(error) if isinstance(error, UsageError) else _PUBLIC.get(error.code, error.public)
    detail = {"code": error.code, "message": message}
    return _line({"id": request.id, "msgtype": "ERROR", "version": _VERSION, "error": detail})


def _measurements(attached: AttachedEvidence) -> dict[str, str]:
    """Of an SGX quote or an SNP report; nothing is verified."""
    try:
        if attached.kind is EvidenceKind.SNP_REPORT:
            return {"measurement": parse_snp_report(attached.evidence).body.measurement.hex()}
        body = parse_quote(attached.evidence).body
    except EAAError:
        return {}
    if not isinstance(body, EnclaveReport):
        return {}
    return {"mrenclave": body.mr_enclave.hex(), "mrsigner": body.mr_signer.hex()}


def _collateral(collateral: Endorsements) -> dict[str, str] | None:
    """``None`` if a part of Intel's is missing, or is no text where text belongs."""
    if isinstance(collateral, SnpEndorsements):
        parts = asdict(collateral)
        return {name: _base64(part) for name, part in parts.items() if part is not None}
    info, identity = collateral.tcb_info, collateral.qe_identity
    root, pck, chain = collateral.root_ca_crl, collateral.pck_crl, collateral.pck_crl_issuer_chain
    if info is None or identity is None or root is None or pck is None or chain is None:
        return None
    try:
        return {
            "pck_crl_issuer_chain": chain.decode(),
            "root_ca_crl": root.hex(),
            "pck_crl": pck.hex(),
            "tcb_info_issuer_chain": info.issuer_chain.decode(),
            "tcb_info": info.body.decode(),
            "tcb_info_signature": info.signature.hex(),
            "qe_identity_issuer_chain": identity.issuer_chain.decode(),
            "qe_identity": identity.body.decode(),
            "qe_identity_signature": identity.signature.hex(),
        }
    except UnicodeDecodeError:
        return None


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _line(members: dict[str, Any]) -> bytes:
    return json.dumps(members).encode() + b"\n"
