"""``make demo``: simulated attesters and their verdicts, each with its reason; a real quote; then processes.

Exit code 0 if every verdict is the expected one, 1 if not.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import secrets
import sys
import textwrap
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import click

from eaa.attester.simulated import SimulatedVendor
from eaa.cli.console import clean, silence_stdout
from eaa.cli.demo_broker import broker
from eaa.cli.demo_cases import ACCEPTED, Case, Shown, judge, simulated_cases
from eaa.cli.demo_flow import flow
from eaa.cli.demo_image import image
from eaa.cli.demo_real import find_vectors, real_case
from eaa.errors import EAAError, outcome_of
from eaa.tls.peer import REPORT_DATA_BYTES
from eaa.verify.claims import rfc3339

__all__ = ["main"]

_WIDTH = 100
_TITLE, _VERDICT = 18, 10  # columns
_INDENT = " " * (_TITLE + 2)
_INTERRUPTED = 130
_COLOURS = {ACCEPTED: "green", "note": "yellow"}


def main() -> int:
    """Run the demo; the exit code."""
    try:
        return _run()
    except EAAError as error:
        click.echo(f"Error: {clean(error)} [{error.code}]", err=True)
        return outcome_of(error).exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        silence_stdout()
        return 1


def _run() -> int:
    vendor = SimulatedVendor(now=datetime.now(UTC))
    _write(_introduction(vendor))
    unexpected = _show(simulated_cases(vendor, secrets.token_bytes(REPORT_DATA_BYTES)))
    vectors = find_vectors()
    if vectors is None:
        _write(["", "No real quote was verified: there is no vectors folder (EAA_VECTORS names one)."])
    else:
        unexpected += _show([real_case(vectors)])
    unexpected += _show_processes()
    outcome = f"Not as expected: {unexpected} verdicts." if unexpected else "Every verdict is as expected."
    _write(["", outcome])
    return 1 if unexpected else 0


def _introduction(vendor: SimulatedVendor) -> Iterator[str]:
    root = vendor.root.parsed
    yield "A TDX guest and an SGX enclave on machines of a simulated vendor: no hardware vouches for them."
    yield "Both attest to a fresh challenge, and are judged by the code that judges real quotes."
    yield ""
    yield f"Trust anchor  {root.common_name}"
    yield f"              SHA-256 {hashlib.sha256(root.der).hexdigest()}"
    yield f"Judged as of  {rfc3339(vendor.now)}"


def _show(cases: Iterable[Case]) -> int:
    """The cases with their verdicts, written; how many are not as expected."""
    unexpected, attester = 0, ""
    for case in cases:
        if case.attester != attester:
            attester = case.attester
            _write(["", click.style(attester, bold=True)])
        shown = judge(case)
        _write(_lines(case.title, case.expected, shown))
        unexpected += shown.code != case.expected
    return unexpected


def _show_processes() -> int:
    """As :func:`_show`, of what goes on between processes."""
    unexpected = 0
    for heading, outcomes in itertools.chain(flow(), broker(), image()):
        _write(["", click.style(heading, bold=True)])
        for outcome in outcomes:
            _write(_lines(outcome.title, outcome.expected, outcome.shown))
            unexpected += outcome.shown.code != outcome.expected
    return unexpected


def _lines(title: str, expected: str, shown: Shown) -> Iterator[str]:
    verdict = click.style(
        shown.verdict.upper().ljust(_VERDICT), fg=_COLOURS.get(shown.verdict, "red"), bold=True
    )
    yield f"  {title:{_TITLE}}{verdict}{shown.code}"
    yield from textwrap.wrap(
        clean(shown.reason), _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT, break_on_hyphens=False
    )
    if shown.code != expected:
        yield click.style(f"{_INDENT}UNEXPECTED: should have been {expected}", fg="yellow", bold=True)


def _write(lines: Iterable[str]) -> None:
    # click leaves colours out where stdout is not a terminal.
    color = False if os.environ.get("NO_COLOR") else None
    for line in lines:
        click.echo(line, color=color)


if __name__ == "__main__":
    sys.exit(main())
