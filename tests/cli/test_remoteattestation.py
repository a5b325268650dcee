"""``shelter remoteattestation`` towards one node: words, exit codes, and what is compared with what."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eaa.tls.peer import Profile
from tests.cli.forwarders import WORKLOAD, Machine, serving
from tests.cli.running import Run, run
from tests.cli.test_verify_verdicts import KEYS

OWN_KEYS = ("address", "measurement", "reference", "forwarder", "recorded", "record_command")
SUCCESS = "Remote attestation is successful"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "vendor")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store in which the workload's MRENCLAVE is recorded, as the guide does it."""
    folder = tmp_path / "store"
    assert run("mrverify", "--mr-enclave", WORKLOAD.hex(), "--store", folder).code == 0
    return folder


def attest(machine: Machine, address: str, store: Path, *options: object) -> Run:
    return run("remoteattestation", "--addr", address, *machine.trusted, "--store", store, *options)


def test_the_words_of_the_original_then_what_was_proven(machine: Machine, store: Path) -> None:
    with serving(machine, machine.honest()) as address:
        done = attest(machine, address, store)
    assert (done.code, done.err) == (0, "")
    first, second, *rest = done.out.splitlines()
    assert first == SUCCESS
    assert f"its code is that of {store}" in second
    assert any(WORKLOAD.hex() in line for line in rest)
    assert "nothing that it says was believed" in done.out  # the forwarder wrote 00…00


