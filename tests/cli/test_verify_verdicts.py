"""Each verdict of ``shelter verify``: its exit code, its code, and what is known with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from eaa.attester.simulated import ADVISORY, SimulatedPlatform, SimulatedSgxEnclave, SimulatedTdxGuest
from eaa.evidence.dcap_quote import CertificationType
from tests.cli.conftest import AT, NONCE, NOW, Attester, Files
from tests.cli.running import run

KEYS = [
    "verdict", "code", "exit_code", "tee", "tcb_status", "tcb_date", "advisory_ids", "reasons", "notes",
    "verified_at", "endorsements_expire", "trust_anchor", "needs", "rules", "claims", "unverified_claims",
    "result",
]  # fmt: skip
NOT_ESTABLISHED = ("tcb_status", "tcb_date", "advisory_ids", "claims", "rules", "result", "trust_anchor")
FilesOf = Callable[[Attester], Files]


@pytest.mark.parametrize(("kind", "measured"), [("guest", "mr_td"), ("enclave", "mr_enclave")])
def test_accepted(kind: str, measured: str, request: pytest.FixtureRequest) -> None:
    files: Files = request.getfixturevalue(kind)
    done = files.verify("--nonce", NONCE.hex())
    said = done.json
    assert (done.code, done.err) == (0, "")
    assert list(said) == KEYS
    assert (said["verdict"], said["code"], said["exit_code"]) == ("accepted", "accepted", 0)
    assert (said["tee"], said["tcb_status"]) == (files.attester.tee, "UpToDate")
    assert said["tcb_date"].endswith("T00:00:00Z")
    assert (said["advisory_ids"], said["reasons"]) == ([], [])
    assert said["claims"][measured] == getattr(files.attester.report, measured).hex()
    assert said["claims"]["bound"] == ["report_data"]
    assert said["unverified_claims"] is None
    assert said["result"]["ear.eaa.appraisal"]["accepted"] is True
    assert said["trust_anchor"]["name"] == "EAA Simulated SGX Root CA"
    assert said["verified_at"] == AT
    assert {rule["verdict"] for rule in said["rules"]} <= {"pass", "note"}


def test_out_of_date_is_rejected_with_all_that_is_known(platform: SimulatedPlatform, files: FilesOf) -> None:
    platform.use_level(platform.tcb_info["sgx"].levels[1])
    done = files(SimulatedSgxEnclave(platform)).verify()
    said = done.json
    assert (done.code, said["verdict"], said["code"]) == (10, "rejected", "appraisal.tcb_status")
    assert (said["tcb_status"], said["advisory_ids"]) == ("OutOfDate", [ADVISORY])
    assert said["claims"]["tcb"]["status"] == "OutOfDate"
    assert said["reasons"] == ["the TCB status is OutOfDate, accepted: UpToDate"]
    assert said["result"]["ear.eaa.appraisal"]["accepted"] is False


@pytest.mark.parametrize("attester", [SimulatedTdxGuest, SimulatedSgxEnclave])
def test_debug_is_rejected_unless_allowed(
    attester: type[Attester], platform: SimulatedPlatform, files: FilesOf
) -> None:
    made = files(attester(platform, debug=True))
    done = made.verify()
    said = done.json
    assert (done.code, said["verdict"], said["code"]) == (10, "rejected", "appraisal.debug")
    assert (said["tcb_status"], said["claims"]["debug"]) == ("UpToDate", True)
    assert made.verify("--allow-debug").code == 0


def test_a_binding_mismatch_shows_what_is_known(guest: Files) -> None:
    done = guest.verify("--nonce", "ff" * 16)
    said = done.json
    assert (done.code, said["verdict"], said["code"]) == (10, "rejected", "binding.report_data")
    assert (said["tcb_status"], said["advisory_ids"]) == ("UpToDate", [])
    assert said["claims"]["report_data"] == (NONCE + bytes(32)).hex()
    assert said["claims"]["bound"] == []
    assert said["result"] is None
    (rule,) = said["rules"]
    assert (rule["rule"], rule["verdict"]) == ("binding.report_data", "fail")
    assert rule["expected"] == "ff" * 16 + "00" * 48


def test_an_unknown_root_is_rejected(guest: Files) -> None:
    done = run("verify", guest.quote, "--collateral", guest.collateral, "--at", AT, "-o", "json")
    said = done.json
    assert (done.code, said["verdict"]) == (10, "rejected")
    assert said["code"].startswith("chain.")
    assert all(said[name] is None for name in NOT_ESTABLISHED)
    assert said["unverified_claims"]["mr_td"] == guest.attester.report.mr_td.hex()  # type: ignore[union-attr]  # a TDX guest


def test_a_forged_body_is_rejected(guest: Files) -> None:
    quote = bytearray(guest.quote.read_bytes())
    quote[48 + 136] ^= 1  # MRTD
    said = guest.verify(quote=bytes(quote)).json
    assert (said["verdict"], said["code"], said["tee"]) == ("rejected", "signature.quote", "tdx")
    assert all(said[name] is None for name in NOT_ESTABLISHED)


def test_a_revoked_tcb_is_rejected(platform: SimulatedPlatform, files: FilesOf) -> None:
    platform.vendor.revoke(platform.pck)
    said = files(SimulatedSgxEnclave(platform)).verify().json
    assert (said["verdict"], said["code"]) == ("rejected", "revoked.pck_certificate")


def test_without_collateral_it_is_unavailable_and_says_what_is_needed(guest: Files) -> None:
    done = run("verify", guest.quote, "-o", "json")
    said = done.json
    assert (done.code, said["verdict"]) == (40, "unavailable")
    assert said["code"] == "endorsement_not_found.collateral"
    assert said["needs"] == {"tee": "tdx", "fmspc": b"EAASIM".hex(), "ca": "platform"}
    assert said["tee"] == "tdx"
    (reason,) = said["reasons"]
    assert f"/tdx/certification/v4/tcb?fmspc={b'EAASIM'.hex()}" in reason
    assert "pckcrl?ca=platform" in reason
    assert "--collateral" in reason


def test_incomplete_collateral_is_unavailable(guest: Files) -> None:
    folder = guest.folder / "collateral"
    folder.mkdir()
    (folder / "root.crl").write_bytes(guest.attester.endorsements().root_ca_crl or b"")
    done = guest.verify("--collateral", folder)
    assert done.code == 0  # the whole, and a part of it again
    done = run("verify", guest.quote, "--collateral", folder, "-o", "json")
    said = done.json
    assert (done.code, said["verdict"], said["code"]) == (
        40, "unavailable", "endorsement_not_found.tcb_info",
    )  # fmt: skip
    assert "TCB info is missing" in said["reasons"][0]


def test_certification_without_chain_is_unsupported(platform: SimulatedPlatform, files: FilesOf) -> None:
    attester = SimulatedSgxEnclave(platform)
    attester.certification_type = CertificationType.PPID_PLAIN
    done = files(attester).verify()
    said = done.json
    assert (done.code, said["verdict"], said["tee"]) == (20, "unsupported", "sgx")


@pytest.mark.parametrize(
    ("data", "tee"),
    [(b"\x81" + bytes(1023), "tdx"), (bytes(1) * 584, "tdx")],
)
def test_other_evidence_is_unsupported(guest: Files, data: bytes, tee: str) -> None:
    done = guest.verify(quote=data)
    said = done.json
    assert (done.code, said["verdict"], said["tee"]) == (20, "unsupported", tee)


def test_malformed(guest: Files) -> None:
    done = guest.verify(quote=guest.quote.read_bytes()[:-1])
    said = done.json
    assert (done.code, said["verdict"], said["code"]) == (30, "malformed", "format.truncated")
    assert "signature_data_len at offset" in said["reasons"][0]
    assert all(said[name] is None for name in (*NOT_ESTABLISHED, "tee", "unverified_claims"))


def test_an_endorsement_is_no_evidence(guest: Files) -> None:
    said = guest.verify(quote=guest.collateral.read_bytes()).json
    assert (said["verdict"], said["code"]) == ("malformed", "format.not_evidence")
    assert "collateral" in said["reasons"][0]


def test_expired_endorsements_are_rejected(guest: Files) -> None:
    late = (NOW + timedelta(days=365)).isoformat()
    done = run("verify", guest.quote, *guest.trusted, "--at", late, "-o", "json")
    said = done.json
    assert (done.code, said["verdict"]) == (10, "rejected")
    assert said["code"].startswith("validity_period.")
    assert said["code"].endswith("_expired")
    assert said["unverified_claims"] is not None
