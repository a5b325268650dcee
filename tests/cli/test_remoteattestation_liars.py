"""Forwarders that lie: each is refused, for a reason of its own."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eaa.codec.cbor import decode_cbor, encode_cbor
from eaa.tls.claims import gate_claims, gate_report_data
from eaa.tls.peer import Role
from tests.cli.forwarders import FORWARDER, SPKI, WORKLOAD, Machine, document, line, serving
from tests.cli.running import run

Change = Callable[[Machine, dict[str, Any], bytes], Any]


def attest(machine: Machine, tmp_path: Path, answer: Callable[[bytes], bytes]) -> dict[str, Any]:
    store = tmp_path / "store"
    assert run("mrverify", "--mr-enclave", WORKLOAD.hex(), "--store", store).code == 0
    with serving(machine, answer) as address:
        done = run(
            "remoteattestation", "--addr", address, *machine.trusted, "--store", store, "--timeout", 20,
            "-o", "json",
        )  # fmt: skip
    found = done.json
    assert (done.code, found["verdict"] == "accepted") == (found["exit_code"], False)
    return found


def altered(machine: Machine, answer: dict[str, Any], nonce: bytes) -> None:
    quote = bytearray(base64.b64decode(answer["evidence"]["evidence"]))
    quote[48 + 64] ^= 1  # MRENCLAVE
    answer["evidence"]["evidence"] = base64.b64encode(quote).decode()


def other_nonce(machine: Machine, answer: dict[str, Any], nonce: bytes) -> dict[str, Any]:
    return document(*machine.evidence(bytes(range(32))))


def old_evidence_under_the_right_claims(machine: Machine, answer: dict[str, Any], nonce: bytes) -> None:
    answer["evidence"] = document(*machine.evidence(bytes(range(32))))["evidence"]


def own_code(machine: Machine, answer: dict[str, Any], nonce: bytes) -> dict[str, Any]:
    return document(*machine.evidence(nonce, FORWARDER))


def of_a_channel(machine: Machine, answer: dict[str, Any], nonce: bytes) -> dict[str, Any]:
    """Evidence of the workload for a channel to somebody else, whose nonce was chosen to be this one."""
    claims = gate_claims(spki=SPKI, nonce=nonce, binder=b"\x07" * 32, role=Role.SERVER, profile="exporter-v1")
    return document(machine.attester(WORKLOAD).collect(gate_report_data(claims)), claims)


def of_a_client(machine: Machine, answer: dict[str, Any], nonce: bytes) -> dict[str, Any]:
    claims = gate_claims(spki=SPKI, nonce=nonce, binder=bytes(32), role=Role.CLIENT, profile="relayed-v1")
    return document(machine.attester(WORKLOAD).collect(gate_report_data(claims)), claims)


def strings_only(machine: Machine, answer: dict[str, Any], nonce: bytes) -> dict[str, Any]:
    return {
        "id": "123456", "msgtype": "ENCLAVEINFO", "version": 1, "mrenclave": WORKLOAD.hex(),
        "mrsigner": WORKLOAD.hex(), "message": "hello",
    }  # fmt: skip


def without_claims(machine: Machine, answer: dict[str, Any], nonce: bytes) -> None:
    del answer["claims"]


def claims_with_more(machine: Machine, answer: dict[str, Any], nonce: bytes) -> None:
    members = decode_cbor(base64.b64decode(answer["claims"]), "claims")
    assert isinstance(members, dict)
    answer["claims"] = base64.b64encode(encode_cbor({**members, "more": b"x"})).decode()


def unsorted_claims(machine: Machine, answer: dict[str, Any], nonce: bytes) -> None:
    members = decode_cbor(base64.b64decode(answer["claims"]), "claims")
    assert isinstance(members, dict)
    parts = [encode_cbor({name: members[name]})[1:] for name in reversed(list(members))]
    answer["claims"] = base64.b64encode(bytes((0xA0 + len(parts),)) + b"".join(parts)).decode()


def unknown_kind(machine: Machine, answer: dict[str, Any], nonce: bytes) -> None:
    answer["evidence"]["kind"] = "believe_me"


def another_kind(machine: Machine, answer: dict[str, Any], nonce: bytes) -> None:
    answer["evidence"]["kind"] = "tdx_quote"


def no_endorsements(machine: Machine, answer: dict[str, Any], nonce: bytes) -> None:
    del answer["evidence"]["collateral"]


def half_of_the_endorsements(machine: Machine, answer: dict[str, Any], nonce: bytes) -> None:
    del answer["evidence"]["collateral"]["pck_crl"]


@pytest.mark.parametrize(
    ("change", "code", "exit_code"),
    [
        (altered, "signature.quote", 10),
        (other_nonce, "freshness.nonce", 10),
        (old_evidence_under_the_right_claims, "binding.report_data", 10),
        (own_code, "appraisal.mr_enclave", 10),
        (of_a_channel, "binding.relayed_claims", 10),
        (of_a_client, "binding.relayed_claims", 10),
        (claims_with_more, "binding.relayed_claims", 10),
        (unsorted_claims, "format.bad_value", 30),
        (strings_only, "format.no_evidence", 30),
        (without_claims, "format.bad_value", 30),
        (unknown_kind, "format.bad_value", 30),
        (another_kind, "format.evidence_kind", 30),
        (no_endorsements, "endorsement_not_found.collateral", 40),
        (half_of_the_endorsements, "format.bad_value", 30),
    ],
)
def test_a_lie_is_refused(tmp_path: Path, change: Change, code: str, exit_code: int) -> None:
    machine = Machine(tmp_path / "vendor")

    def answer(nonce: bytes) -> bytes:
        honest = document(*machine.evidence(nonce))
        return line(change(machine, honest, nonce) or honest)

    found = attest(machine, tmp_path, answer)
    assert (found["code"], found["exit_code"]) == (code, exit_code)


@pytest.mark.parametrize(
    ("answer", "code", "exit_code"),
    [
        (b"reply from inclavared!\n", "format.answer", 30),
        (b"\x1b[2J\n", "format.answer", 30),
        (b"[]\n", "format.answer", 30),
        (b"{", "format.answer", 30),
        (b"", "remote_protocol.no_answer", 1),
        (b"x" * 1_500_000, "format.too_large", 30),
        (b'{"msgtype":"ERROR","error":{"code":"a","message":"m"}}\n', "remote_protocol.no_evidence", 1),
    ],
)  # fmt: skip
def test_no_answer_of_this_form(tmp_path: Path, answer: bytes, code: str, exit_code: int) -> None:
    found = attest(Machine(tmp_path / "vendor"), tmp_path, lambda _: answer)
    assert (found["code"], found["exit_code"]) == (code, exit_code)
    assert "\x1b" not in json.dumps(found)


@pytest.mark.parametrize("code", ["upstream_unreachable", "truncated", "deadline"])
def test_an_absent_workload_is_no_fault_of_ours(tmp_path: Path, code: str) -> None:
    error = {"code": f"remote_protocol.{code}", "message": "\x1b[2Jgone"}
    answer = line({"msgtype": "ERROR", "error": error})
    found = attest(Machine(tmp_path / "vendor"), tmp_path, lambda _: answer)
    assert (found["verdict"], found["code"], found["exit_code"]) == (
        "unavailable",
        "unavailable.workload",
        40,
    )
    (reason,) = found["reasons"]
    assert reason.startswith(f"{found['address']} was reached, and the workload behind it was not: ")
    assert f"remote_protocol.{code}" in reason


def test_an_answer_that_does_not_come_is_told_from_a_channel_that_does_not_open(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "vendor")

    asked = threading.Event()

    def late(_nonce: bytes) -> bytes:
        assert asked.wait(30)
        return b""

    with serving(machine, late) as address:
        words = ("remoteattestation", "--addr", address, *machine.trusted, "--timeout", 3, "-o", "json")
        found = run(*words, "--allow-any-measurement").json
        asked.set()
    assert (found["code"], found["exit_code"]) == ("unavailable.timeout", 40)
    assert found["reasons"] == [f"the answer of {address}, whose channel opened, took longer than 3 s"]


def test_an_answer_for_another_workload_that_runs_the_same_code(tmp_path: Path) -> None:
    """Its evidence is what was asked for: which machine it is on, reference values do not say."""
    machine = Machine(tmp_path / "vendor")
    elsewhere = machine.honest()
    store = tmp_path / "store"
    assert run("mrverify", "--mr-enclave", WORKLOAD.hex(), "--store", store).code == 0
    with serving(machine, elsewhere) as address:
        assert run("remoteattestation", "--addr", address, *machine.trusted, "--store", store).code == 0


def test_a_forwarder_of_another_vendor_never_gets_the_nonce(tmp_path: Path) -> None:
    machine, other = Machine(tmp_path / "vendor"), Machine(tmp_path / "other")
    with serving(other, other.honest()) as address:
        done = run("remoteattestation", "--addr", address, *machine.trusted, "--store", tmp_path / "store")
    assert (done.code, other.nonces) == (10, [])
    assert "chain.untrusted_root" in done.out
