"""What could not be laid out as the image has it, for want of rights or of a file system that has it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Skipped", "SkippedList"]

_MOST = 100


@dataclass(frozen=True, slots=True)
class Skipped:
    """``what`` of the entry ``path``: ``owner``, ``device``, ``xattr user.name`` or ``mode``."""

    path: str
    what: str


@dataclass(slots=True)
class SkippedList:
    """The first hundred, and how many of each kind."""

    first: list[Skipped] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, path: tuple[str, ...], what: str) -> None:
        self.counts[what.partition(" ")[0]] += 1
        if len(self.first) < _MOST:
            self.first.append(Skipped("/".join(path), what))
