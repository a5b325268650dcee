"""Intel TCB info, versions 2 and 3, for SGX and TDX [PCS-API v4 "Get TCB Info"]."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from eaa.codec.strict_json import parse_json
from eaa.endorsements.tcb import (
    ENCLAVE_STATUSES,
    PLATFORM_STATUSES,
    Document,
    TcbStatus,
    member_advisory_ids,
    member_date,
    member_svns,
    member_uint,
)

__all__ = [
    "IsvTcbLevel",
    "TcbInfo",
    "TcbLevel",
    "TdxModule",
    "TdxModuleIdentity",
    "parse_isv_tcb_levels",
    "parse_tcb_info",
]

_WHAT = "TCB info"
#: Intel publishes up to 20 levels for a platform and 10 for a module.
_MAX_LEVELS = 256
_RANK = attrgetter("sgx_components", "pce_svn", "tdx_components")


class TcbLevel(NamedTuple):
    """One level of a platform: met if every component and the PCESVN are at least these."""

    sgx_components: bytes  # 16: one SVN per byte
    pce_svn: int
    tdx_components: bytes  # 16; empty in SGX TCB info
    tcb_date: datetime
    status: TcbStatus
    advisory_ids: tuple[str, ...]


class IsvTcbLevel(NamedTuple):
    """One level of a quoting enclave or TDX module: met if the ISVSVN is at least this."""

    isv_svn: int
    tcb_date: datetime
    status: TcbStatus
    advisory_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TdxModule:
    """What a TDX module must be. ``attributes`` are compared under ``attributes_mask``."""

    mr_signer: bytes  # 48
    attributes: bytes  # 8
    attributes_mask: bytes  # 8


@dataclass(frozen=True, slots=True)
class TdxModuleIdentity(TdxModule):
    """A TDX module of one major version; ``id`` is ``TDX_`` and the version in two hex digits."""

    id: str
    levels: tuple[IsvTcbLevel, ...]


@dataclass(frozen=True, slots=True)
class TcbInfo:
    """``levels`` are sorted as Intel's verifier sorts them: highest SGX components first, then PCESVN,
    then TDX components."""

    tee: str  # "sgx" or "tdx"
    version: int
    issue_date: datetime
    next_update: datetime
    fmspc: bytes  # 6
    pce_id: bytes  # 2
    tcb_evaluation_data_number: int
    levels: tuple[TcbLevel, ...]
    tdx_module: TdxModule | None
    tdx_module_identities: tuple[TdxModuleIdentity, ...]

    def module_identity(self, version: int) -> TdxModuleIdentity | None:
        """The identity of TDX module ``version``, the second byte of a TEE TCB SVN."""
        wanted = f"TDX_{version:02X}"
        return next((item for item in self.tdx_module_identities if item.id == wanted), None)


def parse_tcb_info(data: bytes) -> TcbInfo:
    """The TCB info in ``data``: the JSON object itself, without the signature around it.

    Raises:
        FormatError: not strict JSON, a member missing or of another type, an unknown version, TCB
            type, id or status.
    """
    document = Document(parse_json(data, _WHAT), _WHAT)
    version = document.uint("version", 255)
    if version not in (2, 3):
        raise document.error("version", f"expected 2 or 3, came {version}")
    if document.uint("tcbType", 255) != 0:
        raise document.error("tcbType", "expected 0")
    tee = _tee(document, version)
    parse_level = _tdx_level if tee == "tdx" else _sgx_level if version == 3 else _sgx_level_v2
    levels = document.parse_each("tcbLevels", _MAX_LEVELS, parse_level)
    levels.sort(key=_RANK, reverse=True)
    return TcbInfo(
        tee=tee,
        version=version,
        issue_date=document.date("issueDate"),
        next_update=document.date("nextUpdate"),
        fmspc=document.hex("fmspc", 6),
        pce_id=document.hex("pceId", 2),
        tcb_evaluation_data_number=document.uint("tcbEvaluationDataNumber", 0xFFFFFFFF),
        levels=tuple(levels),
        tdx_module=_module(document.object("tdxModule")) if tee == "tdx" else None,
        tdx_module_identities=_module_identities(document) if tee == "tdx" else (),
    )


def parse_isv_tcb_levels(document: Document) -> tuple[IsvTcbLevel, ...]:
    """``tcbLevels`` of an enclave or module identity, highest ISVSVN first."""
    levels = document.parse_each("tcbLevels", _MAX_LEVELS, _isv_level)
    return tuple(sorted(levels, key=lambda level: level.isv_svn, reverse=True))


def _isv_level(item: dict[str, Any]) -> IsvTcbLevel:
    return IsvTcbLevel(
        member_uint(item["tcb"], "isvsvn", 0xFFFF),
        member_date(item, "tcbDate"),
        ENCLAVE_STATUSES[item["tcbStatus"]],
        member_advisory_ids(item),
    )


def _tee(document: Document, version: int) -> str:
    if version == 2:
        return "sgx"
    identifier = document.text("id")
    if identifier not in ("SGX", "TDX"):
        raise document.error("id", f"expected SGX or TDX, came {identifier!r:.20}")
    return identifier.lower()


def _sgx_level_v2(item: dict[str, Any]) -> TcbLevel:
    tcb = item["tcb"]
    components = bytes([member_uint(tcb, f"sgxtcbcomp{n:02d}svn", 255) for n in range(1, 17)])
    return _level(item, components, b"")


def _sgx_level(item: dict[str, Any]) -> TcbLevel:
    return _level(item, member_svns(item["tcb"], "sgxtcbcomponents"), b"")


def _tdx_level(item: dict[str, Any]) -> TcbLevel:
    tcb = item["tcb"]
    return _level(item, member_svns(tcb, "sgxtcbcomponents"), member_svns(tcb, "tdxtcbcomponents"))


def _level(item: dict[str, Any], sgx_components: bytes, tdx_components: bytes) -> TcbLevel:
    return TcbLevel(
        sgx_components,
        member_uint(item["tcb"], "pcesvn", 0xFFFF),
        tdx_components,
        member_date(item, "tcbDate"),
        PLATFORM_STATUSES[item["tcbStatus"]],
        member_advisory_ids(item),
    )


def _module(document: Document) -> TdxModule:
    return TdxModule(
        document.hex("mrsigner", 48), document.hex("attributes", 8), document.hex("attributesMask", 8)
    )


def _module_identities(document: Document) -> tuple[TdxModuleIdentity, ...]:
    if "tdxModuleIdentities" not in document:
        return ()
    identities = tuple(
        TdxModuleIdentity(
            item.hex("mrsigner", 48),
            item.hex("attributes", 8),
            item.hex("attributesMask", 8),
            item.text("id").upper(),
            parse_isv_tcb_levels(item),
        )
        for item in document.objects("tdxModuleIdentities", _MAX_LEVELS)
    )
    if len({item.id for item in identities}) != len(identities):
        raise document.error("tdxModuleIdentities", "an id is given twice", "duplicate_key")
    return identities
