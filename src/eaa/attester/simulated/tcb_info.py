"""TCB info of the simulated vendor, versions 2 and 3, SGX and TDX [PCS-API v4]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from eaa.attester.simulated.documents import SimulatedDocument, SimulatedIsvLevel, isv_levels, json_time
from eaa.endorsements.tcb import TcbStatus

__all__ = ["SimulatedTcbInfo", "SimulatedTcbLevel", "SimulatedTdxModule"]


@dataclass(kw_only=True, eq=False)
class SimulatedTcbLevel:
    """One TCB level of a platform. ``tdx_components`` are published in TDX TCB info only."""

    sgx_components: bytes  # 16: one SVN per byte
    pce_svn: int
    tdx_components: bytes  # 16: one SVN per byte
    tcb_date: datetime
    status: TcbStatus = TcbStatus.UP_TO_DATE
    advisory_ids: list[str] = field(default_factory=list)


@dataclass(kw_only=True, eq=False)
class SimulatedTdxModule:
    """What a TDX module must be; ``id`` is ``TDX_`` and the version in two hex digits."""

    id: str
    levels: list[SimulatedIsvLevel]
    mr_signer: bytes = bytes(48)
    attributes: bytes = bytes(8)
    attributes_mask: bytes = b"\xff" * 8


@dataclass(kw_only=True, eq=False)
class SimulatedTcbInfo(SimulatedDocument):
    """The TCB info of one platform family. Version 2 is of SGX only.

    ``tdx_module`` speaks for module version 0, ``tdx_module_identities`` for those from 1 on; with none
    of these the member is left out.
    """

    tee: Literal["sgx", "tdx"]
    fmspc: bytes  # 6
    pce_id: bytes  # 2
    levels: list[SimulatedTcbLevel]
    version: int = 3
    tdx_module: SimulatedTdxModule = field(default_factory=lambda: SimulatedTdxModule(id="TDX_00", levels=[]))
    tdx_module_identities: list[SimulatedTdxModule] = field(default_factory=list)

    def content(self) -> dict[str, Any]:
        return {
            **({"id": self.tee.upper()} if self.version >= 3 else {}),
            "version": self.version,
            "issueDate": json_time(self.issue_date),
            "nextUpdate": json_time(self.next_update),
            "fmspc": _hex(self.fmspc),
            "pceId": _hex(self.pce_id),
            "tcbType": 0,
            "tcbEvaluationDataNumber": self.evaluation_data_number,
            **(self._modules() if self.tee == "tdx" else {}),
            "tcbLevels": [self._level(level) for level in self.levels],
        }

    def _modules(self) -> dict[str, Any]:
        content: dict[str, Any] = {"tdxModule": _module(self.tdx_module)}
        if self.tdx_module_identities:
            content["tdxModuleIdentities"] = [
                {"id": item.id, **_module(item), "tcbLevels": isv_levels(item.levels)}
                for item in self.tdx_module_identities
            ]
        return content

    def _level(self, level: SimulatedTcbLevel) -> dict[str, Any]:
        return {
            "tcb": self._tcb(level),
            "tcbDate": json_time(level.tcb_date),
            "tcbStatus": str(level.status),
            **({"advisoryIDs": list(level.advisory_ids)} if level.advisory_ids else {}),
        }

    def _tcb(self, level: SimulatedTcbLevel) -> Mapping[str, Any]:
        if self.version < 3:
            named = {f"sgxtcbcomp{n:02d}svn": svn for n, svn in enumerate(level.sgx_components, 1)}
            return {**named, "pcesvn": level.pce_svn}
        tdx = {"tdxtcbcomponents": _components(level.tdx_components)} if self.tee == "tdx" else {}
        return {"sgxtcbcomponents": _components(level.sgx_components), "pcesvn": level.pce_svn, **tdx}


def _module(module: SimulatedTdxModule) -> dict[str, Any]:
    return {
        "mrsigner": _hex(module.mr_signer),
        "attributes": _hex(module.attributes),
        "attributesMask": _hex(module.attributes_mask),
    }


def _components(svns: bytes) -> list[dict[str, int]]:
    return [{"svn": svn} for svn in svns]


def _hex(value: bytes) -> str:
    return value.hex().upper()
