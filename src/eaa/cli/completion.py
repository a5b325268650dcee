"""``shelter completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from eaa.cli.console import debug_option, emit
from eaa.errors import InternalError

__all__ = ["completion", "completion_script"]


def completion_script(command: click.Command, program: str, shell: str) -> str:
    """What ``shell`` reads to complete ``program``, the name of ``command``."""
    script = get_completion_class(shell)
    if script is None:
        raise InternalError(f"there is no completion for {shell}", detail="completion")
    return script(command, {}, program, f"_{program.upper()}_COMPLETE").source()


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@debug_option
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL: bash (4.4 or newer), zsh or fish.

    \b
    Examples:
      shelter completion bash > ~/.local/share/bash-completion/completions/shelter
      shelter completion zsh  > "${fpath[1]}/_shelter"
      shelter completion fish > ~/.config/fish/completions/shelter.fish

    The same as running shelter with _SHELTER_COMPLETE=bash_source (zsh_source, fish_source) in the
    environment.
    """
    emit(completion_script(ctx.find_root().command, "shelter", shell))
