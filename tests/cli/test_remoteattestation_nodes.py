"""Several nodes, addresses and files of them, and nodes that cannot be reached."""

from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eaa.cli.nodes import DEFAULT_NODE, parse_nodes
from eaa.errors import ConfigError, UsageError
from tests.cli.forwarders import WORKLOAD, Machine, serving
from tests.cli.running import process_env, run

NOBODY = "tcp://127.0.0.1:1"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "vendor")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    assert run("mrverify", "--mr-enclave", WORKLOAD.hex(), "--store", tmp_path / "store").code == 0
    return tmp_path / "store"


@pytest.fixture
def good(machine: Machine) -> Iterator[str]:
    with serving(machine, machine.honest()) as address:
        yield address


@pytest.fixture
def bad(machine: Machine) -> Iterator[str]:
    with serving(machine, machine.honest(b"\x33" * 32)) as address:
        yield address


def test_one_bad_node_fails_all_and_the_table_says_which(
    machine: Machine, store: Path, good: str, bad: str, tmp_path: Path
) -> None:
    file = tmp_path / "nodes"
    file.write_text(f"# the cluster\n{good}\n\n{bad}  # new\n{NOBODY}\n{good}\n")
    options = ("--nodes", file, *machine.trusted, "--store", store)
    done = run("remoteattestation", *options)
    assert (done.code, done.err) == (10, "")
    assert done.out.startswith("Remote attestation failed: appraisal.mr_enclave: ")
    assert "1 of 3 nodes passed" in done.out
    rows = {row.split()[0]: row.split()[1:3] for row in done.out.splitlines() if row.startswith("tcp://1")}
    assert rows[good] == ["accepted", "accepted"]
    assert rows[bad] == ["rejected", "appraisal.mr_enclave"]
    assert rows[NOBODY] == ["unavailable", "unavailable.connection"]
    listed = json.loads(run("remoteattestation", *options, "-o", "json").out)
    assert [(item["address"], item["exit_code"]) for item in listed] == [(good, 0), (bad, 10), (NOBODY, 40)]


def test_all_good(machine: Machine, store: Path, good: str) -> None:
    with serving(machine, machine.honest()) as other:
        done = run("remoteattestation", "--addr", good, "--addr", other, *machine.trusted, "--store", store)
    assert done.code == 0
    assert done.out.startswith("Remote attestation is successful\n  2 of 2 nodes passed\n")


def test_first_contact_with_nodes_that_differ_records_nothing(
    machine: Machine, tmp_path: Path, good: str, bad: str
) -> None:
    store = tmp_path / "new"
    options = (*machine.trusted, "--store", store, "--record", "-o", "json")
    listed = json.loads(run("remoteattestation", "--addr", good, "--addr", bad, *options).out)
    assert [item["code"] for item in listed] == ["appraisal.reference_values"] * 2
    assert not store.exists()
    alike = json.loads(run("remoteattestation", "--addr", good, "--addr", NOBODY, *options).out)
    assert [item["exit_code"] for item in alike] == [0, 40]


def test_nobody_there(machine: Machine, store: Path) -> None:
    done = run("remoteattestation", "--addr", NOBODY, *machine.trusted, "--store", store)
    assert done.code == 40
    assert done.out.startswith(
        "Remote attestation failed: unavailable.connection: nobody can be reached; "
        f"tried {NOBODY}: Connection refused\n"
    )


def test_somebody_who_says_nothing(machine: Machine, store: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        done = run(
            "remoteattestation", "--addr", address, *machine.trusted, "--store", store, "--timeout", 0.3
        )  # fmt: skip
    assert done.code == 40
    assert "unavailable.timeout" in done.out


def test_a_node_that_does_not_speak_tls(machine: Machine, store: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, subprocess.Popen(
        [sys.executable, "-c", "import os,sys; s=__import__('socket').socket(fileno=int(sys.argv[1]));"
         "c=s.accept()[0]; c.sendall(b'220 hello\\r\\n'*9); c.recv(9)", str(server.fileno())],
        pass_fds=(server.fileno(),),
    ) as process:  # fmt: skip
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        done = run("remoteattestation", "--addr", address, *machine.trusted, "--store", store)
        process.kill()
    assert done.code == 1
    assert done.out.startswith("Remote attestation failed: remote_protocol.")


def test_the_addresses_of_the_original() -> None:
    assert parse_nodes((), None) == (DEFAULT_NODE,)
    assert DEFAULT_NODE.addresses == ("tcp://127.0.0.1:1234", "unix:///run/enclave-tls/tls.sock")


@pytest.mark.parametrize("text", ["10.0.0.5:1236", "http://a:1", "tcp://a", "unix://"])
def test_no_address(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        parse_nodes((text,), None)
    (tmp_path / "nodes").write_text(f"\n{text}\n")
    with pytest.raises(ConfigError, match="line 2"):
        parse_nodes((), str(tmp_path / "nodes"))
    done = run("remoteattestation", "--addr", text)
    assert (done.code, done.out) == (2, "")


def test_a_file_without_nodes(tmp_path: Path) -> None:
    (tmp_path / "nodes").write_bytes(b"# none\n")
    with pytest.raises(ConfigError, match="0 addresses"):
        parse_nodes((), str(tmp_path / "nodes"))


@pytest.mark.parametrize(
    "options",
    [
        ("--record", "--allow-any-measurement"), ("--record", "--reference", "x"), ("--tls", "wolfssl"),
        ("--verifier", "magic"), ("--timeout", "0"), ("--nodes", "/nonexistent"),
    ],
)  # fmt: skip
def test_usage(options: tuple[str, ...], tmp_path: Path) -> None:
    done = run("remoteattestation", "--addr", NOBODY, "--store", tmp_path, *options)
    assert (done.code, done.out) == (2, "")
    assert "Error: " in done.err


def test_progress_goes_to_a_terminal(machine: Machine, store: Path, good: str) -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "eaa.cli.shelter", "remoteattestation", "--addr", good, "--addr", NOBODY,
         *machine.trusted, "--store", str(store)],
        stdout=subprocess.PIPE, stderr=theirs, env=process_env(), timeout=60, check=False,
    )  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 4096).decode()
    os.close(ours)
    assert "2 of 2 nodes answered" in shown
    assert shown.endswith("\r\x1b[K")
    assert b"answered" not in done.stdout
