"""``shelter doctor``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import click

from eaa.cli.console import as_json, clean, debug_option, emit, output_option
from eaa.cli.doctor_attest import attesting
from eaa.cli.doctor_item import Item, Status
from eaa.cli.doctor_verify import verifying

__all__ = ["doctor"]

_COLOURS = {Status.PASS: "green", Status.FAIL: "red", Status.SKIP: "yellow"}

_EPILOG = """\b
EXIT CODES
  0  evidence can be verified here
  1  it cannot: a FAIL above says why"""


@click.command(epilog=_EPILOG)
@output_option
@click.option(
    "--root", type=click.Path(path_type=Path), default=Path("/"), hidden=True, help="Look for devices below."
)
@debug_option
@click.pass_context
def doctor(ctx: click.Context, output: str, root: Path) -> None:
    """Say what this machine can attest and what can be verified here, item by item, with reasons.

    Nothing is changed and nothing is sent. PASS is usable, FAIL is there and not usable, SKIP is not
    there or not implemented. Only what verification needs decides the exit code.

    \b
    Examples:
      shelter doctor
      shelter doctor -o json | jq '.items[] | select(.status == "fail")'
    """
    items = (*verifying(datetime.now(UTC)), *attesting(root))
    works = not any(item.needed and item.status is Status.FAIL for item in items)
    if output == "json":
        emit(as_json({"verification_works": works, "items": [item.to_dict() for item in items]}))
    else:
        emit(_render(items, works))
    ctx.exit(0 if works else 1)


def _render(items: Sequence[Item], works: bool) -> str:
    width = max(len(item.name) for item in items)
    lines = []
    for section, group in groupby(items, key=lambda item: item.section):
        lines += ["", section]
        for item in group:
            status = click.style(item.status.upper(), fg=_COLOURS[item.status])
            lines.append(f"  {status}  {item.name.ljust(width)}  {clean(item.reason)}")
    answer = (
        "Evidence can be verified here." if works else "Evidence cannot be verified here: see FAIL above."
    )
    return "\n".join([*lines[1:], "", answer])
