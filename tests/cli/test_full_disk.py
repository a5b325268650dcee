"""Commands that write documents to a stdout that takes none: the caller's error, not one of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import process_env


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("eaa.cli.verdict_main", ("reference", "signer", "--store", "{}")),
        ("eaa.cli.attestation_agent", ("--attester=simulated-tdx", "--simulated-dir={}", "evidence")),
    ],
)
def test_a_full_disk(tmp_path: Path, module: str, arguments: tuple[str, ...]) -> None:
    given = [argument.format(tmp_path / "made") for argument in arguments]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", module, *given],
            stdout=full, stderr=subprocess.PIPE, timeout=120, check=False, env=process_env(),
        )  # fmt: skip
    assert done.returncode == 2
    assert b"Error: cannot write to stdout: No space left" in done.stderr
