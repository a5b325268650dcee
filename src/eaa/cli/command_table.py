"""A group whose commands stand in a literal table.

A command's module is imported when the command runs, so that help and completion stay quick.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, ClassVar

import click

from eaa.cli.invocation import invoke_safely

__all__ = ["TableGroup"]


class TableGroup(click.Group):
    """Commands from ``table``; every error becomes a line on stderr and an exit code.

    ``table``: name → module with a command of that name (``-`` as ``_``), and the line that help shows.
    """

    table: ClassVar[Mapping[str, tuple[str, str]]]

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return None
        module = importlib.import_module(self.table[cmd_name][0])
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.table.items()])

    def invoke(self, ctx: click.Context) -> Any:
        return invoke_safely(ctx, super().invoke)
