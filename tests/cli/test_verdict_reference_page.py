"""docs/reference/verdict.md names every command, option, exit code and route that there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from eaa.broker.administration import Role
from eaa.cli.verdict_main import COMMANDS, EXIT_CODES, ORIGINAL, verdict

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "verdict.md").read_text("utf-8")
#: Explained once for all commands.
COMMON = {"--debug", "-o", "--output", "--help"}


def commands() -> Iterator[tuple[str, click.Command]]:
    with click.Context(verdict) as ctx:
        for name in COMMANDS:
            command = verdict.get_command(ctx, name)
            assert command is not None
            yield name, command
            if isinstance(command, click.Group):
                yield from ((f"{name} {inner}", item) for inner, item in command.commands.items())


@pytest.mark.parametrize(("name", "command"), tuple(commands()), ids=str)
def test_commands_and_their_options(name: str, command: click.Command) -> None:
    outer, _, inner = name.partition(" ")
    assert f"`verdict {outer}" in PAGE
    section = PAGE.partition(f"`verdict {outer}")[2]
    assert not inner or f"`{inner}" in section
    for option in command.params:
        if isinstance(option, click.Option) and not set(option.opts) & COMMON:
            assert any(f"`{word}" in PAGE for word in option.opts), option.name


def test_options_of_the_original() -> None:
    for name, (values, _) in ORIGINAL.items():
        assert f"| `{' '.join((f'--{name}', *values))}` |" in PAGE


def test_exit_codes_and_roles() -> None:
    codes = [line.split()[0] for line in EXIT_CODES.splitlines() if line.strip()[:1].isdigit()]
    assert len(codes) == 7
    assert all(f"| {code} |" in PAGE for code in codes)
    assert all(f"| `{role}` |" in PAGE for role in Role)
