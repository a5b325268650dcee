"""Secrets in files: whole or not there, and never at the price of what was there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from eaa.cli.verdict_secret import write_secret
from eaa.errors import UsageError
from tests.cli.running import process_env

LONG = 8192
#: No file of this process may be longer than 4096 bytes: writing fails half-way, as on a full disk.
HALF = f"""
import resource, signal, sys
from eaa.cli.verdict_reference_compute_signed import write_signed_values
from eaa.cli.verdict_secret import write_secret
from eaa.errors import UsageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({LONG // 2}, {LONG // 2}))
try:
    if sys.argv[2] == "signed":
        write_signed_values(sys.argv[1], bytes({LONG}))
    else:
        write_secret(bytes({LONG}), sys.argv[1], force=sys.argv[2] == "force")
except UsageError as error:
    print(error.code, error)
"""


def half_written(file: Path, how: str) -> str:
    done = subprocess.run(
        [sys.executable, "-B", "-c", HALF, file, how], capture_output=True, check=True, env=process_env()
    )
    assert done.stderr == b""
    return done.stdout.decode()


@pytest.mark.parametrize("how", ["new", "signed"])
def test_what_cannot_be_written_whole_is_not_left_half(tmp_path: Path, how: str) -> None:
    said = half_written(tmp_path / "key.bin", how)
    assert said.startswith("usage.unwritable cannot write")
    assert os.listdir(tmp_path) == []


def test_force_keeps_the_old_secret_until_the_new_one_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "key.bin"
    file.write_bytes(b"the old one")
    assert half_written(file, "force").startswith("usage.unwritable cannot write")
    assert file.read_bytes() == b"the old one"
    assert os.listdir(tmp_path) == ["key.bin"]


def test_force_replaces_a_link_and_not_what_it_leads_to(tmp_path: Path) -> None:
    elsewhere, link = tmp_path / "elsewhere", tmp_path / "key.bin"
    elsewhere.write_bytes(b"somebody's")
    link.symlink_to(elsewhere)
    write_secret(b"new", str(link), force=True)
    assert (link.read_bytes(), elsewhere.read_bytes()) == (b"new", b"somebody's")
    assert not link.is_symlink()
    assert link.stat().st_mode & 0o777 == 0o600


def test_force_leaves_what_is_no_file(tmp_path: Path) -> None:
    """``--out /dev/null --force`` of root would take the device away."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        with pytest.raises(UsageError, match="not a file"):
            write_secret(b"new", str(path), force=True)
    assert pipe.is_fifo()


def test_a_name_that_is_none() -> None:
    with pytest.raises(UsageError, match="cannot write"):
        write_secret(b"new", "a\0b", force=False)
