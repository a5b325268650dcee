"""``shelter verify`` and ``inspect`` of SEV and CSV evidence: verdict, code, exit code, and what is shown."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import Run, run
from tests.fakes.hygon_vendor import REPORT_DATA, make_csv_guest
from tests.fakes.sev_vendor import MNONCE, make_sev_guest
from tests.unit.evidence.test_hygon_csv import guest_json
from tests.vectors.manifest import VECTORS, needs_vectors, rows


class Files:
    """Evidence of one guest, its endorsements and its root in a folder."""

    def __init__(self, folder: Path, tee: str) -> None:
        self.tee, self.folder = tee, folder
        self.parts = folder / "parts"
        self.parts.mkdir()
        self.evidence, self.root = folder / "evidence", folder / "root.cert"
        if tee == "sev":
            sev = make_sev_guest("rome-es")
            given = sev.platform.endorsements()
            self.nonce, names = MNONCE, ("cek", "oca", "pek", "ask")
            self.evidence.write_bytes(sev.collect(MNONCE))
            self.root.write_bytes(sev.platform.vendor.ark.raw)
            for name in names:
                (self.parts / f"{name}.cert").write_bytes(getattr(given, name))
        else:
            csv = make_csv_guest("csv3-v2")
            csv.policy = 0x4F
            self.nonce = REPORT_DATA
            self.evidence.write_bytes(json.dumps(guest_json(csv)).encode())
            self.root.write_bytes(csv.platform.vendor.hrk.raw)
            (self.parts / "hsk_cek.cert").write_bytes(csv.platform.hsk_cek)
        (self.parts / "notes.txt").write_bytes(b"not an endorsement")

    def verify(self, *options: object) -> Run:
        return run("verify", self.evidence, "--trust-anchor", self.root, "-o", "json", *options)

    def judged(self, *options: object) -> Run:
        return self.verify("--collateral", self.parts, *options)


@pytest.fixture(params=["sev", "csv"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    return Files(tmp_path, request.param)


def test_accepted(files: Files) -> None:
    done = files.judged("--nonce", files.nonce.hex())
    assert (done.code, done.json["code"], done.json["tee"]) == (0, "accepted", files.tee)
    assert any(
        rule["rule"] == "binding.report_data" and rule["verdict"] == "pass" for rule in done.json["rules"]
    )
    assert any("notes.txt: not an endorsement" in note for note in done.json["notes"])
    assert any("simulated vendor" in note for note in done.json["notes"])
    assert done.json["claims"]["not_established"]
    assert done.json["endorsements_expire"] is None


def test_text(files: Files) -> None:
    done = run("verify", files.evidence, "--trust-anchor", files.root, "--collateral", files.parts)
    assert done.code == 0
    assert f"TEE           {files.tee.upper()}" in done.out
    assert f"what {files.tee.upper()} cannot prove" in done.out


def test_another_challenge(files: Files) -> None:
    done = files.judged("--nonce", "ff" * 16)
    assert done.code == 10
    assert done.json["code"].startswith("binding.")
    longer = files.judged("--nonce", "ff" * 40)
    assert longer.json["code"] == "binding.report_data"


def test_no_field_for_configuration(files: Files) -> None:
    assert files.judged("--config-id", "00" * 32).json["code"] == "binding.config_id"


def test_without_endorsements(files: Files) -> None:
    done = files.verify()
    assert (done.code, done.json["verdict"]) == (40, "unavailable")
    assert done.json["needs"]["tee"] == files.tee
    assert any("https://" in reason for reason in done.json["reasons"])
    assert done.json["unverified_claims"]["policy_names"]


def test_the_vendors_root_does_not_believe_it(files: Files) -> None:
    done = run("verify", files.evidence, "--collateral", files.parts, "-o", "json")
    # The issuer of a simulated key is none that is kept.
    assert (
        done.json["code"]
        == {"sev": "endorsement_not_found.ark", "csv": "endorsement_not_found.hrk"}[files.tee]
    )


def test_a_named_file_that_is_no_endorsement(files: Files) -> None:
    done = files.verify("--collateral", files.parts / "notes.txt")
    assert (done.code, done.json["verdict"]) == (30, "malformed")


def test_an_issuer_is_no_root(files: Files, tmp_path: Path) -> None:
    issuer = tmp_path / "issuer"
    data = (files.parts / ("ask.cert" if files.tee == "sev" else "hsk_cek.cert")).read_bytes()
    issuer.write_bytes(data if files.tee == "sev" else data[:832])
    done = run("verify", files.evidence, "--trust-anchor", issuer, "--collateral", files.parts)
    assert done.code == 2
    assert "no root certificate" in done.err


def test_the_policy_of_the_guest(tmp_path: Path) -> None:
    files = Files(tmp_path, "csv")
    guest = make_csv_guest("csv2-v1")
    guest.policy = 0x85
    files.evidence.write_bytes(guest.collect(REPORT_DATA))
    done = files.judged()
    failed = {rule["rule"] for rule in done.json["rules"] if rule["verdict"] == "fail"}
    assert failed == {"guest_policy_noks", "guest_policy_nosend", "guest_policy_asid_reuse"}
    allowed = [word for name in ("noks", "NOSEND", "ASID_REUSE") for word in ("--allow-guest-policy", name)]
    assert files.judged(*allowed).code == 0
    for options, rule in (
        (("--require-csv3",), "guest_policy_csv3"),
        (("--minimum-api", "1.0"), "guest_policy_api"),
        (("--minimum-build", "1"), "minimum_build"),
    ):
        assert files.judged(*allowed, *options).json["code"] == f"appraisal.{rule}"


def test_reference_values(files: Files, tmp_path: Path) -> None:
    claims: dict[str, Any] = files.judged().json["claims"]
    name = {"sev": "launch_digest", "csv": "measure"}[files.tee]
    reference = tmp_path / "reference.json"
    for value, code in ((claims[name], 0), ("00" * 32, 10)):
        reference.write_text(json.dumps({"version": 1, files.tee: [{name: value}]}))
        assert files.judged("--reference", reference).code == code


def test_inspect(files: Files) -> None:
    done = run("inspect", files.evidence, "-o", "json")
    assert (done.code, done.json["kind"]) == (0, f"{files.tee}_report")
    assert done.json["content"]["body"]["debug"] is False
    for part in [*sorted(files.parts.glob("*.cert")), files.root]:
        shown = run("inspect", part, "-o", "json")
        assert shown.json["kind"] == {"sev": "sev_certificates", "csv": "hygon_certificates"}[files.tee]
        assert all(len(item["sha256"]) == 64 for item in shown.json["content"].values())


def test_inspect_evidence_with_certificates(tmp_path: Path) -> None:
    path = tmp_path / "evidence"
    path.write_bytes(make_sev_guest().collect_with_platform(MNONCE).encode())
    shown = run("inspect", path, "-o", "json").json["content"]
    assert shown["product"] == "Rome"
    assert shown["certificates"]["pek"]["signed_by"] == ["OCA", "CEK"]
    path.write_bytes(make_csv_guest().collect_with_chip(REPORT_DATA).encode())
    shown = run("inspect", path, "-o", "json").json["content"]
    assert set(shown["certificates"]) == {"pek", "cek", "hsk"}
    assert not shown["restored"]


def test_an_event_log_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    files = Files(tmp_path, "sev")
    log = tmp_path / "log"
    log.write_bytes(b"")
    done = files.judged("--event-log", log)
    assert done.json["code"] == "event_log.mismatch"
    assert "an SEV report has no RTMRs" in done.json["reasons"][0]
    csv = Files(Path(tempfile.mkdtemp(dir=tmp_path)), "csv")
    csv.evidence.write_bytes(make_csv_guest("csv3-v1").collect(REPORT_DATA))
    assert "version 1 has no RTMRs" in csv.judged("--event-log", log).json["reasons"][0]


@needs_vectors
def test_an_event_log_of_csv3(tmp_path: Path) -> None:
    """A real machine's log, and registers that say what it replays to."""
    row = next(row for row in rows() if row["id"] == "csv/trustee-ccel_data_csv")
    log = VECTORS / row["dir"] / "ccel_data_csv"
    replayed = row["expected"][0]["replayed"]
    files = Files(tmp_path, "csv")
    for changed, code in ((False, "accepted"), (True, "event_log.mismatch")):
        guest = make_csv_guest("csv3-v2")
        guest.policy = 0x4F
        guest.fields = {f"rtmr{n}": bytes.fromhex(replayed[f"sm3:{n}"]) for n in (1, 2, 3)}
        if changed:
            guest.fields["rtmr2"] = bytes(32)
        files.evidence.write_bytes(guest.collect(REPORT_DATA))
        done = files.judged("--event-log", log)
        assert done.json["code"] == code
        verdicts = {
            rule["claim"]: rule["verdict"] for rule in done.json["rules"] if "event_log" in rule["rule"]
        }
        assert verdicts == {
            "rtmr1": "pass", "rtmr2": "fail" if changed else "pass", "rtmr3": "pass", "rtmr4": "pass",
        }  # fmt: skip
