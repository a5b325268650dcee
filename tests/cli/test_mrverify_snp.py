"""``shelter mrverify`` with launch digests of SEV-SNP and Hygon CSV guests."""

from __future__ import annotations

from pathlib import Path

import pytest

from eaa.evidence.snp import parse_snp_report
from tests.cli.running import run
from tests.fakes.amd_vendor import shared_snp_case

DIGEST, MEASURE = "5a" * 48, "5b" * 32


@pytest.mark.parametrize(
    ("option", "value", "tee", "field"),
    [
        ("--snp-measurement", DIGEST, "snp", "measurement"),
        ("--csv-measure", MEASURE, "csv", "measure"),
    ],
)
def test_recorded_shown_and_exported(tmp_path: Path, option: str, value: str, tee: str, field: str) -> None:
    store = ("--store", tmp_path / "store")
    done = run("mrverify", option, value, *store)
    assert (done.code, done.out.splitlines()[0]) == (0, "ACCEPTED  measurement.recorded")
    assert f"{field}  {value}" in done.out
    found = run("mrverify", "--list", *store, "-o", "json").json["entries"]
    assert [(item["tee"], item["values"]) for item in found] == [(tee, {field: value})]
    exported = run("mrverify", "--export", *store)
    assert value in exported.out
    assert run("mrverify", option, value[2:], *store).code == 2


def test_from_a_report_that_nobody_verified(tmp_path: Path) -> None:
    report = tmp_path / "report.bin"
    report.write_bytes(shared_snp_case("milan-v5").report)
    store = ("--store", tmp_path / "store")
    assert run("mrverify", "--from-quote", report, *store).code == 2
    found = run("mrverify", "--from-quote", report, "--unverified", *store, "-o", "json").json
    digest = parse_snp_report(report.read_bytes()).body.measurement.hex()
    assert (found["code"], found["tee"], found["measurements"]) == ("measurement.recorded", "snp", [digest])
    assert "the SNP report was not verified: anybody can have written it" in found["notes"]
    refused = run("mrverify", "--from-quote", report, "--unverified", "--mr-td", "11" * 48, *store)
    assert refused.code == 2
    assert "is an SNP guest's and has no mr_td" in refused.err
