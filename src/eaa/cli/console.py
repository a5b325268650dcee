"""What reaches the terminal: text that cannot steer it, JSON, nested values, options all commands share."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click

from eaa.errors import UsageError

__all__ = [
    "EXIT_CODES",
    "as_json",
    "clean",
    "columns",
    "debug_option",
    "emit",
    "outline",
    "output_option",
    "silence_stdout",
    "wants_traceback",
]

F = TypeVar("F", bound=Callable[..., Any])

EXIT_CODES = """\b
EXIT CODES
  0   accepted, or the command did what it was asked
  1   it could not be done: an attester, a peer or a storage failed; or an internal error
  2   usage: an option, a file or a setting is not as it must be
  10  rejected: not genuine, not fresh, or not acceptable
  20  unsupported: well-formed, and not a kind that can be verified
  30  malformed: the bytes are not what they claim to be
  40  unavailable: endorsements, or of remoteattestation the node or its workload"""

_DEBUG = "eaa.cli.debug"


def debug_option(function: F) -> F:
    """``--debug``, of the group and of each command."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta[_DEBUG] = True

    option = click.option(
        "--debug", is_flag=True, expose_value=False, callback=remember, help="Show tracebacks of errors."
    )
    return option(function)


def wants_traceback(ctx: click.Context) -> bool:
    return bool(ctx.meta.get(_DEBUG))


def output_option(function: F) -> F:
    """``-o/--output text|json``."""
    option = click.option(
        "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True,
        help="Form of what is written to stdout.",
    )  # fmt: skip
    return option(function)


def emit(text: str) -> None:
    """Write data to stdout. A reader that has left changes nothing about the exit code.

    Raises:
        UsageError: stdout cannot be written to, e.g. a full disk.
    """
    try:
        click.echo(text)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        silence_stdout()
    except OSError as error:
        silence_stdout()
        raise UsageError(f"cannot write to stdout: {error.strerror}", detail="unwritable") from None


def silence_stdout() -> None:
    """Let the interpreter's last flush succeed after the reader has left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2)


def clean(text: object) -> str:
    """``text`` with control characters escaped: what came from outside must not steer the terminal."""
    return "".join(
        char if char == "\n" or char.isprintable() else ascii(char)[1:-1] for char in str(text)
    )  # fmt: skip


def columns(rows: Iterable[Sequence[object]], indent: str = "") -> list[str]:
    """Rows as left-aligned columns, two spaces apart."""
    cells = [[clean(cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    return [
        indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def outline(value: Any, indent: str = "") -> list[str]:
    """A JSON-ready value for people: one line per leaf, nesting as indentation."""
    if isinstance(value, Mapping):
        return [line for key, item in value.items() for line in _entry(f"{clean(key)}:", item, indent)]
    return [line for item in value for line in _entry("-", item, indent)]


def _entry(label: str, item: Any, indent: str) -> list[str]:
    nested = isinstance(item, Mapping) or (
        isinstance(item, list) and any(isinstance(part, Mapping | list) for part in item)
    )
    if nested and item:
        return [f"{indent}{label}", *outline(item, indent + "  ")]
    return [f"{indent}{label} {_leaf(item)}"]


def _leaf(item: Any) -> str:
    match item:
        case None | "":
            return "-"
        case bool():
            return "yes" if item else "no"
        case list() | tuple() | Mapping():
            return ", ".join(clean(part) for part in item) or "none"
        case _:
            return clean(item).replace("\n", "\\n")
