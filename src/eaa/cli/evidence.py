"""The event log in what was given."""

from __future__ import annotations

from eaa.endorsements.recognise import Kind, recognise
from eaa.errors import FormatError

__all__ = ["event_log_bytes"]


def event_log_bytes(data: bytes) -> bytes:
    """The event log in ``data``, unwrapped; ``data`` itself if there is none, for its parser to refuse."""
    try:
        found = recognise(data)
    except FormatError:
        return data
    logs = (item.data for item in (found, *found.beside) if item.kind is Kind.EVENT_LOG)
    return next(logs, data)