def test_the_command_line_of_the_guide_with_recorded_values_in_the_default_store(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("SHELTER_STORE", raising=False)
    assert run("mrverify", "--mr-enclave", WORKLOAD.hex()).code == 0
    words = ["remoteattestation", "--verifier", "sgx_ecdsa", "--tls", "openssl", "--crypto", "openssl"]
    with serving(machine, machine.honest()) as address:
        refused = run(*words, f"--addr={address}")
        done = run(*words, f"--addr={address}", "--trust-anchor", machine.root)
    assert (refused.code, done.code) == (10, 0)
    assert "chain.untrusted_root" in refused.out  # of a simulated vendor, which Intel's root does not know
    assert done.out.startswith(f"{SUCCESS}\n")


def test_the_json_document(machine: Machine, store: Path) -> None:
    with serving(machine, machine.honest()) as address:
        found = attest(machine, address, store, "-o", "json").json
    assert set(found) == {*KEYS, *OWN_KEYS}
    assert (found["verdict"], found["code"], found["exit_code"]) == ("accepted", "accepted", 0)
    assert (found["address"], found["measurement"]) == (address, WORKLOAD.hex())
    assert found["claims"]["bound"] == ["report_data"]
    assert found["forwarder"]["proven"] is True
    assert found["forwarder"]["measurement"] != WORKLOAD.hex()
    assert found["reference"] == str(store / "reference-values.json")


def test_explain_shows_the_rules(machine: Machine, store: Path) -> None:
    with serving(machine, machine.honest()) as address:
        done = attest(machine, address, store, "--explain")
    assert re.search(r"^mr_enclave +mr_enclave +.* pass$", done.out, re.MULTILINE)


def test_each_question_has_a_nonce_of_its_own(machine: Machine, store: Path) -> None:
    with serving(machine, machine.honest()) as address:
        attest(machine, address, store)
        attest(machine, address, store)
    assert len(set(machine.nonces)) == 2
    assert all(len(nonce) == 32 for nonce in machine.nonces)


def test_other_code_than_recorded_is_refused(machine: Machine, store: Path) -> None:
    with serving(machine, machine.honest(b"\x33" * 32)) as address:
        done = attest(machine, address, store)
    assert done.code == 10
    assert done.out.startswith("Remote attestation failed: appraisal.mr_enclave: mr_enclave is 3333")


def test_without_a_recorded_value_the_command_that_records_it(machine: Machine, tmp_path: Path) -> None:
    store = tmp_path / "a store"
    with serving(machine, machine.honest()) as address:
        done = attest(machine, address, store)
        assert done.code == 10
        assert done.out.startswith("Remote attestation failed: appraisal.reference_values: ")
        assert "the code was NOT compared" in done.out
        command = f"shelter mrverify --mr-enclave {WORKLOAD.hex()} --store '{store}'"
        assert command in done.out
        assert not store.exists()
        assert run("mrverify", "--mr-enclave", WORKLOAD.hex(), "--store", store).code == 0
        assert attest(machine, address, store).code == 0


def test_of_a_trust_domain_too(tmp_path: Path) -> None:
    machine, store = Machine(tmp_path / "vendor", tee="tdx"), tmp_path / "store"
    with serving(machine, machine.honest()) as address:
        found = attest(machine, address, store, "-o", "json").json
        assert (found["code"], found["tee"]) == ("appraisal.reference_values", "tdx")
        command = found["record_command"].split()
        assert command[:4] == ["shelter", "mrverify", "--mr-td", found["measurement"]]
        assert run(*command[1:]).code == 0
        assert attest(machine, address, store).code == 0


def test_record_trusts_on_first_contact_and_enforces_then(machine: Machine, tmp_path: Path) -> None:
    store = tmp_path / "store"
    with serving(machine, machine.honest()) as address:
        first = attest(machine, address, store, "--record", "-o", "json").json
        again = attest(machine, address, store)
    assert (first["exit_code"], first["code"]) == (0, "accepted.first_contact")
    assert first["recorded"]["values"] == {"mr_enclave": WORKLOAD.hex()}
    assert any("trusted on first contact" in note for note in first["notes"])
    assert (again.code, again.out.splitlines()[0]) == (0, SUCCESS)
    with serving(machine, machine.honest(b"\x33" * 32)) as address:
        other = attest(machine, address, store, "--record", "-o", "json").json
    assert (other["code"], other["recorded"]) == ("appraisal.mr_enclave", None)


def test_any_measurement_says_so(machine: Machine, tmp_path: Path) -> None:
    with serving(machine, machine.honest(b"\x33" * 32)) as address:
        done = attest(machine, address, tmp_path, "--allow-any-measurement")
    assert done.code == 0
    assert "--allow-any-measurement is for tests; any code passes" in done.out


def test_reference_values_of_a_file(machine: Machine, tmp_path: Path, store: Path) -> None:
    file = tmp_path / "reference.json"
    file.write_text(run("mrverify", "--export", "--store", store).out)
    with serving(machine, machine.honest()) as address:
        assert attest(machine, address, tmp_path / "none", "--reference", file).code == 0


def test_a_debug_enclave_is_refused(tmp_path: Path, store: Path) -> None:
    machine = Machine(tmp_path / "vendor", debug=True)
    with serving(machine, machine.honest()) as address:
        assert attest(machine, address, store, "-o", "json").json["code"] == "appraisal.debug"
        assert attest(machine, address, store, "--allow-debug").code == 0


def test_a_policy_that_asks_for_newer_endorsements(machine: Machine, store: Path) -> None:
    with serving(machine, machine.honest()) as address:
        done = attest(machine, address, store, "--min-eval-number", 99999, "-o", "json")
    assert done.json["code"] == "appraisal.evaluation_data_number"
    assert done.json["forwarder"] is None  # it did not come so far


@pytest.mark.parametrize("profile", Profile)
def test_a_workload_that_is_asked_itself(machine: Machine, store: Path, profile: Profile) -> None:
    with serving(machine, machine.honest(), mr_enclave=WORKLOAD, profile=profile) as address:
        done = attest(machine, address, store, "--direct", "--profile", profile)
    assert (done.code, done.out.splitlines()[0]) == (0, SUCCESS)
    assert ("can replay its certificate" in done.out) is (profile is Profile.RATLS_CERT)
    assert machine.nonces == []


def test_directly_another_workload_is_refused(machine: Machine, store: Path) -> None:
    with serving(machine, machine.honest()) as address:
        found = attest(machine, address, store, "--direct", "-o", "json").json
    assert (found["code"], found["exit_code"]) == ("appraisal.mr_enclave", 10)


def test_a_null_verifier_is_for_the_channel_only(machine: Machine, store: Path) -> None:
    options = ("--verifier", "nullverifier", "--unsafe-null", "--trust-anchor", machine.root)
    with serving(machine, machine.honest()) as address:
        where = ("remoteattestation", "--addr", address, "--store", store)
        relayed = run(*where, *options)
        direct = run(*where, *options, "--direct", "-o", "json").json
        unnamed = run(*where, "--verifier", "nullverifier")
    assert (relayed.code, "nothing was proven about the peer of the channel" in relayed.out) == (0, True)
    assert (direct["code"], direct["exit_code"]) == ("nothing_proven", 10)
    assert (unnamed.code, "--unsafe-null" in unnamed.err) == (2, True)


def test_a_unix_socket(machine: Machine, store: Path, tmp_path: Path) -> None:
    with serving(machine, machine.honest(), address=f"unix://{tmp_path}/s") as address:
        assert attest(machine, address, store).code == 0
