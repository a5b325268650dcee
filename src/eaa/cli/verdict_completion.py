"""``verdict completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from eaa.cli.console import debug_option, emit
from eaa.errors import InternalError

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
    script = get_completion_class(shell)
    if script is None:
        raise InternalError(f"there is no completion for {shell}", detail="completion")
    emit(script(ctx.find_root().command, {}, "verdict", "_VERDICT_COMPLETE").source())
