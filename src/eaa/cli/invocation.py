"""How every command ends: an error is a line on stderr and an exit code, never a traceback unasked."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import click

from eaa.cli.console import clean, silence_stdout, wants_traceback
from eaa.errors import EAAError, outcome_of

__all__ = ["invoke_safely", "prepare_streams"]

_INTERRUPTED = 130


def invoke_safely(ctx: click.Context, invoke: Callable[[click.Context], Any]) -> Any:
    """``invoke(ctx)``; what it raises becomes a line on stderr and an exit code."""
    try:
        return invoke(ctx)
    except EAAError as error:
        _fail(ctx, f"{error} [{error.code}]", outcome_of(error).exit_code)
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except KeyboardInterrupt:
        _fail(ctx, "interrupted", _INTERRUPTED)
    except BrokenPipeError:
        # The reader of --help or of a listing has left; a verdict keeps its own exit code (console.emit).
        silence_stdout()
        ctx.exit(1)
    except Exception as error:  # the last resort: nobody is shown a traceback unasked
        name = type(error).__name__
        _fail(ctx, f"internal error ({name}: {error}); please report it. --debug shows where.", 1)


def prepare_streams() -> None:
    """What cannot be encoded for the terminal is escaped."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _fail(ctx: click.Context, message: str, exit_code: int) -> NoReturn:
    if wants_traceback(ctx):
        traceback.print_exc()
    click.echo(clean(f"Error: {message}"), err=True)
    ctx.exit(exit_code)
