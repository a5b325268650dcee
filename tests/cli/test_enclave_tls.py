"""``enclave-tls-server`` and ``enclave-tls-client`` as processes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.serving import Serving, finish, serving

NAMES = ("-a", "simulated", "-v", "simulated")


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"EAA_SIMULATED_DIR": str(tmp_path / "vendor")}


@pytest.fixture
def server(env: dict[str, str]) -> Iterator[Serving]:
    with serving("enclave_tls_server", "-p", 0, "-m", *NAMES, env=env) as started:
        yield started


def test_message_comes_back_and_what_was_proven_is_said(server: Serving, env: dict[str, str]) -> None:
    run = finish("enclave_tls_client", "-p", server.port, "-m", *NAMES, "--message", "hello", env=env)
    assert run.code == 0, run.err
    assert run.out.splitlines()[0] == "proven: sgx evidence, bound to this connection (exporter-v1)"
    assert run.out.splitlines()[-1] == "Server: hello"
    assert "no measurement is compared" in run.err
    assert server.stop() == 0
    assert server.lines[-1].endswith("stopped")


def test_server_outlives_clients_that_it_refuses(
    server: Serving, env: dict[str, str], tmp_path: Path
) -> None:
    other = {"EAA_SIMULATED_DIR": str(tmp_path / "other")}
    run = finish("enclave_tls_client", "-p", server.port, "-m", *NAMES, env=other)
    assert run.code in (1, 10)  # each refuses the other: told so by the server, or found out first
    assert run.out == ""
    assert "chain.untrusted_root" in run.err
    with socket.create_connection(("127.0.0.1", int(server.port))) as garbage:
        garbage.sendall(b"GET / HTTP/1.1\r\n\r\n")
        garbage.recv(100)
    one_way = finish("enclave_tls_client", "-p", server.port, "-v", "simulated", env=env)
    assert one_way.code == 1
    assert "Server:" not in one_way.out
    assert finish("enclave_tls_client", "-p", server.port, "-m", *NAMES, env=env).code == 0


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("-a", "nullattester", "-p", "0"), 2, "--unsafe-null"),
        (("-a", "sgx_ecdsa", "-p", "0"), 1, "sgx_ecdsa does not work here"),
        (("-a", "unheard_of"), 2, "there is no attester instance"),
        (("-a", "simulated", "-t", "wolfssl"), 2, "there is no tls instance"),
        (("-a", "simulated", "-c", "mbedtls"), 2, "there is no crypto instance"),
        (("-a", "simulated", "-v", "sgx_la", "-m"), 20, "not implemented"),
        (("-a", "simulated", "-p", "70000"), 2, "--port"),
        (("-a", "simulated", "-v", "simulated", "-m", "--trust-anchor", "x.pem"), 2, "does not go with it"),
        (("-a", "simulated", "-i", "192.0.2.1", "-p", "0"), 2, "cannot listen"),
    ],
)
def test_what_cannot_be_is_said_before_serving(
    args: tuple[str, ...], code: int, said: str, env: dict[str, str]
) -> None:
    run = finish("enclave_tls_server", *args, env=env)
    assert run.code == code, run.err
    assert said in run.err
    assert "listening on" not in run.err


def test_options_of_the_samples_are_taken_and_said_to_do_nothing(env: dict[str, str]) -> None:
    options = ("-P", "--product-enclave", "-D", "-e", "-t", "openssl", "-c", "openssl", "-l", "info")
    with serving("enclave_tls_server", "-i", "127.0.0.1", "-p", 0, "-m", *NAMES, *options, env=env) as server:
        run = finish("enclave_tls_client", "-p", server.port, "-m", *NAMES, *options, env=env)
        assert run.code == 0, run.err
        assert server.stop() == 0
    for lines in (run.err.splitlines(), server.lines):
        for word in ("-P/--product-enclave", "-D/--debug-enclave", "-e/--endorsements"):
            assert sum(line.startswith(f"{word} has no effect: ") for line in lines) == 1


def test_manifest_environment(env: dict[str, str]) -> None:
    manifest = {
        "ENCLAVE_TYPE": "intelSgx",
        "RUNE_CARRIER": "occlum",
        "ENCLAVE_RUNTIME_LOGLEVEL": "debug",
        "ENCLAVE_RUNTIME_PATH": "/opt/occlum/build/lib/libocclum-pal.so.0.21.0",
        "ENCLAVE_RUNTIME_ARGS": "occlum_workspace_server",
        "OCCLUM_RELEASE_ENCLAVE": "1",
    }
    with serving("enclave_tls_server", "-p", 0, "-a", "simulated", env={**env, **manifest}) as server:
        assert server.stop() == 0
    text = "\n".join(server.lines)
    assert "RUNE_CARRIER has no meaning here" in text
    assert " DEBUG " in text


def test_null_instances_say_so_each_time(env: dict[str, str]) -> None:
    null = ("-a", "nullattester", "-v", "nullverifier", "--unsafe-null")
    with serving("enclave_tls_server", "-p", 0, *null, env=env) as server:
        run = finish("enclave_tls_client", "-p", server.port, *null, env=env)
    assert run.code == 0, run.err
    assert "nothing was proven about the server" in run.out
    assert "nullverifier: nothing was proven" in run.err


def test_nobody_there(env: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    run = finish("enclave_tls_client", "-p", port, "-v", "simulated", env=env)
    assert run.code == 1
    assert "cannot connect to tcp://127.0.0.1" in run.err
