"""docs/reference/shelter.md names every command, option, exit code, kind and JSON member that there is."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from eaa.cli.shelter import COMMANDS, shelter
from eaa.endorsements.evidence_kinds import KIND_NAMES
from eaa.errors import OUTCOMES
from tests.cli.test_verify_verdicts import KEYS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "shelter.md").read_text("utf-8")


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_and_their_options(name: str) -> None:
    assert f"## `shelter {name}" in PAGE
    with click.Context(shelter) as ctx:
        command = shelter.get_command(ctx, name)
    assert command is not None
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            assert any(f"`{word}" in PAGE for word in option.opts), option.name


@pytest.mark.parametrize("key", KEYS)
def test_members(key: str) -> None:
    assert f"| `{key}` |" in PAGE


def test_exit_codes_and_kinds() -> None:
    assert all(f"| {outcome.exit_code} |" in PAGE for outcome in OUTCOMES.values())
    assert all(f"`{kind}`" in PAGE for kind in KIND_NAMES)
