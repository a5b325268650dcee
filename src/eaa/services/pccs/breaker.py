"""How long an upstream is left alone after it has failed, or has asked for a pause."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from eaa.errors import EndorsementUnavailable

__all__ = ["Breaker"]

_FIRST, _LAST = timedelta(seconds=1), timedelta(minutes=5)
_DOUBLINGS = 9
#: Of a Retry-After: more is not believed.
_LONGEST_PAUSE = timedelta(hours=1)


class Breaker:
    """Of one upstream. After a failure nobody asks it for a second, after each further for twice as long.

    The first question after a pause goes through; the others wait for what comes of it. Half of a pause is
    jitter; five minutes are the longest, and an hour where it was asked for.
    """

    def __init__(self, name: str, clock: Callable[[], datetime], spread: Callable[[], float]) -> None:
        self.name = name
        self._clock, self._spread = clock, spread
        self._failures = 0
        self._until: datetime | None = None
        self._asked_for_pause = False

    @property
    def failures(self) -> int:
        """In a row."""
        return self._failures

    def require_open(self) -> None:
        """Raises ``EndorsementUnavailable`` while nobody may ask; ``retry_after`` has the seconds left."""
        left = self.pause()
        if left > timedelta(0):
            why = "asked for a pause" if self._asked_for_pause else f"failed {self._failures} times"
            raise EndorsementUnavailable(
                f"{self.name} has {why}; it is asked again in {left.total_seconds():.0f} s",
                detail="rate" if self._asked_for_pause else "backoff",
                retry_after=left.total_seconds(),
            )

    def pause(self) -> timedelta:
        """How long nobody may ask."""
        if self._until is None:
            return timedelta(0)
        return max(timedelta(0), self._until - self._clock())

    def succeeded(self) -> None:
        self._failures, self._until, self._asked_for_pause = 0, None, False

    def failed(self, retry_after: float | None = None) -> None:
        """It did not answer, or with a failure, or with the seconds after which it may be asked again."""
        pause = min(_FIRST * (1 << min(self._failures, _DOUBLINGS)), _LAST) * (0.5 + 0.5 * self._spread())
        if retry_after is not None:
            pause = max(pause, min(timedelta(seconds=retry_after), _LONGEST_PAUSE))
        self._failures += 1
        self._asked_for_pause = retry_after is not None
        until = self._clock() + pause
        self._until = max(self._until, until) if self._until else until
