"""What a server answered that was no yes, as a command's error and exit code."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import click

from eaa.cli.console import clean
from eaa.errors import OUTCOMES

__all__ = ["UNREACHABLE", "Refused", "exit_code_of"]

#: There is no answer to be had.
UNREACHABLE = 40
_EXIT_CODES: Mapping[str, int] = MappingProxyType(
    {cls.family: outcome.exit_code for cls, outcome in OUTCOMES.items()}
)


class Refused(click.ClickException):
    """The server refused, with a stable code, or did not answer."""

    def __init__(self, message: str, code: str, exit_code: int) -> None:
        super().__init__(clean(f"{message} [{code}]"))
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it of the instance


def exit_code_of(code: str) -> int:
    """The exit code of the server's error ``code``; 1 if it is none of ours."""
    return _EXIT_CODES.get(code.partition(".")[0], 1)
