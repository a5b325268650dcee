"""Verified evidence as plain claims, for policies, JSON and people."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from eaa.endorsements.pck import PckExtension
from eaa.evidence.dcap_quote import DcapQuote
from eaa.evidence.layout import Structure
from eaa.evidence.sgx import EnclaveReport
from eaa.evidence.tdx import TdReport
from eaa.verify.tcb import ComponentTcb, TcbEvaluation

__all__ = ["body_claims", "pck_claims", "quote_claims", "rfc3339", "structure_claims", "tcb_claims"]


def quote_claims(quote: DcapQuote) -> dict[str, Any]:
    """Header and body of ``quote``. These are its words, verified or not."""
    return {"quote": structure_claims(quote.header), **body_claims(quote.body)}


def body_claims(body: EnclaveReport | TdReport) -> dict[str, Any]:
    """All fields of a report body, and its bit fields by name."""
    claims = structure_claims(body)
    claims["debug"] = body.debug
    if isinstance(body, EnclaveReport):
        claims["attribute_names"] = list(body.attribute_names)
        claims["xfrm_names"] = list(body.xfrm_names)
        claims["misc_select_names"] = list(body.misc_select_names)
    else:
        claims["td_attribute_names"] = list(body.td_attribute_names)
        claims["xfam_names"] = list(body.xfam_names)
    return claims


def structure_claims(structure: Structure) -> dict[str, Any]:
    """The fields of ``structure`` by name, reserved ones left out."""
    return {
        name: _plain(getattr(structure, name))
        for name in structure.layout()
        if not name.startswith("reserved")
    }


def pck_claims(pck: PckExtension) -> dict[str, Any]:
    """The platform as its PCK certificate describes it."""
    return {
        "ppid": pck.ppid.hex(),
        "cpu_svn": pck.cpu_svn.hex(),
        "sgx_tcb_components": list(pck.sgx_tcb_components),
        "pce_svn": pck.pce_svn,
        "pce_id": pck.pce_id.hex(),
        "fmspc": pck.fmspc.hex(),
        "sgx_type": pck.sgx_type.name.lower(),
        "platform_instance_id": pck.platform_instance_id.hex() if pck.platform_instance_id else None,
        "dynamic_platform": pck.dynamic_platform,
        "cached_keys": pck.cached_keys,
        "smt_enabled": pck.smt_enabled,
    }


def tcb_claims(tcb: TcbEvaluation) -> dict[str, Any]:
    """The TCB of the platform and its parts."""
    return {
        "status": str(tcb.status),
        "tcb_date": rfc3339(tcb.tcb_date),
        "advisory_ids": list(tcb.advisory_ids),
        "tcb_evaluation_data_number": tcb.tcb_evaluation_data_number,
        "platform": _component(tcb.platform),
        "tdx_module": _component(tcb.tdx_module) if tcb.tdx_module else None,
        "qe": _component(tcb.qe),
    }


@lru_cache(maxsize=4096)
def rfc3339(time: datetime) -> str:
    """``time``, aware UTC, as ``YYYY-MM-DDThh:mm:ssZ`` [RFC3339 §5.6]."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def _component(tcb: ComponentTcb) -> dict[str, Any]:
    return {
        "status": str(tcb.status),
        "tcb_date": rfc3339(tcb.tcb_date),
        "advisory_ids": list(tcb.advisory_ids),
        "superseded_at": rfc3339(tcb.superseded_at) if tcb.superseded_at else None,
    }


def _plain(value: bytes | int) -> str | int:
    return value if isinstance(value, int) else value.hex()
