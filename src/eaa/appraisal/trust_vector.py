"""Trustworthiness claims and tiers: the vocabulary of attestation results [AR4SI §2.3]."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import IntEnum
from functools import lru_cache
from operator import attrgetter

__all__ = ["Tier", "TrustVector", "tier_of"]


class Tier(IntEnum):
    """How far a claim, or a result, can be trusted. A larger number is less [EAR §3.1]."""

    NONE = 0
    AFFIRMING = 2
    WARNING = 32
    CONTRAINDICATED = 96

    @property
    def label(self) -> str:
        """The word in JSON, e.g. ``affirming``."""
        return _LABELS[self]


def tier_of(value: int) -> Tier:
    """The tier of a claim's ``value``, a signed byte; negative ones are not standardised [AR4SI §2.3.2]."""
    magnitude = value if value >= 0 else -value - 1
    if value in (-1, 0, 1):
        return Tier.NONE
    if magnitude < Tier.WARNING:
        return Tier.AFFIRMING
    return Tier.WARNING if magnitude < Tier.CONTRAINDICATED else Tier.CONTRAINDICATED


@dataclass(frozen=True, slots=True)
class TrustVector:
    """The eight claims [AR4SI §2.3.4]. 0 is no claim: that aspect was not appraised."""

    instance_identity: int = 0
    configuration: int = 0
    executables: int = 0
    file_system: int = 0
    hardware: int = 0
    runtime_opaque: int = 0
    storage_opaque: int = 0
    sourced_data: int = 0

    @classmethod
    def of(cls, assertions: Iterable[tuple[str, int]]) -> TrustVector:
        """The vector of pairs of claim and value; of several values of one claim the worst counts.

        Only standardised values: the larger one is the one to assert [AR4SI §2.3.3].
        """
        worst: dict[str, int] = {}
        for name, value in assertions:
            worst[name] = max(value, worst.get(name, 0))
        return cls(**worst)

    @property
    def tier(self) -> Tier:
        """The worst tier of any claim; claims that are not made do not count."""
        return _worst(_values(self))

    def to_dict(self) -> dict[str, int]:
        """All claims under the names that they have in JSON."""
        return dict(zip(_JSON_NAMES, _values(self), strict=True))


@lru_cache(maxsize=1024)
def _worst(values: tuple[int, ...]) -> Tier:
    return max(map(tier_of, values))


_LABELS = {tier: tier.name.lower() for tier in Tier}
#: By name, because the names are asked for several times in each appraisal.
_values = attrgetter(*(item.name for item in fields(TrustVector)))
_JSON_NAMES = tuple(item.name.replace("_", "-") for item in fields(TrustVector))
