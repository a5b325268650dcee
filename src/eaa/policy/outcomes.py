"""What policies made of claims before, remembered by all that it was made of.

An outcome rests on the policy's text, on what was handed to the engine as input, and on the answers to its
queries for reference values. The first two are the key, by their digests; the answers are compared at each
use: a value that was replaced, has expired or has appeared since is another answer.

What comes once is not worth remembering: only what comes again is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from eaa.broker.ports import AttestationOutcome
from eaa.broker.records import ReferenceValue
from eaa.policy.references import Answer, ReferenceLookup, answer
from eaa.verify.memo import BoundedMemo

__all__ = ["MAX_EXTENSION_BYTES", "MAX_OUTCOMES", "Outcomes"]

MAX_OUTCOMES = 4096
#: Of an outcome's extensions as JSON. One that has more is not remembered.
MAX_EXTENSION_BYTES = 4096


@dataclass(frozen=True, slots=True)
class _Known:
    outcome: AttestationOutcome
    answers: Mapping[str, Answer]

    def holds(self, references: Mapping[str, ReferenceValue], now: datetime) -> bool:
        """Whether every query would be answered as it was."""
        return all(answer(references, name, now).same_as(told) for name, told in self.answers.items())


class Outcomes:
    """At most 4,096 outcomes; thread-safe. Keys are digests of a policy's text and of its input."""

    __slots__ = ("_came", "_known")

    def __init__(self) -> None:
        self._known = BoundedMemo[_Known](MAX_OUTCOMES)
        self._came = BoundedMemo[bool](MAX_OUTCOMES)

    def find(
        self, key: tuple[str, bytes], references: Mapping[str, ReferenceValue], now: datetime
    ) -> AttestationOutcome | None:
        """The outcome, if it would be the same now."""
        known = self._known.get(key)
        return known.outcome if known is not None and known.holds(references, now) else None

    def comes_again(self, key: tuple[str, bytes]) -> bool:
        """Whether this was asked of ``key`` before; it is, from now on."""
        came = self._came.get(key) is not None
        self._came.put(key, True)
        return came

    def keep(self, key: tuple[str, bytes], outcome: AttestationOutcome, lookup: ReferenceLookup) -> None:
        """Remember ``outcome``, which the answers of ``lookup`` led to."""
        if not outcome.extensions or len(orjson.dumps(outcome.extensions)) <= MAX_EXTENSION_BYTES:
            self._known.put(key, _Known(outcome, lookup.answers))
