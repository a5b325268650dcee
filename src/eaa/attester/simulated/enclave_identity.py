"""Identities of the simulated vendor's own enclaves, version 2: QE, TD_QE and QVE [PCS-API v4]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eaa.attester.simulated.documents import SimulatedDocument, SimulatedIsvLevel, isv_levels, json_time

__all__ = ["SimulatedEnclaveIdentity"]


@dataclass(kw_only=True, eq=False)
class SimulatedEnclaveIdentity(SimulatedDocument):
    """What one of the vendor's enclaves must be. Defaults are those of Intel's quoting enclaves."""

    id: str  # "QE", "TD_QE" or "QVE"
    mr_signer: bytes  # 32
    isv_prod_id: int
    levels: list[SimulatedIsvLevel]
    version: int = 2
    misc_select: bytes = bytes(4)
    misc_select_mask: bytes = b"\xff" * 4
    attributes: bytes = bytes.fromhex("11000000000000000000000000000000")
    attributes_mask: bytes = bytes.fromhex("fbffffffffffffff0000000000000000")

    def content(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "version": self.version,
            "issueDate": json_time(self.issue_date),
            "nextUpdate": json_time(self.next_update),
            "tcbEvaluationDataNumber": self.evaluation_data_number,
            "miscselect": self.misc_select.hex().upper(),
            "miscselectMask": self.misc_select_mask.hex().upper(),
            "attributes": self.attributes.hex().upper(),
            "attributesMask": self.attributes_mask.hex().upper(),
            "mrsigner": self.mr_signer.hex().upper(),
            "isvprodid": self.isv_prod_id,
            "tcbLevels": isv_levels(self.levels),
        }
