"""``inclavared`` as processes."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.serving import Serving, finish, serving, until

NAMES = ("--attester", "simulated", "--verifier", "simulated")
LOCAL = ("--listen", "127.0.0.1:0", "--mutual", *NAMES)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"EAA_SIMULATED_DIR": str(tmp_path / "vendor")}


@pytest.fixture
def workload(env: dict[str, str]) -> Iterator[Serving]:
    with serving("enclave_tls_server", "-p", 0, "-m", *NAMES, env=env) as started:
        yield started


def fetch(service: Serving, path: str) -> tuple[int, str]:
    base = service.said(r"metrics on (\S+)/metrics")
    try:
        with urllib.request.urlopen(base + path, timeout=5) as response:  # noqa: S310 - http on loopback
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def talk(service: Serving, env: dict[str, str]) -> str:
    run = finish("enclave_tls_client", "-p", service.port, "-v", "simulated", "--message", "hello", env=env)
    assert run.code == 0, run.err
    return run.out.splitlines()[-1]


@pytest.mark.parametrize("workers", [1, 2])
def test_flow(workload: Serving, env: dict[str, str], workers: int) -> None:
    options = ("--xfer", f"127.0.0.1:{workload.port}", "--metrics", "0", "--workers", workers)
    with serving("inclavared", *LOCAL, *options, env=env) as service:
        assert talk(service, env) == "Server: hello"
        asked = finish("inclavared", "-c", f"127.0.0.1:{service.port}", "--verifier", "simulated", env=env)
        assert asked.code == 0, asked.err
        assert json.loads(asked.out)["msgtype"] == "ENCLAVEINFO"
        until(lambda: fetch(service, "/readyz") == (200, "ready\n"))
        assert fetch(service, "/healthz") == (200, "ok\n")
        assert fetch(service, "/elsewhere")[0] == 404
        wanted = 'eaa_inclavared_forwarded_bytes_total{direction="upstream"} 5'
        until(lambda: wanted in fetch(service, "/metrics")[1])
        for line in fetch(service, "/metrics")[1].splitlines():
            assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? [0-9.e+]+', line), line
        service.process.send_signal(signal.SIGHUP)
        until(lambda: any("renewed" in line for line in service.lines))
        assert talk(service, env) == "Server: hello"
        assert service.stop() == 0


def test_dead_process_is_started_again(workload: Serving, env: dict[str, str]) -> None:
    options = ("--xfer", f"127.0.0.1:{workload.port}", "--metrics", "0", "--workers", "2")
    with serving("inclavared", *LOCAL, *options, env=env) as service:
        children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text()
        os.kill(int(children.split()[0]), signal.SIGKILL)
        until(lambda: "eaa_inclavared_worker_restarts_total 1" in fetch(service, "/metrics")[1])
        for _ in range(3):
            assert talk(service, env) == "Server: hello"
        assert service.stop() == 0
    assert sum("ended with -9" in line for line in service.lines) == 1


def test_unix_socket_and_absent_workload(env: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "socket"
    options = ("--xfer", tmp_path / "workload", "--metrics", "127.0.0.1:0", "--workers", 1)
    with serving("inclavared", "-l", path, "-m", *NAMES, *options, env=env) as service:
        assert service.address == f"unix://{path}"
        until(lambda: "upstream_unreachable" in fetch(service, "/readyz")[1])
        assert fetch(service, "/readyz")[0] == 503
        asked = finish("inclavared", "-c", path, "--verifier", "simulated", env=env)
        assert json.loads(asked.out)["error"]["code"] == "remote_protocol.upstream_unreachable"
        assert service.stop() == 0
    assert not path.exists()


def test_the_enclave_of_the_original_is_taken_and_said_to_do_nothing(env: dict[str, str]) -> None:
    file = "/usr/share/enclave-tls/samples/sgx_stub_enclave.signed.so"
    options = ("-l", "127.0.0.1:0", "-x", "127.0.0.1:1", "-m", "-e", file, "--workers", 2)
    with serving("inclavared", *options, *NAMES, env=env) as service:
        assert service.stop() == 0
    assert sum("-e/--enclave has no effect: no enclave is loaded" in line for line in service.lines) == 1


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("--listen", "127.0.0.1:99999"), 2, "expected a port"),
        (("--listen", "ftp://127.0.0.1:1"), 2, "expected tcp://"),
        (("--metrics", "0.0.0.0:9100"), 2, "loopback"),
        (("--attester", "sgx_ecdsa", "--verifier", "sgx_ecdsa_qve", "--mutual"), 1, "does not work here"),
        (("--verifier", "nullverifier", "--attester", "simulated"), 2, "--unsafe-null"),
        (("--workers", "0"), 2, "--workers"),
    ],
)
def test_what_cannot_be_is_said_before_serving(
    args: tuple[str, ...], code: int, said: str, env: dict[str, str]
) -> None:
    run = finish("inclavared", *args, env=env)
    assert run.code == code, run.err
    assert said in run.err
    assert "listening on" not in run.err
