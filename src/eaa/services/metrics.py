"""Counters and gauges, and the text in which Prometheus reads them [Prometheus exposition format 0.0.4]."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Family", "Metrics", "merge_samples", "render"]

#: Labels in order, as ``(name, value)``.
Labels = tuple[tuple[str, str], ...]
#: As JSON carries it: family, labels, value.
Sample = tuple[str, Labels, float]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. ``merge`` says what several processes' values come to: ``sum`` or ``max``."""

    name: str
    kind: str  # "counter" or "gauge"
    help: str
    merge: str = "sum"


@dataclass(slots=True)
class Metrics:
    """The values of one process. Not thread-safe."""

    values: dict[tuple[str, Labels], float] = field(default_factory=dict)

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        self.adder(name, **labels)(amount)

    def adder(self, name: str, **labels: str) -> Callable[[float], None]:
        """:meth:`add` for one value, which is added to often."""
        key = (name, tuple(sorted(labels.items())))

        def add(amount: float) -> None:
            self.values[key] = self.values.get(key, 0) + amount

        return add

    def put(self, name: str, value: float, **labels: str) -> None:
        self.values[name, tuple(sorted(labels.items()))] = value

    def get(self, name: str, **labels: str) -> float:
        return self.values.get((name, tuple(sorted(labels.items()))), 0)

    def samples(self) -> list[Sample]:
        return [(name, labels, value) for (name, labels), value in self.values.items()]


def merge_samples(families: Iterable[Family], parts: Iterable[Iterable[Any]]) -> Metrics:
    """The samples of several processes as one; each a list as JSON brings it."""
    greatest = {item.name for item in families if item.merge == "max"}
    merged = Metrics()
    for part in parts:
        for name, labels, value in part:
            pairs = {str(key): str(text) for key, text in labels}
            if name in greatest:
                merged.put(name, max(merged.get(name, **pairs), value), **pairs)
            else:
                merged.add(name, value, **pairs)
    return merged


def render(families: Iterable[Family], metrics: Metrics) -> str:
    """The text of all ``families``; one without labels that was never touched is 0."""
    found: dict[str, dict[Labels, float]] = {}
    for (name, labels), value in metrics.values.items():
        found.setdefault(name, {})[labels] = value
    lines = []
    for family in families:
        lines += [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.kind}"]
        values: Mapping[Labels, float] = found.get(family.name) or {(): 0}
        lines += [f"{family.name}{_shown(labels)} {value:.17g}" for labels, value in sorted(values.items())]
    return "\n".join(lines) + "\n"


def _shown(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}" if labels else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
