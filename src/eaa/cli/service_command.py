"""What commands that serve have in common: errors as exit codes, one-line logs, notes before they begin."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from eaa.cli.console import clean
from eaa.cli.invocation import invoke_safely
from eaa.cli.options import with_options

__all__ = [
    "ServiceCommand",
    "configure_logging",
    "given_flags",
    "log_notes",
    "process_options",
    "say",
    "worker_option",
]

F = TypeVar("F", bound=Callable[..., Any])

_LOG = logging.getLogger("eaa.service")
_PATH: click.Path = click.Path(path_type=Path)
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
    "off": logging.CRITICAL + 1,
}


class ServiceCommand(click.Command):
    """Every error becomes a line on stderr and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        return invoke_safely(ctx, super().invoke)


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


def process_options(function: F) -> F:
    """What services of one configuration file have alike: where it is, processes, the log."""
    options = (
        click.option("-C", "--config", type=_PATH, metavar="FILE", help="Configuration, TOML."),
        click.option(
            "--state-directory", type=_PATH, metavar="DIR",
            help="Where files are kept that are not configured otherwise.",
        ),
        click.option("--storage", metavar="URL", help="sqlite:///PATH or postgresql://USER@HOST/DATABASE."),
        click.option(
            "--workers", type=int, metavar="N", help="Processes that share the ports.  [default: 1]"
        ),
        click.option(
            "--drain-seconds", type=float, metavar="SECONDS",
            help="What open requests are given to end.  [default: 20]",
        ),
        click.option("--log-level", type=click.Choice(list(_LEVELS))),
        click.option("--log-format", type=click.Choice(["json", "text"])),
        click.option("--check", is_flag=True, help="Say whether the configuration is sound, and end."),
        worker_option,
    )  # fmt: skip
    return with_options(function, options)


def worker_option(function: F) -> F:
    """The descriptors of a process that a supervisor has started: its control socket's, then the others'."""
    option = click.option("--worker-descriptors", callback=_descriptors, hidden=True, is_eager=True)
    return option(function)


def _descriptors(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    return tuple(int(part) for part in value.split(",")) if value else None


def given_flags(values: dict[str, Any], places: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Click's ``values`` that were given, nested by ``places``: tables and key in the configuration."""
    given: dict[str, Any] = {}
    for name, place in places.items():
        value = values.pop(name)
        if value is not None and value != ():
            table = given
            for part in place[:-1]:
                table = table.setdefault(part, {})
            table[place[-1]] = value
    return given


def say(text: str) -> None:
    """A line on stderr, whatever the level of the log."""
    click.echo(clean(text), err=True)
