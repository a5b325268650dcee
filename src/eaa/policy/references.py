"""The function ``query_reference_value`` of policies: one lookup per evaluation, every query kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from eaa.broker.ports import ReferenceQuery
from eaa.broker.records import ReferenceValue

__all__ = ["Answer", "ReferenceLookup", "answer"]


class Answer(NamedTuple):
    """What a query is told: ``found`` and the value, or ``missing`` or ``expired`` and ``None``."""

    state: str
    value: Any

    def same_as(self, other: Answer) -> bool:
        """Whether a policy cannot tell the two apart: Python's ``==`` does not tell ``true`` from 1.

        What ``orjson`` cannot write, such as an integer of more than 64 bits, is like nothing but itself.
        """
        if self.state != other.state:
            return False
        try:
            return self.value is other.value or orjson.dumps(self.value) == orjson.dumps(other.value)
        except TypeError:
            return False


_MISSING, _EXPIRED = Answer("missing", None), Answer("expired", None)


def answer(values: Mapping[str, ReferenceValue], name: str, now: datetime) -> Answer:
    """The answer to a query for ``name`` at ``now``. A value is expired from ``expires_at`` on."""
    value = values.get(name)
    if value is None:
        return _MISSING
    return _EXPIRED if value.expires_at <= now else Answer("found", value.value)


class ReferenceLookup:
    """Answers the queries of one evaluation at ``now``."""

    __slots__ = ("_answers", "_now", "_values")

    def __init__(self, values: Mapping[str, ReferenceValue], now: datetime) -> None:
        self._values = values
        self._now = now
        self._answers: dict[str, Answer] = {}

    def query(self, name: object) -> Any:
        """The value, or ``None`` if there is none that holds; ``TypeError`` unless ``name`` is a string."""
        if not isinstance(name, str):
            raise TypeError("query_reference_value takes a string")
        told = self._answers[name] = answer(self._values, name, self._now)
        return told.value

    @property
    def answers(self) -> Mapping[str, Answer]:
        """By name, in the order of the first query."""
        return self._answers

    @property
    def queries(self) -> tuple[ReferenceQuery, ...]:
        """Each name once, in the order of the first query."""
        return tuple(ReferenceQuery(name, told.state) for name, told in self._answers.items())
