"""What ``shelter remoteattestation`` says, for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import click

from eaa.cli.console import as_json, clean, columns
from eaa.cli.remoteattestation_report import Report
from eaa.cli.verdict_text import render

__all__ = ["SUCCESS", "exit_code", "reports_json", "reports_text"]

#: The original's words, which programs look for.
SUCCESS = "Remote attestation is successful"
#: What is worse comes first. Unreachable says the least: nothing is known.
_WORST = (10, 30, 20, 1, 2, 40, 0)


def exit_code(reports: Sequence[Report]) -> int:
    """Of the worst."""
    return _worst(reports).verdict.exit_code


def reports_json(reports: Sequence[Report]) -> str:
    """One node as an object, several as a list."""
    values = [report.to_dict() for report in reports]
    return as_json(values[0] if len(values) == 1 else values)


def reports_text(reports: Sequence[Report], *, explain: bool) -> str:
    """The outcome first; of several nodes then a table, and each that failed."""
    if len(reports) == 1:
        return _one(reports[0], explain=explain)
    worst = _worst(reports)
    passed = sum(report.accepted for report in reports)
    lines = [_headline(worst), f"  {passed} of {len(reports)} nodes passed", ""]
    lines += columns([("NODE", "RESULT", "CODE", "MEASUREMENT"), *map(_row, reports)])
    for report in reports:
        if explain or not report.accepted:
            lines += ["", f"{clean(report.address)}:", *_indented(_one(report, explain=explain))]
    if not explain:
        lines += ["", *_common_notes(reports)]
    return "\n".join(lines).rstrip("\n")


def _row(report: Report) -> tuple[str, str, str, str]:
    return report.address, report.verdict.verdict, report.verdict.code, report.measurement or "-"


def _one(report: Report, *, explain: bool) -> str:
    reasons = "\n".join(report.verdict.reasons).split("\n")
    shown = reasons if report.accepted else reasons[1:]
    # The rest is as `shelter verify` has it, without its first line.
    rest = render(replace(report.verdict, reasons=shown), explain=explain).split("\n")[1:]
    return "\n".join([_headline(report), *rest])


def _headline(report: Report) -> str:
    verdict = report.verdict
    if report.accepted:
        return click.style(SUCCESS, fg="green", bold=True)
    sentence = clean(verdict.reasons[0].partition("\n")[0]) if verdict.reasons else verdict.verdict
    colour = "red" if verdict.verdict in ("rejected", "malformed") else "yellow"
    return f"{click.style('Remote attestation failed', fg=colour, bold=True)}: {verdict.code}: {sentence}"


def _common_notes(reports: Sequence[Report]) -> list[str]:
    accepted = [report for report in reports if report.accepted]
    notes = dict.fromkeys(note for report in accepted for note in report.verdict.notes)
    return [f"Note: {clean(note)}" for note in notes]


def _worst(reports: Sequence[Report]) -> Report:
    return min(reports, key=lambda report: _WORST.index(report.verdict.exit_code))


def _indented(text: str) -> list[str]:
    return [f"  {line}" if line else "" for line in text.split("\n")]
