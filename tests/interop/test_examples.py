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
            client = run("attested_httpx.py", tmp_path / "vendor", f"{url}/hello")
            several = run("attested_httpx_async.py", tmp_path / "vendor", f"{url}/a", f"{url}/b")
        finally:
            server.terminate()
    assert client.stdout.startswith('{"path": "/hello", "client_proven": false}\nproven True, MRENCLAVE ')
    assert client.returncode == 0, client.stderr
    assert [line.partition(", MRENCLAVE ")[0] for line in several.stdout.splitlines()] == [
        f'{{"path": "/{name}", "client_proven": false}} proven True' for name in "ab"
    ]
    assert several.returncode == 0, several.stderr


def run(example: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / example), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
