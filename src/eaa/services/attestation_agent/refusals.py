"""Refusals that are remembered for a short time, so that what is asked again and again is not passed on."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from eaa.errors import EAAError
from eaa.services.attestation_agent.failures import is_transient

__all__ = ["Refusals"]

_MAX_REMEMBERED = 1024
#: What may pass by itself is soon tried again.
_TRANSIENT_SECONDS = 0.5


class Refusals:
    """By name, each for ``seconds``; zero remembers none."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._known: OrderedDict[str, tuple[float, EAAError]] = OrderedDict()

    def require_none(self, name: str) -> None:
        """Holds if nothing is remembered of ``name``.

        Raises:
            EAAError: what is.
        """
        until, error = self._known.get(name, (0.0, None))
        if error is None:
            return
        if self._clock() < until:
            # Without the frames of who was told before.
            raise error.with_traceback(None)
        del self._known[name]

    def remember(self, name: str, error: EAAError) -> None:
        """``error`` is the answer to ``name`` for a while."""
        seconds = min(self._seconds, _TRANSIENT_SECONDS) if is_transient(error) else self._seconds
        self._known[name] = (self._clock() + seconds, error)
        self._known.move_to_end(name)
        if len(self._known) > _MAX_REMEMBERED:
            self._known.popitem(last=False)
