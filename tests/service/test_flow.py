"""Workload, inclavared and shelter as three processes, on simulated SGX and ports of the kernel's choice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from eaa.cli.demo_flow_processes import Done, listening, run_to_end
from eaa.cli.reference_store import STORE_VARIABLE
from eaa.cli.simulated_fields import SIMULATED_MR_ENCLAVE
from eaa.errors import InternalError

BUILT, OTHER = "11" * 32, "22" * 32
SIMULATED = ("--attester", "simulated", "--verifier", "simulated", "--drain-seconds", "1")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"EAA_SIMULATED_DIR": str(tmp_path / "vendor"), STORE_VARIABLE: str(tmp_path / "recorded")}


@contextmanager
def workload(environment: dict[str, str], code: str = BUILT, port: str = "0") -> Iterator[str]:
    with listening(
        "eaa.cli.enclave_tls_server", "--ip", "127.0.0.1", "--port", port, *SIMULATED, "--mutual",
        environment={**environment, SIMULATED_MR_ENCLAVE: code},
    ) as address:  # fmt: skip
        yield address


@contextmanager
def forwarder(environment: dict[str, str], upstream: str) -> Iterator[str]:
    where = ("--listen", "127.0.0.1:0", "--xfer", upstream.removeprefix("tcp://"), "--workers", "1")
    with listening(
        "eaa.cli.inclavared", *where, *SIMULATED, "--mutual", environment=environment
    ) as address:  # fmt: skip
        yield address


def shelter(environment: dict[str, str], address: str, *options: str) -> Done:
    words = ("remoteattestation", "--verifier", "simulated", "--addr", address)
    return run_to_end("eaa.cli.shelter", *words, *options, environment=environment)


def outcome(environment: dict[str, str], address: str, *options: str) -> dict[str, Any]:
    found = json.loads(shelter(environment, address, "-o", "json", *options).out)
    assert isinstance(found, dict)
    return found


def test_first_contact_then_enforced_then_tampered_with(environment: dict[str, str]) -> None:
    with workload(environment) as upstream, forwarder(environment, upstream) as address:
        assert outcome(environment, address)["code"] == "appraisal.reference_values"
        first = outcome(environment, address, "--record")
        assert (first["code"], first["measurement"]) == ("accepted.first_contact", BUILT)
        done = shelter(environment, address)
        assert (done.code, done.out.splitlines()[0]) == (0, "Remote attestation is successful")
    with workload(environment, OTHER) as upstream, forwarder(environment, upstream) as address:
        found = outcome(environment, address)
    assert (found["code"], found["exit_code"], found["measurement"]) == ("appraisal.mr_enclave", 10, OTHER)


def test_the_command_line_of_the_guide(environment: dict[str, str]) -> None:
    recorded = run_to_end("eaa.cli.shelter", "mrverify", "--mr-enclave", BUILT, environment=environment)
    assert recorded.code == 0
    root = Path(environment["EAA_SIMULATED_DIR"]) / "root.pem"
    with workload(environment) as upstream, forwarder(environment, upstream) as address:
        words = ("remoteattestation", "--verifier", "sgx_ecdsa", "--tls", "openssl", "--crypto", "openssl")
        options = (f"--addr={address}", "--trust-anchor", str(root))
        done = run_to_end("eaa.cli.shelter", *words, *options, environment=environment)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Remote attestation is successful\n")


def test_a_workload_that_comes_back_is_attested_again(environment: dict[str, str]) -> None:
    with workload(environment) as upstream:
        port = upstream.rpartition(":")[2]
        with forwarder(environment, upstream) as address:
            assert outcome(environment, address, "--record")["exit_code"] == 0
    with forwarder(environment, upstream) as address:
        gone = outcome(environment, address)
        assert (gone["code"], gone["exit_code"]) == ("unavailable.workload", 40)
        assert "remote_protocol.upstream_unreachable" in gone["reasons"][0]
        with workload(environment, OTHER, port):
            assert outcome(environment, address)["code"] == "appraisal.mr_enclave"
        with workload(environment, BUILT, port):
            assert outcome(environment, address)["exit_code"] == 0


def test_the_workload_itself_takes_direct(environment: dict[str, str]) -> None:
    with workload(environment) as address:
        options = ("--mutual", "--attester", "simulated")
        first = outcome(environment, address, "--direct", "--record", *options)
        assert (first["exit_code"], first["measurement"], first["forwarder"]) == (0, BUILT, None)
        # It sends back what it gets, the question too.
        assert outcome(environment, address, *options)["code"] == "format.answer"
        assert outcome(environment, address, "--direct")["exit_code"] != 0  # shows no evidence of its own


def test_what_does_not_start_says_why(environment: dict[str, str]) -> None:
    with (
        pytest.raises(InternalError, match=r"does not listen: .*nothing_like_it"),
        listening("eaa.cli.nothing_like_it", environment=environment),
    ):
        pass
