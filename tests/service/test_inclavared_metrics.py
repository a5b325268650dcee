"""Counters as text, and those of several processes as one."""

from __future__ import annotations

import json

from eaa.services.metrics import Family, Metrics, merge_samples, render

FAMILIES = (
    Family("a_total", "counter", "How often."),
    Family("b_seconds", "gauge", "When.", "max"),
    Family("c", "gauge", "Never touched."),
)


def test_text() -> None:
    metrics = Metrics()
    metrics.add("a_total", code="x")
    metrics.add("a_total", 2, code='"\\\n')
    metrics.put("b_seconds", 1795301128.8296232)
    assert render(FAMILIES, metrics).splitlines() == [
        "# HELP a_total How often.",
        "# TYPE a_total counter",
        'a_total{code="\\"\\\\\\n"} 2',
        'a_total{code="x"} 1',
        "# HELP b_seconds When.",
        "# TYPE b_seconds gauge",
        "b_seconds 1795301128.8296232",
        "# HELP c Never touched.",
        "# TYPE c gauge",
        "c 0",
    ]


def test_several_processes() -> None:
    parts = []
    for number in (1, 3, 2):
        metrics = Metrics()
        metrics.add("a_total", number, code="x")
        metrics.put("b_seconds", number)
        parts.append(json.loads(json.dumps(metrics.samples())))
    merged = merge_samples(FAMILIES, parts)
    assert merged.get("a_total", code="x") == 6
    assert merged.get("b_seconds") == 3
