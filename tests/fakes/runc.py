"""The real ``runc``, for bundles that were unpacked."""

from __future__ import annotations

import json
import secrets
import subprocess
from pathlib import Path

from tests.fakes.skopeo import require_program

__all__ = ["run_bundle"]

_SECONDS = 60


def run_bundle(bundle: Path, folder: Path, *command: str) -> str:
    """What the image of ``bundle`` says, or ``command`` in it; runc keeps its state in ``folder``."""
    if command:
        config = json.loads((bundle / "config.json").read_text())
        config["process"]["args"] = list(command)
        (bundle / "config.json").write_text(json.dumps(config))
    runc, name = require_program("runc", "runc"), f"eaa-{secrets.token_hex(8)}"
    done = subprocess.run(
        [runc, "--root", str(folder / "runc"), "run", "--bundle", str(bundle), name],
        capture_output=True, timeout=_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()
