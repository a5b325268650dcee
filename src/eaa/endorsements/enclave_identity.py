"""Identities of Intel's own enclaves: QE, TD_QE, QVE, version 2 [PCS-API v4]."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from eaa.codec.strict_json import parse_json
from eaa.endorsements.tcb import Document
from eaa.endorsements.tcb_info import IsvTcbLevel, parse_isv_tcb_levels

__all__ = ["EnclaveIdentity", "parse_enclave_identity"]

_WHAT = "enclave identity"
_IDS = ("QE", "TD_QE", "QVE")


@dataclass(frozen=True, slots=True)
class EnclaveIdentity:
    """What Intel's enclave must be. MISCSELECT and ATTRIBUTES are compared under their masks."""

    id: str  # "QE", "TD_QE" or "QVE"
    version: int
    issue_date: datetime
    next_update: datetime
    tcb_evaluation_data_number: int
    misc_select: bytes  # 4, in the byte order of the report
    misc_select_mask: bytes  # 4
    attributes: bytes  # 16
    attributes_mask: bytes  # 16
    mr_signer: bytes  # 32
    isv_prod_id: int
    levels: tuple[IsvTcbLevel, ...]  # highest ISVSVN first


def parse_enclave_identity(data: bytes) -> EnclaveIdentity:
    """The identity in ``data``: the JSON object itself, without the signature around it.

    Raises:
        FormatError: not strict JSON, a member missing or of another type, an unknown version, id
            or status.
    """
    document = Document(parse_json(data, _WHAT), _WHAT)
    version = document.uint("version", 255)
    if version != 2:
        raise document.error("version", f"expected 2, came {version}")
    identifier = document.text("id")
    if identifier not in _IDS:
        raise document.error("id", f"expected one of {', '.join(_IDS)}, came {identifier!r:.20}")
    return EnclaveIdentity(
        id=identifier,
        version=version,
        issue_date=document.date("issueDate"),
        next_update=document.date("nextUpdate"),
        tcb_evaluation_data_number=document.uint("tcbEvaluationDataNumber", 0xFFFFFFFF),
        misc_select=document.hex("miscselect", 4),
        misc_select_mask=document.hex("miscselectMask", 4),
        attributes=document.hex("attributes", 16),
        attributes_mask=document.hex("attributesMask", 16),
        mr_signer=document.hex("mrsigner", 32),
        isv_prod_id=document.uint("isvprodid", 0xFFFF),
        levels=parse_isv_tcb_levels(document),
    )
