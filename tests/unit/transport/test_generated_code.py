"""The code of gRPC's messages is what protoc writes of their sources."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[3] / "src"
WIRE = "eaa/transport/grpc/wire"


@pytest.mark.parametrize("name", sorted(path.stem for path in (SOURCES / WIRE).glob("*.proto")))
def test_generated_code_is_that_of_its_source(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", str(SOURCES), f"--python_out={tmp_path}"]
    command += [f"--pyi_out={tmp_path}", f"{WIRE}/{name}.proto"]
    subprocess.run(command, check=True, timeout=60, cwd=SOURCES)
    for suffix in ("py", "pyi"):
        file = f"{WIRE}/{name}_pb2.{suffix}"
        assert (tmp_path / file).read_text("utf-8") == (SOURCES / file).read_text("utf-8")
