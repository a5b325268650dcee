"""Verified evidence in the claim names of Trustee, which the policies that people have are written in.

Fields of quotes are lower-case hex of the bytes as they lie, little-endian numbers included
[COCO-CLAIMS]. What is not here: ``earliest_issue_date``, ``pck_crl_num``, ``root_ca_crl_num``, and the
``…_current`` status of a TD that outlived an update of its module.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from eaa.broker.trustee_csv_claims import csv_policy_claims
from eaa.broker.trustee_event_log import event_log_claims
from eaa.broker.trustee_snp_claims import snp_policy_claims
from eaa.endorsements.pck import SgxType
from eaa.errors import BindingError, UnsupportedError, UsageError
from eaa.evidence.dcap_quote import DcapQuote
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_log import EventLog
from eaa.evidence.event_replay import replay
from eaa.evidence.layout import Structure
from eaa.evidence.sgx import EnclaveReport
from eaa.evidence.tdx import TdReport, TdReport15
from eaa.verify.claims import rfc3339
from eaa.verify.dcap_result import VerifiedDcapEvidence
from eaa.verify.hygon_csv_result import VerifiedCsvEvidence
from eaa.verify.result import VerifiedEvidence
from eaa.verify.snp_result import VerifiedSnpEvidence

__all__ = ["TEE_CLASSES", "policy_claims", "policy_input", "sample_claims", "tee_class"]

#: The TEEs of the KBS protocol, and the class whose policies appraise them: ``<policy>_<class>``.
TEE_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            ("sgx", "tdx", "snp", "az-snp-vtpm", "az-tdx-vtpm", "csv", "cca", "se", "tpm"), "cpu"
        ),
        "sample": "cpu",
        "sampledevice": "gpu",
        "nvidia": "gpu",
        "hygondcu": "dcu",
        "nvidiadpu": "nvidia-dpu",
    }
)

#: Claims and their fields.
_TDX_BODY = MappingProxyType(
    {
        "tcb_svn": "tee_tcb_svn", "mr_seam": "mr_seam", "mrsigner_seam": "mr_signer_seam",
        "seam_attributes": "seam_attributes", "td_attributes": "td_attributes", "xfam": "xfam",
        "mr_td": "mr_td", "mr_config_id": "mr_config_id", "mr_owner": "mr_owner",
        "mr_owner_config": "mr_owner_config",
        "rtmr_0": "rt_mr0", "rtmr_1": "rt_mr1", "rtmr_2": "rt_mr2", "rtmr_3": "rt_mr3",
        "report_data": "report_data", "tee_tcb_svn2": "tee_tcb_svn_2", "mr_servicetd": "mr_service_td",
    }
)  # fmt: skip
_SGX_BODY = MappingProxyType({name: name for name in EnclaveReport.layout() if name != "attributes"})
_TD_ATTRIBUTES = MappingProxyType(
    {"debug": 0, "septve_disable": 28, "protection_keys": 30, "key_locker": 31, "perfmon": 63}
)
#: What the key of a root on P-256 ends with, uncompressed.
_POINT_BYTES = 65
_SGX_TYPES = MappingProxyType(
    {
        SgxType.STANDARD: "Standard",
        SgxType.SCALABLE: "Scalable",
        SgxType.SCALABLE_WITH_INTEGRITY: "Scalable with Integrity",
    }
)


def tee_class(tee: str) -> str:
    """The class of ``tee``, e.g. ``cpu`` of ``tdx``.

    Raises:
        UsageError: ``usage.tee``: there is no such TEE.
    """
    if tee not in TEE_CLASSES:
        raise UsageError(f"no TEE {tee[:64]!r}, there are {', '.join(TEE_CLASSES)}", detail="tee")
    return TEE_CLASSES[tee]


def policy_claims(verified: VerifiedEvidence, event_log: EventLog | None) -> tuple[str, dict[str, Any]]:
    """The TEE, ``tdx``, ``sgx``, ``snp`` or ``csv``, and its claims.

    ``report_data`` is among them, and ``init_data`` but for CSV, which has no field for it.

    The event log of a TD, or of a CSV3 guest, is claimed only if it replays to all four RTMRs. That makes its
    digests believable; of its details only those are whose ``digest_matches_event`` is true.

    Raises:
        BindingError: ``binding.event_log``: the log does not replay to the quote.
        FormatError: the log has no digests of the registers' hash.
        UnsupportedError: ``unsupported.policy_claims``: another kind of evidence.
        UsageError: ``usage.event_log``: an enclave, an SNP guest or an older CSV guest has none.
    """
    if isinstance(verified, VerifiedSnpEvidence):
        if event_log is not None:
            raise UsageError("an SNP guest has no event log that its report vouches for", detail="event_log")
        return verified.tee, snp_policy_claims(verified)
    if isinstance(verified, VerifiedCsvEvidence):
        return verified.tee, csv_policy_claims(verified, event_log)
    if not isinstance(verified, VerifiedDcapEvidence):
        raise UnsupportedError(f"no claims for policies are known of {verified.tee}", detail="policy_claims")
    quote, body = verified.quote, verified.quote.body
    if isinstance(body, EnclaveReport):
        if event_log is not None:
            raise UsageError("an SGX enclave has no event log", detail="event_log")
        claims = _sgx(quote, body)
    else:
        claims = _tdx(quote, body)
        if event_log is not None:
            _require_replay(event_log, body)
            claims["uefi_event_logs"] = event_log_claims(event_log)
    return verified.tee, claims | _dcap(verified)


def sample_claims(svn: str, report_data: bytes, init_data_digest: bytes | None) -> dict[str, Any]:
    """The claims of the sample TEE: what it says of itself, and constants. It proves nothing."""
    claims: dict[str, Any] = {
        "svn": svn,
        "report_data": base64.b64encode(report_data).decode(),
        "launch_digest": "abcde",
        "platform_version": {"major": 1, "minor": 4},
        "debug": False,
    }
    if init_data_digest is not None:
        claims["init_data"] = base64.b64encode(init_data_digest).decode()
    return claims


def policy_input(
    tee: str, claims: Mapping[str, Any], *, init_data_claims: Any = None, runtime_data_claims: Any = None
) -> dict[str, Any]:
    """The input of an attestation policy, which is also the annotated evidence of the token.

    ``report_data`` and ``init_data`` of ``claims`` are beside the TEE's object, not in it.
    """
    lifted = ("report_data", "init_data")
    return {
        tee: {name: value for name, value in claims.items() if name not in lifted},
        "report_data": claims.get("report_data"),
        "init_data": claims.get("init_data"),
        "init_data_claims": init_data_claims,
        "runtime_data_claims": runtime_data_claims,
    }


def _tdx(quote: DcapQuote, body: TdReport) -> dict[str, Any]:
    header = quote.header.raw
    attributes = int.from_bytes(body.td_attributes, "little")
    claims: dict[str, Any] = {
        "header": {
            "version": header[:2].hex(),
            "att_key_type": header[2:4].hex(),
            "tee_type": header[4:8].hex(),
            "reserved": header[8:12].hex(),
            "vendor_id": header[12:28].hex(),
            "user_data": header[28:48].hex(),
        },
        "body": _hex_fields(body, _TDX_DIGITS[type(body)]),
    }
    if quote.header.version == 5:
        claims["type"] = quote.body_type.to_bytes(2, "little").hex()
        claims["size"] = len(body.raw).to_bytes(4, "little").hex()
    return {
        "quote": claims,
        "td_attributes": {name: bool(attributes >> bit & 1) for name, bit in _TD_ATTRIBUTES.items()},
        "report_data": body.report_data.hex(),
        "init_data": body.mr_config_id.hex(),
    }


def _sgx(quote: DcapQuote, body: EnclaveReport) -> dict[str, Any]:
    header = quote.header.raw
    fields = _hex_fields(body, _SGX_DIGITS)
    return {
        "header": {
            "version": header[:2].hex(),
            "att_key_type": header[2:4].hex(),
            "att_key_data_0": header[4:8].hex(),
            "qe_svn": header[8:10].hex(),
            "pce_svn": header[10:12].hex(),
            "vendor_id": header[12:28].hex(),
            "user_data": header[28:48].hex(),
        },
        "body": {
            **fields,
            "attributes.flags": body.attributes[:8].hex(),
            "attributes.xfrm": body.attributes[8:].hex(),
        },
        "report_data": body.report_data.hex(),
        "init_data": body.config_id.hex(),
    }


def _dcap(verified: VerifiedDcapEvidence) -> dict[str, Any]:
    pck, tcb = verified.pck, verified.tcb
    claims: dict[str, Any] = {
        "tcb_status": str(tcb.status),
        "tcb_date": rfc3339(tcb.tcb_date),
        "tcb_eval_num": tcb.tcb_evaluation_data_number,
        "advisory_ids": list(tcb.advisory_ids),
        # Verification refuses what has expired.
        "collateral_expiration_status": "0",
        "latest_issue_date": rfc3339(verified.endorsements_issued),
        "earliest_expiration_date": rfc3339(verified.endorsements_expire),
        "root_key_id": _key_id(verified.root.spki),
        "platform_provider_id": pck.ppid.hex(),
        "sgx_type": _SGX_TYPES[pck.sgx_type],
    }
    if pck.sgx_type is not SgxType.STANDARD:
        claims["is_dynamic_platform"] = pck.dynamic_platform is True
        claims["is_cached_keys"] = pck.cached_keys is True
        claims["is_smt_enabled"] = pck.smt_enabled is True
    if pck.platform_instance_id is not None:
        claims["platform_instance_id"] = pck.platform_instance_id.hex()
    return claims


def _require_replay(log: EventLog, body: TdReport) -> None:
    values = replay(log, HashAlgorithm.SHA384)
    for number, quoted in enumerate(body.rt_mrs):
        # Register 0 of the log is MRTD; one that is not extended is zero [UEFI-CC §38.4.1].
        if values.get(number + 1, bytes(48)) != quoted:
            raise BindingError(
                f"the event log does not replay to RTMR{number} of the quote", detail="event_log"
            )


def _hex_fields(structure: Structure, digits: Mapping[str, slice]) -> dict[str, str]:
    """The bytes of fields as they lie, by the names of their claims."""
    text = structure.raw.hex()
    return {name: text[place] for name, place in digits.items()}


def _digits(kind: type[Structure], names: Mapping[str, str]) -> dict[str, slice]:
    """Where the digits of each field are that ``kind`` has, by the names of their claims."""
    places = kind.layout()
    fields = {name: places[field] for name, field in names.items() if field in places}
    return {name: slice(2 * place.offset, 2 * place.end) for name, place in fields.items()}


_TDX_DIGITS = {kind: _digits(kind, _TDX_BODY) for kind in (TdReport, TdReport15)}
_SGX_DIGITS = _digits(EnclaveReport, _SGX_BODY)


@lru_cache(maxsize=256)
def _key_id(spki: bytes) -> str:
    return hashlib.sha384(spki[-_POINT_BYTES:]).hexdigest()
