"""Validity periods: of every certificate, revocation list and document that a verdict rests on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from eaa.errors import ValidityPeriodError

__all__ = ["Window", "Windows"]


class Window(NamedTuple):
    """``what`` holds from ``not_before`` to ``not_after``, both included."""

    what: str
    detail: str
    not_before: datetime
    not_after: datetime


class Windows(NamedTuple):
    """Several windows, and the period in which all of them hold."""

    items: tuple[Window, ...]
    not_before: datetime
    not_after: datetime

    @classmethod
    def of(cls, items: Iterable[Window]) -> Windows:
        """The windows of ``items``, at least one."""
        windows = tuple(items)
        return cls(
            windows, max([item.not_before for item in windows]), min([item.not_after for item in windows])
        )

    def and_of(self, item: Window) -> Windows:
        """These windows and ``item``."""
        return Windows(
            (*self.items, item), max(self.not_before, item.not_before), min(self.not_after, item.not_after)
        )

    def require(self, now: datetime) -> None:
        """Holds if every window is open at ``now``.

        Raises:
            ValidityPeriodError: names the first that is not open yet, else the one that closed first.
        """
        if self.not_before <= now <= self.not_after:
            return
        early = next((item for item in self.items if now < item.not_before), None)
        if early is not None:
            raise ValidityPeriodError(
                f"the {early.what} is not valid before {early.not_before:%Y-%m-%dT%H:%M:%SZ}, "
                f"asked about {now:%Y-%m-%dT%H:%M:%SZ}",
                detail=f"{early.detail}_not_yet_valid", not_before=early.not_before, now=now,
            )  # fmt: skip
        late = min(self.items, key=lambda item: item.not_after)
        raise ValidityPeriodError(
            f"the {late.what} expired at {late.not_after:%Y-%m-%dT%H:%M:%SZ}, "
            f"asked about {now:%Y-%m-%dT%H:%M:%SZ}",
            detail=f"{late.detail}_expired", not_after=late.not_after, now=now,
        )  # fmt: skip
