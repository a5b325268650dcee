"""Validity periods: of every certificate, revocation list and document that a verdict rests on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from eaa.errors import ValidityPeriodError

__all__ = ["Window", "Windows"]


@dataclass(frozen=True, slots=True)
class Window:
    """``what`` holds from ``not_before`` to ``not_after``, both included."""

    what: str
    detail: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Windows:
    """Several windows, and the period in which all of them hold."""

    items: tuple[Window, ...]
    not_before: datetime
    not_after: datetime

    @classmethod
    def of(cls, items: Iterable[Window]) -> Windows:
        """The windows of ``items``, at least one."""
        windows = tuple(items)
        return cls(windows, max(item.not_before for item in windows), min(item.not_after for item in windows))

    def require(self, now: datetime) -> None:
        """Holds if every window is open at ``now``.

        Raises:
            ValidityPeriodError: names the first that is not.
        """
        if self.not_before <= now <= self.not_after:
            return
        for item in self.items:
            if now < item.not_before:
                raise ValidityPeriodError(
                    f"the {item.what} is not valid before {item.not_before:%Y-%m-%dT%H:%M:%SZ}, "
                    f"asked about {now:%Y-%m-%dT%H:%M:%SZ}",
                    detail=f"{item.detail}_not_yet_valid", not_before=item.not_before, now=now,
                )  # fmt: skip
            if now > item.not_after:
                raise ValidityPeriodError(
                    f"the {item.what} expired at {item.not_after:%Y-%m-%dT%H:%M:%SZ}, "
                    f"asked about {now:%Y-%m-%dT%H:%M:%SZ}",
                    detail=f"{item.detail}_expired", not_after=item.not_after, now=now,
                )  # fmt: skip
