"""Secrets come from files or standard input, and go to files or to what is no terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import click

from eaa.cli.console import silence_stdout
from eaa.errors import UsageError

__all__ = ["secret_output_options", "write_secret"]

F = TypeVar("F", bound=Callable[..., Any])


def write_secret(data: bytes, file: str | None, *, force: bool) -> None:
    """``data`` to a new file that only its owner reads, or to stdout if that is no terminal.

    With ``force`` a file is replaced, and a terminal gets it too.

    Raises:
        UsageError: a terminal, a file that is there, or it cannot be written.
    """
    if file is None:
        _to_stdout(data, force)
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_EXCL
    try:
        if force:
            with suppress(FileNotFoundError):
                os.unlink(file)
        with open(os.open(file, flags, 0o600), "wb") as stream:
            stream.write(data)
    except FileExistsError:
        raise UsageError(f"{file} is there already; --force replaces it", detail="unwritable") from None
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}", detail="unwritable") from None


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
