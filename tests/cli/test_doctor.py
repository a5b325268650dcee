"""``shelter doctor``: items with reasons, from an emulated file system."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from eaa.cli import doctor_known, doctor_verify
from eaa.cli.doctor_verify import verifying
from eaa.errors import ConfigError, EAAError, SignatureError
from tests.cli.running import run


def items(root: Path) -> dict[str, dict[str, Any]]:
    done = run("doctor", "-o", "json", "--root", root)
    assert (done.code, done.err) == (0, "")
    assert done.json["verification_works"] is True
    return {item["item"]: item for item in done.json["items"]}


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_an_empty_machine_can_verify_and_attest_nothing(tmp_path: Path) -> None:
    found = items(tmp_path)
    assert all(item["reason"] for item in found.values())
    assert {item["status"] for item in found.values() if item["section"] == "Attesting"} == {"skip"}
    for name in (
        "Python",
        "cryptography",
        "system clock",
        "trust anchor",
        "SGX",
        "TDX",
        "SNP",
        "SEV",
        "CSV",
        "self-test",
    ):
        assert found[name]["status"] == "pass", name
    assert found["parallel signature checks"]["status"] == "pass"
    assert found["TPM 2.0"]["status"] == "skip"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("SGX enclaves", "dev/sgx_enclave"),
        ("SGX enclaves", "dev/sgx/enclave"),
        ("SGX provisioning", "dev/sgx_provision"),
        ("SGX under Gramine", "dev/attestation/quote"),
        ("SGX under Occlum", "dev/sgx"),
        ("TDX guest", "dev/tdx_guest"),
        ("TDX guest", "dev/tdx-attest"),
        ("configfs-tsm reports", "sys/kernel/config/tsm/report"),
        ("AMD SEV-SNP guest", "dev/sev-guest"),
        ("Hygon CSV guest", "dev/csv-guest"),
        ("TPM 2.0", "dev/tpmrm0"),
        ("CCEL table", "sys/firmware/acpi/tables/CCEL"),
        ("CCEL event log", "sys/firmware/acpi/tables/data/CCEL"),
    ],
)
def test_each_source_of_evidence(tmp_path: Path, name: str, path: str) -> None:
    touch(tmp_path, path)
    found = items(tmp_path)
    assert (found[name]["status"], found[name]["reason"]) == ("pass", f"/{path}")


def test_a_folder_of_devices_is_not_occlum(tmp_path: Path) -> None:
    touch(tmp_path, "dev/sgx/enclave")
    assert items(tmp_path)["SGX under Occlum"]["status"] == "skip"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_a_device_that_may_not_be_opened(tmp_path: Path) -> None:
    touch(tmp_path, "dev/tdx_guest")
    (tmp_path / "dev/tdx_guest").chmod(0)
    found = items(tmp_path)["TDX guest"]
    assert found["status"] == "fail"
    assert "may not open" in found["reason"]


def test_cpu_flags(tmp_path: Path) -> None:
    touch(tmp_path, "proc/cpuinfo")
    text = "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu sgx vme tdx_guest sgx_lc\n"
    (tmp_path / "proc/cpuinfo").write_text(text)
    found = items(tmp_path)["CPU flags"]
    assert (found["status"], found["reason"]) == ("pass", "GenuineIntel: sgx, sgx_lc, tdx_guest")


def test_text(tmp_path: Path) -> None:
    done = run("doctor", "--root", tmp_path)
    lines = done.out.splitlines()
    assert done.code == 0
    assert lines[0] == "Verifying"
    assert "Attesting" in lines
    assert lines[-1] == "Evidence can be verified here."
    assert all(line.split()[0] in ("PASS", "FAIL", "SKIP") for line in lines if line.startswith("  "))


@pytest.mark.parametrize("year", [2001, 2051])
def test_an_implausible_clock_fails(year: int) -> None:
    found = {item.name: item for item in verifying(datetime(year, 1, 1, tzinfo=UTC))}
    assert (found["system clock"].status, found["system clock"].needed) == ("fail", True)


def test_expired_anchors() -> None:
    anchors = [item for item in verifying(datetime(2040, 1, 1, tzinfo=UTC)) if item.name == "trust anchor"]
    assert [(item.status, item.needed) for item in anchors] == [
        ("pass", False), ("fail", False), *[("pass", False)] * 3,
    ]  # fmt: skip


def test_verification_that_does_not_work_is_exit_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no such primitive")

    monkeypatch.setattr(doctor_verify, "verify_quote", broken)
    done = run("doctor", "-o", "json", "--root", tmp_path)
    assert (done.code, done.json["verification_works"]) == (1, False)
    done = run("doctor", "--root", tmp_path)
    assert done.code == 1
    assert "RuntimeError: no such primitive" in done.out
    assert done.out.splitlines()[-1].startswith("Evidence cannot be verified here")


def test_a_self_test_that_refuses_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_verify, "verify_quote", lambda *_, **__: None)
    monkeypatch.setattr(doctor_known, "verify_p256_raw", lambda *_: None)
    monkeypatch.setattr(doctor_known, "verify_p384_report", lambda *_: None)
    found = {item.name: item for item in verifying(datetime.now(UTC))}
    assert found["self-test"].status == found["signature check"].status == "fail"


@pytest.mark.parametrize(
    ("error", "status"),
    [(ConfigError("install eaa[csv]"), "skip"), (SignatureError("x", detail="self_test"), "fail")],
)
def test_without_sm2_csv_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: EAAError, status: str
) -> None:
    def refuse() -> str:
        raise error

    monkeypatch.setattr(doctor_verify, "known_hygon_root", refuse)
    item = items(tmp_path)["CSV"]
    assert (item["status"], item["reason"]) == (status, str(error))
