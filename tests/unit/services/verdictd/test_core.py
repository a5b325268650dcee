"""What the process makes of its configuration before it serves."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from eaa.services.verdictd.config import load_config
from eaa.services.verdictd.core import _credentials


@pytest.fixture
def permissive() -> Iterator[None]:
    """A umask under which the group may write to what is made."""
    before = os.umask(0o002)
    yield
    os.umask(before)


@pytest.mark.usefixtures("permissive")
def test_the_state_directory_is_the_owners_also_without_a_database_in_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    _credentials(load_config(None, {"state_directory": state}, {}))
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
