"""Asking a device again that another caller was using."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from eaa.errors import AttesterError

__all__ = ["ATTEMPTS", "while_busy"]

T = TypeVar("T")

ATTEMPTS = 4
_FIRST_PAUSE_SECONDS = 0.05
_BUSY = "attester.busy"


def while_busy(collect: Callable[[], T], pause: Callable[[float], object]) -> T:
    """What ``collect`` returns, asked at most four times, 0.35 s altogether, as long as it is busy.

    Raises:
        AttesterError: of another kind, or still ``busy`` at the last time.
    """
    for attempt in range(ATTEMPTS - 1):
        try:
            return collect()
        except AttesterError as error:
            if error.code != _BUSY:
                raise
        pause(_FIRST_PAUSE_SECONDS * 2**attempt)
    return collect()
