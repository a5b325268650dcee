"""One line of ``shelter doctor``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Item", "Status"]


class Status(StrEnum):
    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Item:
    """``needed``: verification does not work here if this fails."""

    section: str
    name: str
    status: Status
    reason: str
    needed: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {
            "section": self.section,
            "item": self.name,
            "status": str(self.status),
            "reason": self.reason,
            "needed": self.needed,
        }
