"""``verdictd --rewrap`` and ``--rotate-data-key``: the steps of the guide to master keys."""

from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import Run, process_env


@pytest.fixture
def new_key(tmp_path: Path) -> str:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    file = folder / "new.key"
    file.touch(mode=0o600)
    file.write_bytes(secrets.token_bytes(32))
    return f"file:{file}"


def verdictd(state: Path, *options: str, key: str = "", former: str = "") -> Run:
    env = process_env({"VERDICTD_STATE_DIRECTORY": str(state), "VERDICTD_STORAGE__MASTER_KEY": key})
    if former:
        env["VERDICTD_STORAGE__FORMER_MASTER_KEYS"] = f'["{former}"]'
    done = subprocess.run(
        [sys.executable, "-m", "eaa.cli.verdictd", *options],
        capture_output=True, timeout=120, check=False, env=env,
    )  # fmt: skip
    return Run(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_the_master_key_is_changed_as_the_guide_says(tmp_path: Path, new_key: str) -> None:
    state = tmp_path / "state"
    old_key = f"file:{state / 'master.key'}"
    first, second = (verdictd(state, "--rotate-data-key") for _ in range(2))
    assert (first.code, second.code) == (0, 0)
    assert first.err != second.err  # the ids of two data keys
    early = verdictd(state, "--rewrap", key=new_key)
    assert early.code != 0  # without the old one nothing can be read, and nothing is lost
    swapped = verdictd(state, "--rewrap", key=new_key, former=old_key)
    assert (swapped.code, swapped.out) == (0, "")
    assert swapped.err == "2 data keys are wrapped with the configured master key\n"
    assert verdictd(state, "--rewrap", key=new_key).code == 0  # the old one is needed no more
    assert verdictd(state, "--rewrap").code != 0


def test_one_thing_at_a_time(tmp_path: Path) -> None:
    done = verdictd(tmp_path / "state", "--check", "--rotate-data-key")
    assert done.code == 2
    assert "exclude each other" in done.err
    assert not (tmp_path / "state").exists()
