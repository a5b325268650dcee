"""What became of one endorsement that was fetched or imported."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eaa.errors import EAAError
from eaa.verify.claims import rfc3339

__all__ = ["Result"]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one endorsement."""

    name: str  # of the subject, or of the evidence that names none
    source: str
    expires: datetime | None
    error: EAAError | None

    @property
    def row(self) -> tuple[str, ...]:
        if self.error is not None:
            return self.name, "failed", str(self.error)
        return self.name, f"until {rfc3339(self.expires)}" if self.expires else "-", self.source

    def to_dict(self) -> dict[str, Any]:
        return {
            "subject": self.name,
            "source": self.source or None,
            "expires": rfc3339(self.expires) if self.expires else None,
            "error": None if self.error is None else {"code": self.error.code, "message": str(self.error)},
        }
