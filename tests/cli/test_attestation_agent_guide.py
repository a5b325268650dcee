"""docs/guide/attestation-agent.md: what it says to try without hardware runs as it is written."""

from __future__ import annotations

import hashlib
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.cli.running import process_env

GUIDE = (Path(__file__).resolve().parents[2] / "docs/guide/attestation-agent.md").read_text("utf-8")
MODULES = {"verdictd": "verdictd", "verdict": "verdict_main", "attestation-agent": "attestation_agent"}
SECONDS = 120


def free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def commands() -> list[str]:
    """The lines of the block, those that go on in the next one joined."""
    section = GUIDE.partition("## Try it without hardware")[2]
    block = re.search(r"^```sh\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    assert block is not None
    return block[1].replace("\\\n", " ").splitlines()


@pytest.mark.parametrize("guest", ["simulated-tdx", "simulated-snp"])  # the latter in place of the former
def test_it_runs_as_it_is_written(tmp_path: Path, guest: str) -> None:
    http, channel = free_ports(2)
    # Its own ports and folders, so that it meets nothing of this machine.
    own = f"--http 127.0.0.1:{http} --client-api '' --metrics '' --state-directory {tmp_path}/state"
    for name, module in MODULES.items():
        program = tmp_path / name
        options = own if name == "verdictd" else ""
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m eaa.cli.{module} {options} "$@"\n')
        program.chmod(0o755)
    env = process_env(
        {
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "EAA_SIMULATED_DIR": str(tmp_path / "vendor"),
            "VERDICTD_URL": f"http://127.0.0.1:{http}",
            "VERDICT_ADMIN_KEY": str(tmp_path / "state/admin/admin-key.pem"),
        }
    )
    service, *rest = (
        line.replace("127.0.0.1:1234", f"127.0.0.1:{channel}").replace("simulated-tdx", guest)
        for line in commands()
    )
    assert service.startswith("verdictd ")
    with subprocess.Popen(
        ["/bin/sh", "-c", f"exec {service.removesuffix('&')}"], cwd=tmp_path, env=env,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as verdictd:  # fmt: skip
        try:
            wait_for(http)
            said = ""
            for line in rest:
                done = subprocess.run(
                    ["/bin/bash", "-o", "pipefail", "-c", line], cwd=tmp_path, env=env, text=True,
                    capture_output=True, timeout=SECONDS, check=False,
                )  # fmt: skip
                assert done.returncode == 0, (line, done.stderr)
                said = done.stdout
        finally:
            verdictd.terminate()
            verdictd.wait(SECONDS)
    assert said.split()[0] == hashlib.sha256((tmp_path / "key.bin").read_bytes()).hexdigest()


def wait_for(port: int) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("verdictd does not serve")
