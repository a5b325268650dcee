"""``shelter``: the group, its literal table of commands, and how an error leaves the process.

A command's module is imported when the command runs, so that help and completion stay quick.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NoReturn

import click

from eaa import __version__
from eaa.cli.console import EXIT_CODES, clean, debug_option, silence_stdout, wants_traceback
from eaa.errors import EAAError, outcome_of

__all__ = ["COMMANDS", "main", "shelter"]

#: Name → module with a command of that name (``-`` as ``_``), and the line that the group's help shows.
COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "verify": ("eaa.cli.verify", "Verify evidence and appraise it."),
        "inspect": ("eaa.cli.inspect", "Show evidence or an endorsement, without verifying it."),
        "mrverify": ("eaa.cli.mrverify", "Check launch measurements, and record them."),
        "remoteattestation": ("eaa.cli.remoteattestation", "Verify the workload on a node, now."),
        "doctor": ("eaa.cli.doctor", "Say what this machine can attest and verify."),
        "completion": ("eaa.cli.completion", "Print the completion script of a shell."),
    }
)
_INTERRUPTED = 130


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
        try:
            return super().invoke(ctx)
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


def _fail(ctx: click.Context, message: str, exit_code: int) -> NoReturn:
    if wants_traceback(ctx):
        traceback.print_exc()
    click.echo(f"Error: {clean(message)}", err=True)
    ctx.exit(exit_code)


@click.group(
    cls=ShelterGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, "-V", "--version", prog_name="shelter")
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
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    shelter(prog_name="shelter")


if __name__ == "__main__":
    main()
