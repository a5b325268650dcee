"""``shelter``: the group, its literal table of commands, and how an error leaves the process.

A command's module is imported when the command runs, so that help and completion stay quick.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import click

from eaa import __version__
from eaa.cli.console import EXIT_CODES, debug_option
from eaa.cli.invocation import invoke_safely, prepare_streams
from eaa.cli.original_options import verbose_option

__all__ = ["COMMANDS", "main", "shelter"]

#: Name → module with a command of that name (``-`` as ``_``), and the line that the group's help shows.
COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "verify": ("eaa.cli.verify", "Verify evidence and appraise it."),
        "inspect": ("eaa.cli.inspect", "Show evidence or an endorsement, without verifying it."),
        "mrverify": ("eaa.cli.mrverify", "Check launch measurements, and record them."),
        "remoteattestation": ("eaa.cli.remoteattestation", "Verify the workload on a node, now."),
        "endorsements": (
            "eaa.cli.endorsements_command",
            "Fetch, carry and watch vendors' certificates and lists.",
        ),
        "doctor": ("eaa.cli.doctor", "Say what this machine can attest and verify."),
        "completion": ("eaa.cli.completion", "Print the completion script of a shell."),
    }
)


class ShelterGroup(click.Group):
    """Commands from :data:`COMMANDS`; every error becomes a line on stderr and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        return invoke_safely(ctx, super().invoke)


@click.group(
    cls=ShelterGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, "-V", "-v", "--version", prog_name="shelter")
@verbose_option
@debug_option
@click.pass_context
def shelter(ctx: click.Context) -> None:
    """Verify what a hardware-protected environment says about itself.

    Everything works offline, from files. Data goes to stdout, diagnostics to stderr.

    \b
    Examples:
      shelter inspect quote.bin
      shelter verify quote.bin --collateral collateral.json
      shelter doctor
    """
    if os.environ.get("NO_COLOR"):
        ctx.color = False


def main() -> None:
    """The console script."""
    prepare_streams()
    shelter(prog_name="shelter")


if __name__ == "__main__":
    main()
