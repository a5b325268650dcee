"""Running ``shelter``: in this process, or as the process that users start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from eaa.cli.shelter import shelter

SOURCES = Path(__file__).resolve().parents[2] / "src"


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


def run(*args: object, stdin: bytes = b"", color: bool = False) -> Run:
    """``shelter`` in this process; an error that it lets through fails the test."""
    result = CliRunner().invoke(shelter, [str(arg) for arg in args], input=stdin, color=color)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return Run(result.exit_code, result.stdout, result.stderr)


def start(*args: object, stdin: bytes = b"", env: Mapping[str, str] | None = None, **kwargs: Any) -> Run:
    """``shelter`` as a process of its own, as its console script starts it."""
    code = "from eaa.cli.shelter import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *(str(arg) for arg in args)],
        input=stdin,
        capture_output=True,
        timeout=120,
        check=False,
        env=process_env(env),
        **kwargs,
    )
    return Run(done.returncode, done.stdout.decode(), done.stderr.decode())


def process_env(env: Mapping[str, str] | None = None) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCES), **(env or {})}
