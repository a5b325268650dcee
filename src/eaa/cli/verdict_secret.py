"""Secrets come from files or standard input, and go to files or to what is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from eaa.cli.console import silence_stdout
from eaa.cli.files import create_file, replace_file
from eaa.errors import UsageError

__all__ = ["secret_output_options", "write_secret"]

F = TypeVar("F", bound=Callable[..., Any])


def write_secret(data: bytes, file: str | None, *, force: bool) -> None:
    """``data`` to a new file that only its owner reads, or to stdout if that is no terminal.

    With ``force`` a file is replaced, and a terminal gets it too. What fails leaves what was there.

    Raises:
        UsageError: a terminal, a file that is there, or it cannot be written.
    """
    if file is None:
        _to_stdout(data, force)
        return
    try:
        (replace_file if force else create_file)(file, data, 0o600)
    except FileExistsError:
        raise UsageError(f"{file} is there already; --force replaces it", detail="unwritable") from None
    except (OSError, ValueError) as error:  # ValueError of a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot write {file}: {reason}", detail="unwritable") from None


def _to_stdout(data: bytes, force: bool) -> None:
    if sys.stdout is None or (sys.stdout.isatty() and not force):
        raise UsageError(
            "a secret is not shown on a terminal: give --out FILE, a pipe, or --force", detail="terminal"
        )
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except OSError as error:
        silence_stdout()
        raise UsageError(f"cannot write to stdout: {error.strerror}", detail="unwritable") from None


def secret_output_options(function: F) -> F:
    """``--out`` and ``--force``."""
    force = click.option("--force", is_flag=True, help="Replace the file, or write to a terminal.")
    out = click.option("--out", metavar="FILE", help="Write to this new file, mode 0600.  [default: stdout]")
    return out(force(function))
