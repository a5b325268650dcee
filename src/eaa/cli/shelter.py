"""``shelter``: the group, and its literal table of commands."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType

import click

from eaa import __version__
from eaa.cli.command_table import TableGroup
from eaa.cli.console import EXIT_CODES, debug_option
from eaa.cli.invocation import prepare_streams
from eaa.cli.original_options import verbose_option

__all__ = ["COMMANDS", "main", "shelter"]

#: As :class:`eaa.cli.command_table.TableGroup` has it.
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


class ShelterGroup(TableGroup):
    """Commands from :data:`COMMANDS`."""

    table = COMMANDS


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
