"""The function ``query_reference_value`` of policies: one lookup per evaluation, every query kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from eaa.broker.ports import ReferenceQuery
from eaa.broker.records import ReferenceValue

__all__ = ["ReferenceLookup"]


class ReferenceLookup:
    """Answers the queries of one evaluation: the value, or ``None`` if it is missing or expired at ``now``.

    A value is expired from ``expires_at`` on.
    """

    __slots__ = ("_now", "_states", "_values")

    def __init__(self, values: Mapping[str, ReferenceValue], now: datetime) -> None:
        self._values = values
        self._now = now
        self._states: dict[str, str] = {}

    def query(self, name: object) -> Any:
        """Raises ``TypeError`` if ``name`` is not a string."""
        if not isinstance(name, str):
            raise TypeError("query_reference_value takes a string")
        value = self._values.get(name)
        if value is None:
            self._states[name] = "missing"
            return None
        if value.expires_at <= self._now:
            self._states[name] = "expired"
            return None
        self._states[name] = "found"
        return value.value

    @property
    def queries(self) -> tuple[ReferenceQuery, ...]:
        """Each name once, in the order of the first query."""
        return tuple(ReferenceQuery(name, state) for name, state in self._states.items())
