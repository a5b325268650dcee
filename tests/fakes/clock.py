"""The time, as a test sets it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tests.fakes.vendor import NOW

__all__ = ["Clock"]


@dataclass
class Clock:
    """What somebody takes for the time."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now
