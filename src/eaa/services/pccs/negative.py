"""Questions that had no answer, or a wrong one: they are not asked again for a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from eaa.errors import EAAError
from eaa.provider.remembered import remembered

__all__ = ["Negatives"]

_MAX_REMEMBERED = 16384
#: What came was not genuine: an upstream that is broken may be mended soon.
_WRONG = timedelta(seconds=30)


class Negatives:
    """Errors by key, each until a time. The oldest of 16,384 is forgotten first."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._errors: OrderedDict[str, tuple[datetime, EAAError]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._errors)

    def require(self, key: str) -> None:
        """Raises the error that is remembered for ``key``."""
        found = self._errors.get(key)
        if found is None:
            return
        until, error = found
        if self._clock() < until:
            raise remembered(error)
        del self._errors[key]

    def missing(self, key: str, error: EAAError, duration: timedelta) -> None:
        """The vendor has none."""
        self._put(key, error, duration)

    def wrong(self, key: str, error: EAAError) -> None:
        """What the vendor, or somebody in between, answered was refused."""
        self._put(key, error, _WRONG)

    def forget(self, key: str) -> None:
        """It is there now."""
        self._errors.pop(key, None)

    def _put(self, key: str, error: EAAError, duration: timedelta) -> None:
        if not duration:
            return
        self._errors.pop(key, None)
        self._errors[key] = (self._clock() + duration, remembered(error))
        if len(self._errors) > _MAX_REMEMBERED:
            self._errors.popitem(last=False)
