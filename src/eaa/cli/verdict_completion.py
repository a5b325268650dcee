"""``verdict completion``."""

from __future__ import annotations

import click

from eaa.cli.completion import completion_script
from eaa.cli.console import debug_option, emit

__all__ = ["completion"]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@debug_option
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL: bash (4.4 or newer), zsh or fish.

    \b
    Examples:
      verdict completion bash > ~/.local/share/bash-completion/completions/verdict
    """
    emit(completion_script(ctx.find_root().command, "verdict", shell))
