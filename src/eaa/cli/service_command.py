"""What commands that serve have in common: errors as exit codes, one-line logs, notes before they begin."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterable
from typing import Any, NoReturn

import click

from eaa.cli.console import clean, silence_stdout, wants_traceback
from eaa.errors import EAAError, outcome_of

__all__ = ["ServiceCommand", "configure_logging", "log_notes", "prepare_streams", "say"]

_LOG = logging.getLogger("eaa.service")
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
    "off": logging.CRITICAL + 1,
}
_INTERRUPTED = 130


class ServiceCommand(click.Command):
    """Every error becomes a line on stderr and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EAAError as error:
            _fail(ctx, f"{error} [{error.code}]", outcome_of(error).exit_code)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            _fail(ctx, "interrupted", _INTERRUPTED)
        except BrokenPipeError:
            silence_stdout()
            ctx.exit(1)
        except Exception as error:  # the last resort: nobody is shown a traceback unasked
            name = type(error).__name__
            _fail(ctx, f"internal error ({name}: {error}); please report it. --debug shows where.", 1)


class _OneLine(logging.Formatter):
    """Time, level, logger and message; what came from outside cannot begin a line of its own."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03d"

    def format(self, record: logging.LogRecord) -> str:
        return clean(super().format(record)).replace("\n", "\\n")


def configure_logging(level: str) -> None:
    """Log to stderr from ``level`` on, as the originals name levels."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("eaa").setLevel(_LEVELS[level.lower()])
    if level.lower() == "off":
        logging.disable()


def log_notes(notes: Iterable[str]) -> None:
    for note in notes:
        _LOG.warning("%s", note)


def say(text: str) -> None:
    """A line on stderr, whatever the level of the log."""
    click.echo(clean(text), err=True)


def prepare_streams() -> None:
    """What cannot be encoded for the terminal is escaped."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _fail(ctx: click.Context, message: str, exit_code: int) -> NoReturn:
    if wants_traceback(ctx):
        traceback.print_exc()
    say(f"Error: {message}")
    ctx.exit(exit_code)
