"""``shelter verify`` of SEV-SNP reports: verdicts, options, what is missing, and what is shown."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from eaa.attester.simulated.amd_guest import SimulatedSnpGuest
from eaa.codec.pem import encode_pem
from eaa.evidence.snp_certificates import encode_certificate_table
from eaa.evidence.snp_tcb import TcbVersion
from tests.cli.running import run
from tests.cli.snp_files import AT, NONCE, SnpFiles, write_snp
from tests.fakes.amd_vendor import SnpKind, make_amd_vendor, make_snp_guest

Made = Callable[[SimulatedSnpGuest], SnpFiles]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return lambda guest: write_snp(tmp_path, guest)


@pytest.mark.parametrize("kind", ["milan-v2", "genoa-v4", "turin-v5", "milan-vlek-v3"])
def test_accepted(made: Made, kind: SnpKind) -> None:
    files = made(make_snp_guest(kind))
    done = files.verify("--nonce", NONCE.hex())
    said = done.json
    assert (done.code, said["verdict"], said["code"], said["tee"]) == (0, "accepted", "accepted", "snp")
    assert (said["tcb_status"], said["tcb_date"], said["advisory_ids"]) == (None, None, [])
    assert said["claims"]["report_data"] == (NONCE + bytes(32)).hex()
    assert said["claims"]["vek"]["kind"] == ("VLEK" if "vlek" in kind else "VCEK")
    assert said["trust_anchor"]["name"].startswith("EAA Simulated ARK-")
    assert said["endorsements_expire"] is not None
    assert said["result"]["ear.eaa.appraisal"]["accepted"] is True
    rules = {rule["rule"]: rule["verdict"] for rule in said["rules"]}
    assert rules["binding.report_data"] == rules["advisories"] == rules["vmpl"] == "pass"
    assert any("notes.txt: not an endorsement" in note for note in said["notes"])
    assert any("AMD's roots were not trusted" in note for note in said["notes"])
    assert any("simulated vendor" in note for note in said["notes"])


def test_the_simulated_vendor_is_refused_without_its_root(made: Made) -> None:
    files = made(make_snp_guest())
    done = run("verify", files.report, "--collateral", files.collateral, "--at", AT, "-o", "json")
    said = done.json
    assert (done.code, said["verdict"], said["code"]) == (10, "rejected", "chain.untrusted_root")
    assert "simulated platform" in said["reasons"][0]


def test_evidence_that_brings_its_certificates(made: Made) -> None:
    guest = make_snp_guest()
    files = made(guest)
    for name in ("one", "chain.pem"):
        (files.collateral / name).unlink()
    extended = guest.collect_extended(NONCE + bytes(32))
    for evidence in (
        extended.encode(),
        base64.b64encode(extended.encode()),
        json.dumps(
            {
                "attestation_report": base64.b64encode(extended.report).decode(),
                "cert_chain": [
                    {"cert_type": str(item.name), "data": list(item.data)} for item in extended.certificates
                ],
            }
        ).encode(),
    ):
        assert files.verify(evidence=evidence).json["code"] == "accepted"
    assert files.verify().json["code"] == "endorsement_not_found.vcek"
    table = files.folder / "auxblob"
    table.write_bytes(encode_certificate_table(extended.certificates))
    assert files.verify("--collateral", table).json["code"] == "accepted"


@pytest.mark.parametrize(
    ("missing", "code", "needed"),
    [
        ("one", "endorsement_not_found.vcek", "/vcek/v1/Milan/"),
        ("list", "endorsement_not_found.crl", "/vcek/v1/Milan/crl"),
    ],
)
def test_what_is_missing_is_unavailable(made: Made, missing: str, code: str, needed: str) -> None:
    files = made(make_snp_guest())
    (files.collateral / missing).unlink()
    done = files.verify()
    said = done.json
    assert (done.code, said["verdict"], said["code"]) == (40, "unavailable", code)
    assert needed in said["reasons"][0]
    assert "add what is missing to --collateral" in said["reasons"][0]
    assert said["needs"]["chip_id"] == files.guest.platform.chip_id.hex()
    assert (said["needs"]["tee"], said["needs"]["signing_key"]) == ("snp", "VCEK")
    assert said["unverified_claims"]["signing_key"] == "VCEK"


@pytest.mark.parametrize(
    ("kind", "shown", "hidden"),
    [
        ("turin-v5", "fmcSPL=01&blSPL=03&teeSPL=02&snpSPL=05&ucodeSPL=97", "VLEK"),
        ("turin-v2", "/vcek/v1/Turin/crl", "Milan"),
        ("milan-v2", "its product", "kdsintf"),
        ("milan-vlek-v3", "/vlek/v1/Milan/crl", "blSPL"),
    ],
)
def test_without_any_endorsement(made: Made, kind: SnpKind, shown: str, hidden: str) -> None:
    files = made(make_snp_guest(kind))
    done = run("verify", files.report, "--at", AT)
    assert done.code == 40
    assert shown in done.out
    assert hidden not in done.out
    assert "give them with --collateral" in done.out
    assert "(not verified)" in done.out


def test_a_masked_chip_id_has_no_address(made: Made) -> None:
    files = made(make_snp_guest(chip_id=bytes(64)))
    done = run("verify", files.report, "--at", AT, "-o", "json")
    assert "chip_id" not in done.json["needs"]
    assert "blSPL" not in done.json["reasons"][0]


def test_without_a_list_if_that_is_allowed(made: Made) -> None:
    files = made(make_snp_guest())
    (files.collateral / "list").unlink()
    done = files.verify("--allow-missing-crl")
    assert done.code == 0
    assert any("no revocation list" in note for note in done.json["notes"])


@pytest.mark.parametrize(
    ("fields", "code", "option"),
    [
        ({"policy": 1 << 17 | 1 << 19}, "appraisal.debug", ("--allow-debug",)),
        ({"policy": 1 << 17 | 1 << 18}, "appraisal.guest_policy_migrate_ma", ("--allow-migration-agent",)),
        ({"vmpl": 2}, "appraisal.vmpl", ("--max-vmpl", "2")),
        ({"current_build": 9}, "appraisal.provisional_firmware", ("--allow-provisional-firmware",)),
        ({"chip_id": bytes(64)}, "appraisal.chip_id", ("--allow-masked-chip-id",)),
    ],
)
def test_what_is_refused_unless_allowed(
    made: Made, fields: dict[str, bytes | int], code: str, option: tuple[str, ...]
) -> None:
    files = made(make_snp_guest("milan-v5", **fields))
    done = files.verify()
    assert (done.code, done.json["code"]) == (10, code)
    assert files.verify(*option).code == 0


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--require-vcek",), "appraisal.signing_key"),
        (("--minimum-tcb", "milan:snp=30"), "appraisal.minimum_tcb"),
        (("--minimum-tcb", "Genoa:snp=1"), "appraisal.minimum_tcb"),
        (("--require-guest-policy", "SINGLE_SOCKET"), "appraisal.guest_policy_single_socket"),
        (("--refuse-guest-policy", "smt"), "appraisal.guest_policy_smt"),
        (("--require-platform-info", "TSME_EN"), "appraisal.platform_info_tsme_en"),
        (("--refuse-platform-info", "SMT_EN"), "appraisal.platform_info_smt_en"),
        (("--minimum-abi", "1.55"), "appraisal.guest_policy_abi"),
        (("--require-mitigations", "2"), "appraisal.launch_mit_vector"),
    ],
)
def test_what_is_refused_if_asked(made: Made, options: tuple[str, ...], code: str) -> None:
    files = made(make_snp_guest("milan-vlek-v3"))
    assert files.verify().code == 0
    done = files.verify(*options)
    assert (done.code, done.json["code"]) == (10, code)


def test_a_bulletin_whose_fix_is_lacking(made: Made) -> None:
    guest = make_snp_guest()
    guest.platform.use_tcb(TcbVersion(bootloader=4, tee=0, snp=28, microcode=218))
    files = made(guest)
    said = files.verify().json
    assert (said["code"], said["advisory_ids"]) == ("appraisal.advisories", ["AMD-SB-3019"])
    assert files.verify("--accept-advisory", "amd-sb-3019").code == 0
    assert files.verify("--grace-days", "365").code == 0
    met = files.verify("--minimum-tcb", "Milan:bootloader=4,snp=28,microcode=218")
    assert met.json["code"] == said["code"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--minimum-tcb", "Rome:snp=1"), "not one of Milan, Genoa, Turin"),
        (("--minimum-tcb", "Milan"), "expected PART=N"),
        (("--minimum-tcb", "Milan:fmc=1"), "expected PART=N"),
        (("--minimum-tcb", "Milan:snp=256"), "0 to 255"),
        (("--minimum-tcb", "Milan:snp=x"), "0 to 255"),
        (("--minimum-tcb", "Milan:snp=1", "--minimum-tcb", "Milan:snp=2"), "at most one for each"),
        (("--minimum-abi", "1"), "version such as 1.55"),
        (("--minimum-abi", "1.256"), "version such as 1.55"),
        (("--accept-advisory", "SB-3030"), "ids such as AMD-SB-3027"),
        (("--require-guest-policy", "DEBUG"), "DEBUG"),
        (("--require-guest-policy", "MIGRATE_MA"), "refused as well"),
        (("--max-vmpl", "4"), "4"),
    ],
)
def test_usage(made: Made, options: tuple[str, ...], message: str) -> None:
    files = made(make_snp_guest())
    done = run("verify", files.report, *files.trusted, *options)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_turin_has_an_fmc(made: Made) -> None:
    files = made(make_snp_guest("turin-v5"))
    assert files.verify("--minimum-tcb", "turin:fmc=1,snp=5").code == 0
    assert files.verify("--minimum-tcb", "turin:fmc=2").json["code"] == "appraisal.minimum_tcb"


def test_bindings(made: Made) -> None:
    files = made(make_snp_guest(host_data=b"\x07" * 32))
    assert files.verify("--host-data", "07" * 32, "--report-data", (NONCE + bytes(32)).hex()).code == 0
    for options, code in (
        (("--host-data", "08" * 32), "binding.config_id"),
        (("--config-id", "07" * 48), "binding.config_id"),
        (("--nonce", "ff" * 16), "binding.report_data"),
    ):
        done = files.verify(*options)
        assert (done.code, done.json["code"]) == (10, code)
        assert done.json["claims"]["host_data"] == "07" * 32


def test_reference_values(made: Made) -> None:
    files = made(make_snp_guest(measurement=b"\x11" * 48, host_data=b"\x07" * 32))
    reference = files.folder / "reference.json"
    good = {"measurement": "11" * 48, "host_data": "07" * 32}
    reference.write_text(json.dumps({"version": 1, "snp": [good]}))
    done = files.verify("--reference", reference)
    assert done.code == 0
    assert done.json["result"]["ear.status"] == "affirming"
    reference.write_text(json.dumps({"version": 1, "snp": [good | {"measurement": "12" * 48}]}))
    done = files.verify("--reference", reference)
    assert (done.code, done.json["code"]) == (10, "appraisal.measurement")


def test_an_event_log_has_nothing_to_be_compared_with(made: Made) -> None:
    files = made(make_snp_guest())
    done = files.verify("--event-log", files.report)
    assert (done.code, done.json["code"]) == (10, "event_log.mismatch")
    assert "an SNP report has no RTMRs" in done.json["reasons"][0]


def test_another_vendors_root(made: Made) -> None:
    files = made(make_snp_guest())
    other = files.folder / "other.pem"
    vendor = make_amd_vendor()
    vendor.ark.serial += 1
    other.write_bytes(encode_pem(vendor.ark.der))
    done = run(
        "verify", files.report, "--collateral", files.collateral, "--trust-anchor", other, "-o", "json"
    )
    assert done.json["code"] == "chain.untrusted_root"


def test_text(made: Made) -> None:
    files = made(make_snp_guest())
    lines = run("verify", files.report, *files.trusted, "--explain").out.splitlines()
    assert lines[0] == "ACCEPTED  accepted"
    shown = {line.split("  ")[0]: line for line in lines}
    assert shown["TEE"].endswith("SNP")
    assert shown["Reported TCB"].endswith("bootloader 4, tee 0, snp 29, microcode 222")
    assert shown["POLICYNAMES"].endswith("SMT")
    assert shown["Advisories"].endswith("none")
    assert any(line.startswith("guest_policy_migrate_ma") and line.endswith("pass") for line in lines)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda data: data[:-1], "format.truncated"),
        (lambda data: b"\x09" + data[1:], "format.bad_value"),
        (lambda data: data + b"\x00", "format.truncated"),
    ],
)
def test_malformed(made: Made, change: Callable[[bytes], bytes], code: str) -> None:
    files = made(make_snp_guest())
    done = files.verify(evidence=change(files.report.read_bytes()))
    assert (done.code, done.json["verdict"], done.json["code"]) == (30, "malformed", code)
