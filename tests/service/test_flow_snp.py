"""Workload, inclavared and shelter as three processes, on a simulated SNP guest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from eaa.attester.simulated_amd_store import ARKS_FILE
from eaa.cli.demo_flow_processes import Done, listening, run_to_end
from eaa.cli.reference_store import STORE_VARIABLE
from eaa.cli.simulated_snp_fields import SIMULATED_SNP_GUEST
from tests.fakes.simulated_amd import seed_simulated_amd

BUILT, OTHER = "11" * 48, "22" * 48
SNP = ("--attester", "simulated-snp", "--verifier", "simulated-snp", "--drain-seconds", "1")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    seed_simulated_amd(tmp_path / "vendor")
    return {"EAA_SIMULATED_DIR": str(tmp_path / "vendor"), STORE_VARIABLE: str(tmp_path / "recorded")}


@contextmanager
def workload(environment: dict[str, str], guest: str, *options: str) -> Iterator[str]:
    """The address of a workload in such a guest."""
    with listening(
        "eaa.cli.enclave_tls_server", "--ip", "127.0.0.1", "--port", "0", *SNP, *options,
        environment={**environment, SIMULATED_SNP_GUEST: guest},
    ) as address:  # fmt: skip
        yield address


@contextmanager
def node(environment: dict[str, str], guest: str, *options: str) -> Iterator[str]:
    """The address of an inclavared before a workload in such a guest."""
    with (
        workload(environment, guest, *options) as upstream,
        listening(
            "eaa.cli.inclavared", "--listen", "127.0.0.1:0", "--xfer", upstream.removeprefix("tcp://"),
            "--workers", "1", *SNP, *options, environment=environment,
        ) as address,
    ):  # fmt: skip
        yield address


def shelter(environment: dict[str, str], address: str, *options: str, verifier: str = "simulated") -> Done:
    words = ("remoteattestation", "--verifier", verifier, "--addr", address)
    return run_to_end("eaa.cli.shelter", *words, *options, environment=environment)


def outcome(environment: dict[str, str], address: str, *options: str, **settings: str) -> dict[str, Any]:
    found = json.loads(shelter(environment, address, "-o", "json", *options, **settings).out)
    assert isinstance(found, dict)
    return found


def test_recorded_then_enforced_then_tampered_with(environment: dict[str, str]) -> None:
    with node(environment, f"measurement={BUILT}", "--mutual") as address:
        first = outcome(environment, address)
        assert (first["code"], first["tee"]) == ("appraisal.reference_values", "snp")
        command = first["record_command"].split()
        assert command[:4] == ["shelter", "mrverify", "--snp-measurement", BUILT]
        assert run_to_end("eaa.cli.shelter", *command[1:], environment=environment).code == 0
        done = shelter(environment, address)
        assert (done.code, done.out.splitlines()[0]) == (0, "Remote attestation is successful")
        assert "simulated SNP hardware" in done.out
    with node(environment, f"measurement={OTHER}", "--mutual") as address:
        found = outcome(environment, address)
    assert (found["code"], found["exit_code"], found["measurement"]) == ("appraisal.measurement", 10, OTHER)


def test_the_name_of_the_original_with_named_roots(environment: dict[str, str]) -> None:
    """``sev_snp`` over the profile for interoperation, one-way: endorsements come in the certificate."""
    roots = str(Path(environment["EAA_SIMULATED_DIR"]) / ARKS_FILE)
    options = ("--profile", "ratls-cert", "--direct")
    with workload(environment, f"measurement={BUILT}", "--profile", "ratls-cert") as address:
        refused = outcome(environment, address, *options, verifier="sev_snp")
        assert refused["code"] == "chain.untrusted_root"
        trusted = (*options, "--trust-anchor", roots)
        found = outcome(environment, address, "--record", *trusted, verifier="sev_snp")
        assert (found["code"], found["measurement"]) == ("accepted.first_contact", BUILT)
        assert outcome(environment, address, *trusted, verifier="sev_snp")["code"] == "accepted"
        assert outcome(environment, address, *trusted, verifier="tdx")["code"] == "unsupported.evidence_kind"


@pytest.mark.parametrize(
    ("guest", "code"),
    [
        ("debug", "appraisal.debug"),
        ("tcb=3.0.20.200", "appraisal.advisories"),
        ("policy=0x70000", "appraisal.guest_policy_migrate_ma"),
    ],
)
def test_a_guest_that_is_not_acceptable(environment: dict[str, str], guest: str, code: str) -> None:
    with workload(environment, guest) as address:
        found = outcome(environment, address, "--direct", "--allow-any-measurement")
    assert (found["code"], found["exit_code"]) == (code, 10)
