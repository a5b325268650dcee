"""The import contracts of pyproject.toml hold, and each of them can fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGE, ROOT

LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def lint_imports(source_root: Path) -> subprocess.CompletedProcess[str]:
    config = str(ROOT / "pyproject.toml")
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-logo", "--no-cache", "--config", config],
        cwd=source_root,
        env={**os.environ, "PYTHONPATH": str(source_root), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_contracts_hold() -> None:
    result = lint_imports(PACKAGE.parent)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("codec/intruder.py", "import eaa.evidence", "Imports point down"),
        ("evidence/intruder.py", "import eaa.verify", "Imports point down"),
        ("facade.py", "import eaa.codec", "Imports point down"),
        ("evidence/sgx.py", "import eaa.evidence.tdx", "Sibling TEEs never import each other"),
        ("verify/intruder.py", "import socket", "Pure rooms do not touch the outside world"),
    ],
)
def test_contract_breaks(tmp_path: Path, module: str, line: str, broken: str) -> None:
    shutil.copytree(PACKAGE, tmp_path / "eaa", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "eaa" / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    result = lint_imports(tmp_path)
    assert result.returncode != 0
    assert any(row.startswith(broken) and row.endswith("BROKEN") for row in result.stdout.splitlines()), (
        result.stdout
    )
