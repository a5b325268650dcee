"""When something is to be fetched anew. Pure: ``spread``, from 0 to 1, is the jitter."""

from __future__ import annotations

from datetime import datetime, timedelta

__all__ = ["never", "platform_due", "recovery_due", "refresh_due", "retry_due"]

_FIRST_RETRY, _LAST_RETRY = timedelta(minutes=1), timedelta(hours=1)
#: Doubled so often, the first pause is above the last.
_DOUBLINGS = 6
#: Platforms whose TCB was reassessed are asked for over this time.
_RECOVERY = timedelta(hours=6)


def never(now: datetime) -> datetime:
    """So far off that it does not come."""
    return datetime.max.replace(tzinfo=now.tzinfo)


def refresh_due(now: datetime, expires: datetime, interval: timedelta, spread: float) -> datetime:
    """For a document fetched now: within three quarters to all of ``interval``, and in half its time left."""
    pause = interval * (0.75 + 0.25 * spread)
    left = expires - now
    if left > timedelta(0):
        pause = min(pause, left * (0.4 + 0.1 * spread))
    return now + pause


def retry_due(
    now: datetime, failures: int, spread: float, *, not_before: timedelta | None = None
) -> datetime:
    """After so many failures in a row: from a minute, doubled each time, to an hour; half of it is jitter."""
    longest: timedelta = min(_FIRST_RETRY * (1 << min(failures, _DOUBLINGS)), _LAST_RETRY)
    pause = longest * (0.5 + 0.5 * spread)
    return now + max(pause, not_before or pause)


def platform_due(now: datetime, interval: timedelta, spread: float) -> datetime:
    """For the certificates of a platform, which last for years: anywhere in the second half of ``interval``.

    Without one, never.
    """
    if not interval:
        return never(now)
    return now + interval * (0.5 + 0.5 * spread)


def recovery_due(now: datetime, spread: float) -> datetime:
    """For a platform whose TCB was reassessed: within six hours."""
    return now + _RECOVERY * spread
