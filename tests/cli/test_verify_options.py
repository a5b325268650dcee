"""The options of ``shelter verify``: what each one asks, and what it refuses to be asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eaa.attester.simulated import (
    ADVISORY,
    SimulatedPlatform,
    SimulatedSgxEnclave,
    SimulatedTdxGuest,
    SimulatedVendor,
    write_collateral,
)
from tests.cli.conftest import AT, NONCE, NOW, Attester, Files
from tests.cli.running import run

FilesOf = Callable[[Attester], Files]


# ── bindings ──


def test_a_nonce_is_padded_and_compared_over_all_64_bytes(
    platform: SimulatedPlatform, files: FilesOf
) -> None:
    made = files(SimulatedTdxGuest(platform))
    assert made.verify("--nonce", NONCE.hex()).code == 0
    assert made.verify("--nonce", NONCE[:16].hex()).code == 10
    tail = made.attester.collect(NONCE + bytes(31) + b"\x01")
    assert made.verify("--nonce", NONCE.hex(), quote=tail).json["code"] == "binding.report_data"


def test_report_data_is_exact(guest: Files) -> None:
    assert guest.verify("--report-data", (NONCE + bytes(32)).hex()).code == 0
    assert guest.verify("--report-data", "0x" + (NONCE + bytes(32)).hex().upper()).code == 0
    assert guest.verify("--report-data", (NONCE + bytes(31) + b"\x01").hex()).code == 10


@pytest.mark.parametrize("kind", [SimulatedTdxGuest, SimulatedSgxEnclave])
def test_config_id(kind: type[Attester], platform: SimulatedPlatform, files: FilesOf) -> None:
    value = bytes(range(64)) if kind is SimulatedSgxEnclave else bytes(range(48))
    name = "config_id" if kind is SimulatedSgxEnclave else "mr_config_id"
    made = files(kind(platform, **{name: value}))  # type: ignore[arg-type]  # fields by name
    said = made.verify("--config-id", value.hex()).json
    assert (said["verdict"], said["claims"]["bound"]) == ("accepted", ["config_id"])
    done = made.verify("--config-id", value[:-1].hex() + "ff")
    assert (done.code, done.json["code"]) == (10, "binding.config_id")


def test_a_config_id_of_the_other_tee_is_rejected(guest: Files) -> None:
    done = guest.verify("--config-id", "00" * 64)
    assert (done.code, done.json["code"]) == (10, "binding.config_id")
    assert done.json["tcb_status"] == "UpToDate"


# ── policy ──


@pytest.mark.parametrize(
    "accept",
    [
        ("--accept-status", "UpToDate,OutOfDate"),
        ("--accept-status", "outofdate"),
        ("--accept-status", "UpToDate", "--accept-status", "OUTOFDATE"),
    ],
)
def test_accept_status(accept: tuple[str, ...], platform: SimulatedPlatform, files: FilesOf) -> None:
    platform.use_level(platform.tcb_info["sgx"].levels[1])
    made = files(SimulatedSgxEnclave(platform))
    assert made.verify().code == 10
    said = made.verify(*accept).json
    assert (said["verdict"], said["tcb_status"]) == ("accepted", "OutOfDate")


def test_grace_days(platform: SimulatedPlatform, files: FilesOf) -> None:
    platform.use_level(platform.tcb_info["sgx"].levels[1])  # the latest is of 90 days ago
    made = files(SimulatedSgxEnclave(platform))
    assert made.verify("--grace-days", 80).code == 10
    said = made.verify("--grace-days", 100).json
    assert said["verdict"] == "accepted"
    assert any("tolerated within" in note for note in said["notes"])


def test_minimum_evaluation_data_number(guest: Files) -> None:
    number = guest.verify().json["claims"]["tcb"]["tcb_evaluation_data_number"]
    assert guest.verify("--min-eval-number", number).code == 0
    done = guest.verify("--min-eval-number", number + 1)
    assert (done.code, done.json["code"]) == (10, "appraisal.evaluation_data_number")


def test_refused_advisory(platform: SimulatedPlatform, files: FilesOf) -> None:
    platform.use_level(platform.tcb_info["sgx"].levels[1])
    made = files(SimulatedSgxEnclave(platform))
    accept = ("--accept-status", "OutOfDate")
    assert made.verify(*accept, "--refuse-advisory", "INTEL-SA-00837").code == 0
    done = made.verify(*accept, "--refuse-advisory", "INTEL-SA-00837", "--refuse-advisory", ADVISORY.lower())
    assert (done.code, done.json["code"]) == (10, "appraisal.advisories")
    done = made.verify("--refuse-advisory", "SA-837")
    assert (done.code, done.out) == (2, "")
    assert "INTEL-SA-00837" in done.err


# ── reference values ──


def reference(guest: Files, mr_td: str) -> Path:
    return guest.write("reference.json", json.dumps({"version": 1, "tdx": [{"mr_td": mr_td}]}).encode())


def test_reference_values(guest: Files) -> None:
    mr_td = guest.attester.report.mr_td.hex()  # type: ignore[union-attr]  # a TDX guest
    said = guest.verify("--reference", reference(guest, mr_td)).json
    assert said["verdict"] == "accepted"
    assert not any("no measurement was compared" in note for note in said["notes"])
    done = guest.verify("--reference", reference(guest, "ab" * 48))
    assert (done.code, done.json["code"]) == (10, "appraisal.mr_td")
    (rule,) = [rule for rule in done.json["rules"] if rule["verdict"] == "fail"]
    assert (rule["claim"], rule["expected"], rule["came"]) == ("mr_td", "ab" * 48, mr_td)


def test_reference_values_of_another_tee_are_no_match(enclave: Files) -> None:
    done = enclave.verify("--reference", reference(enclave, "ab" * 48))
    assert (done.code, done.json["verdict"]) == (10, "rejected")


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"version":1}', b'{"version":1,"tdx":[{"mr_td":"00"}]}', b'{"a":1,"a":1}']
)
def test_malformed_reference_values_are_a_configuration_error(guest: Files, data: bytes) -> None:
    done = guest.verify("--reference", guest.write("reference.json", data))
    assert (done.code, done.out) == (2, "")
    assert "reference.json" in done.err


def test_it_says_what_was_not_compared(guest: Files) -> None:
    notes = guest.verify().json["notes"]
    assert any("no measurement was compared" in note for note in notes)
    assert any("freshness was not compared" in note for note in notes)
    assert any("simulated" in note for note in notes)
    assert len(notes) == len(set(notes)) == 4
    notes = guest.verify("--nonce", NONCE.hex()).json["notes"]
    assert not any("freshness" in note for note in notes)


# ── collateral, anchors, time ──


def test_collateral_as_a_folder_as_files_and_as_several(guest: Files, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    write_collateral(guest.attester.endorsements(), folder)
    (folder / "README.txt").write_text("not an endorsement")
    (folder / ".hidden").write_bytes(b"{")
    (folder / "nested").mkdir()
    base = ("verify", guest.quote, "--trust-anchor", guest.root, "--at", AT, "-o", "json")
    said = run(*base, "--collateral", folder).json
    assert said["verdict"] == "accepted"
    assert any("README.txt" in note for note in said["notes"])
    (folder / "README.txt").unlink()
    parts = [
        arg for file in sorted(folder.glob("*.*")) if file.name != ".hidden" for arg in ("--collateral", file)
    ]
    assert run(*base, *parts).json["verdict"] == "accepted"


def test_a_named_file_must_be_an_endorsement(guest: Files) -> None:
    other = guest.write("notes.txt", b"not an endorsement")
    done = guest.verify("--collateral", other)
    assert (done.code, done.json["code"]) == (30, "format.unrecognised")
    assert "notes.txt" in done.json["reasons"][0]


def test_trust_anchors_replace_intels(guest: Files, vendor: SimulatedVendor) -> None:
    other = SimulatedVendor(now=NOW, unsafe_seed=b"another").root.parsed
    wrong = guest.write("other.der", other.der)
    base = ("verify", guest.quote, "--collateral", guest.collateral, "--at", AT, "-o", "json")
    done = run(*base, "--trust-anchor", wrong)
    assert (done.code, done.json["verdict"]) == (10, "rejected")
    said = run(*base, "--trust-anchor", wrong, "--trust-anchor", guest.root).json
    assert said["verdict"] == "accepted"
    assert any("Intel's roots were not trusted" in note for note in said["notes"])


def test_a_trust_anchor_must_be_a_root(guest: Files, vendor: SimulatedVendor) -> None:
    leaf = guest.write("leaf.der", vendor.platform_ca.parsed.der)
    done = guest.verify("--trust-anchor", leaf)
    assert (done.code, done.out) == (2, "")
    assert "no root certificate" in done.err
    done = guest.verify("--trust-anchor", guest.write("junk.pem", b"-----BEGIN"))
    assert (done.code, done.out) == (2, "")


@pytest.mark.parametrize(
    "at", [AT, "2026-11-20T13:00:00+01:00", "2026-11-20 12:00:00Z", str(int(NOW.timestamp()))]
)
def test_times(guest: Files, at: str) -> None:
    assert guest.verify("--at", at).json["verified_at"] == AT


def test_without_a_time_it_is_now(guest: Files) -> None:
    done = run("verify", guest.quote, "-o", "json")
    said = datetime.fromisoformat(done.json["verified_at"])
    assert abs((datetime.now(UTC) - said).total_seconds()) < 60


# ── usage errors ──


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--nonce", "00" * 15), "15 bytes, expected 16 to 64"),
        (("--nonce", "00" * 65), "65 bytes"),
        (("--nonce", "0"), "hexadecimal"),
        (("--nonce", "zz" * 16), "hexadecimal"),
        (("--nonce", "00 11" * 8), "hexadecimal"),
        (("--report-data", "00" * 63), "63 bytes, expected 64"),
        (("--report-data", "00" * 64, "--nonce", "00" * 16), "exclude each other"),
        (("--config-id", "00" * 31), "expected 32 or 48 or 64"),
        (("--at", "2026-11-20T12:00:00"), "no time zone"),
        (("--at", "2026-11-20"), "no time of day"),
        (("--at", "yesterday"), "RFC 3339"),
        (("--at", "9" * 12), "RFC 3339"),
        (("--accept-status", "Fine"), "not one of UpToDate"),
        (("--accept-status", "UpToDate,Revoked"), "never acceptable"),
        (("--accept-status", ""), "not one of"),
        (("--grace-days", "-1"), "grace-days"),
        (("--grace-days", "999999"), "grace-days"),
        (("--min-eval-number", "x"), "min-eval-number"),
        (("-o", "yaml"), "output"),
        (("--no-such-option",), "no such option"),
        (("--collateral", "/no/such/file"), "No such file"),
        (("--collateral", ""), "not a file name"),
        (("--event-log", ""), "cannot read"),
        (("--reference", ""), "cannot read"),
        (("--reference", "/no/such/file"), "No such file"),
        (("--event-log", "/no/such/file"), "No such file"),
        (("--trust-anchor", "/no/such/file"), "No such file"),
    ],
)
def test_usage_errors(guest: Files, options: tuple[str, ...], says: str) -> None:
    done = guest.verify(*options)
    assert (done.code, done.out) == (2, "")
    assert says.lower() in done.err.lower()
