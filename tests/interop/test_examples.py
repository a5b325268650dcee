"""The examples run as their docstrings say, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_asgi_and_httpx(tmp_path: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, EXAMPLES / "attested_asgi.py", tmp_path / "vendor"],
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            client = subprocess.run(
                [sys.executable, EXAMPLES / "attested_httpx.py", tmp_path / "vendor", f"{url}/hello"],
                capture_output=True, text=True, timeout=30, check=False,
            )  # fmt: skip
        finally:
            server.terminate()
    assert client.stdout.startswith('{"path": "/hello", "client_proven": false}\nproven True, MRENCLAVE ')
    assert client.returncode == 0, client.stderr
