"""How many connections of a server may be on their way to being open."""

from __future__ import annotations

__all__ = ["HalfOpen"]


class HalfOpen:
    """At most ``bound`` of them; each enters once, and leaves once."""

    def __init__(self, bound: int) -> None:
        self._free = bound

    def enter(self) -> bool:
        self._free -= 1
        if self._free < 0:
            self._free += 1
            return False
        return True

    def leave(self) -> None:
        self._free += 1
