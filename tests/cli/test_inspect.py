"""``shelter inspect``: what it recognises, what it shows, and that it claims nothing."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eaa.attester.simulated import SimulatedPlatform, chain_pem, collateral_files, dcap_qvl_json
from eaa.codec.pem import encode_pem
from eaa.evidence.dcap_quote import CertificationType
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_replay import replay
from tests.cli.conftest import NONCE, Files
from tests.cli.running import Run, run
from tests.cli.test_verify_event_log import event_log


def inspect(data: bytes, *options: object) -> Run:
    return run("inspect", "-", *options, stdin=data)


def shown(data: bytes) -> dict[str, Any]:
    done = inspect(data, "-o", "json")
    assert (done.code, done.err) == (0, "")
    assert done.json["verified"] is False
    return done.json


def test_a_quote(guest: Files) -> None:
    done = run("inspect", guest.quote, "-o", "json")
    said = done.json
    assert (said["kind"], said["wrappings"], said["verified"]) == ("dcap_quote", [], False)
    content = said["content"]
    assert (content["tee"], content["header"]["version"]) == ("tdx", 4)
    assert content["body"]["report_data"] == (NONCE + bytes(32)).hex()
    assert content["body"]["td_attribute_names"] == ["SEPT_VE_DISABLE"]
    certification = content["certification"]
    assert (certification["type"], certification["type_name"]) == (5, "PCK certificate chain")
    leaf, ca, root = certification["certificates"]
    assert leaf["sgx_extension"]["fmspc"] == b"EAASIM".hex()
    assert (ca["ca"], root["ca"], root["pinned_root"]) == (True, True, False)


def test_text_says_that_nothing_was_verified(guest: Files) -> None:
    done = run("inspect", guest.quote)
    lines = done.out.splitlines()
    assert lines[0] == f"DCAP quote, {guest.quote.stat().st_size} bytes"
    assert lines[1].startswith("Nothing was verified")
    assert f"  mr_td: {guest.attester.report.mr_td.hex()}" in lines  # type: ignore[union-attr]  # a TDX guest


def test_wrappings_are_named(enclave: Files) -> None:
    quote = base64.b64encode(enclave.quote.read_bytes())
    said = shown(b'{"quote":"' + quote + b'"}')
    assert said["wrappings"] == ["json:quote", "base64"]
    assert "unwrapped from json:quote > base64" in inspect(b'{"quote":"' + quote + b'"}').out


@pytest.mark.parametrize("kind", ["guest", "enclave"])
def test_a_report_body_alone(kind: str, request: pytest.FixtureRequest) -> None:
    files: Files = request.getfixturevalue(kind)
    said = shown(files.attester.report.encode())
    assert said["kind"] == {"guest": "td_report_body", "enclave": "sgx_report_body"}[kind]


def test_a_pck_certificate_shows_the_whole_extension(platform: SimulatedPlatform) -> None:
    der = platform.pck.parsed.der
    for data, wrappings in ((der, []), (encode_pem(der), ["pem"]), (der.hex().encode(), ["hex"])):
        said = shown(data)
        assert (said["kind"], said["wrappings"]) == ("pck_certificate", wrappings)
        extension = said["content"]["sgx_extension"]
        assert extension == {
            "ppid": platform.pck.ppid.hex(),
            "cpu_svn": platform.pck.tcb.cpu_svn.hex(),
            "sgx_tcb_components": list(platform.pck.tcb.sgx_components),
            "pce_svn": platform.pck.tcb.pce_svn,
            "pce_id": "0000",
            "fmspc": b"EAASIM".hex(),
            "sgx_type": "scalable",
            "platform_instance_id": (platform.pck.platform_instance_id or b"").hex(),
            "dynamic_platform": extension["dynamic_platform"],
            "cached_keys": extension["cached_keys"],
            "smt_enabled": extension["smt_enabled"],
        }


def test_a_certificate_chain(platform: SimulatedPlatform) -> None:
    said = shown(chain_pem((platform.ca, platform.vendor.root)))
    assert said["kind"] == "certificate_chain"
    names = [item["subject"] for item in said["content"]["certificates"]]
    assert names == ["EAA Simulated SGX PCK Platform CA", "EAA Simulated SGX Root CA"]


def test_a_revocation_list(platform: SimulatedPlatform) -> None:
    platform.vendor.revoke(platform.pck)
    said = shown(platform.ca.crl.der)
    assert said["kind"] == "revocation_list"
    assert said["content"]["revoked_serials"] == [f"{platform.pck.serial:x}"]


@pytest.mark.parametrize(
    ("name", "kind"), [("tcb_info.json", "tcb_info"), ("qe_identity.json", "enclave_identity")]
)
def test_signed_documents(platform: SimulatedPlatform, name: str, kind: str) -> None:
    said = shown(collateral_files(platform.collateral("tdx"))[name])
    assert said["kind"] == kind
    content = said["content"]
    assert isinstance(content, dict)
    levels = content["levels"]
    assert levels[0]["status"] == "UpToDate"
    assert levels[0]["tcb_date"].endswith("Z")
    assert content["issue_date"].endswith("Z")


def test_collateral(platform: SimulatedPlatform) -> None:
    said = shown(dcap_qvl_json(platform.collateral("sgx")))
    assert said["kind"] == "collateral"
    content = said["content"]
    assert isinstance(content, dict)
    assert content["tcb_infos"][0]["fmspc"] == b"EAASIM".hex()
    assert {item["role"] for item in content["crls"]} == {"root", "pck"}


def test_an_event_log_with_every_event_and_the_registers() -> None:
    log = event_log()
    said = shown(log.encode() + b"\xff" * 64)
    content = said["content"]
    assert isinstance(content, dict)
    assert (content["event_count"], len(content["events"]), content["filler_bytes"]) == (5, 5, 64)
    expected = {str(n): value.hex() for n, value in replay(log, HashAlgorithm.SHA384).items()}
    assert content["registers"] == {"SHA-384": expected}
    assert content["events"][2]["Text"] == {"text": "kernel"}
    assert content["events"][2]["digest_check"] == {"SHA-384": "matches"}
    assert "kernel" in inspect(log.encode()).out


def test_what_is_beside_a_quote(guest: Files) -> None:
    both = {
        "quote": base64.b64encode(guest.quote.read_bytes()).decode(),
        "cc_eventlog": base64.b64encode(event_log().encode()).decode(),
    }
    data = json.dumps(both).encode()
    said = shown(data)
    assert [item["kind"] for item in said["beside"]] == ["event_log"]
    assert "Beside it:" in inspect(data).out


def test_control_characters_are_escaped() -> None:
    log = event_log([(1, b"evil \xc2\x9b31m text\n")]).encode()
    assert "\x9b" not in inspect(log).out


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", 30),
        (b"hello", 30),
        (bytes(100), 30),
        (b"{" * 9999, 30),
        (b"\x02" + bytes(1183), 30),
        (b"\x81" + bytes(1023), 20),
    ],
)
def test_refusals(data: bytes, code: int) -> None:
    done = inspect(data, "-o", "json")
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("Error: ")


def test_a_malformed_quote_names_its_field(guest: Files) -> None:
    done = inspect(guest.quote.read_bytes() + b"\x00")
    assert done.code == 30
    assert "signature_data_len at offset" in done.err
    assert "[format.trailing_bytes]" in done.err


def test_unreadable(tmp_path: Path) -> None:
    for name in (tmp_path, tmp_path / "missing"):
        done = run("inspect", name)
        assert (done.code, done.out) == (2, "")


@pytest.mark.parametrize(
    ("kind", "member"),
    [
        (CertificationType.PPID_PLAIN, "ppid"),
        (CertificationType.PCK_CERTIFICATE, "data"),
        (CertificationType.PLATFORM_MANIFEST, "data"),
    ],
)
def test_other_certification_data(enclave: Files, kind: CertificationType, member: str) -> None:
    enclave.attester.certification_type = kind
    said = run("inspect", enclave.write("q", enclave.attester.collect(bytes(64))), "-o", "json").json
    assert said["content"]["certification"]["type"] == kind
    assert said["content"]["certification"][member]


def test_a_malformed_chain_does_not_hide_the_rest(enclave: Files) -> None:
    quote = enclave.quote.read_bytes().replace(b"BEGIN CERTIFICATE", b"BEGIN CERTIFIC@TE", 1)
    certification = shown(quote)["content"]["certification"]
    assert certification["certificates"] is None
    assert "PCK certificate chain" in certification["malformed"]
    said = run("verify", enclave.write("q", quote), "-o", "json").json
    assert (said["verdict"], said["needs"]) == ("unavailable", {"tee": "sgx"})
    assert "FMSPC unknown" in said["reasons"][0]
    done = enclave.verify(quote=quote)
    assert (done.code, done.json["verdict"]) == (30, "malformed")


def test_a_log_that_cannot_be_replayed_is_shown() -> None:
    log = event_log()
    both = replace(log, algorithms=(HashAlgorithm.SHA256, HashAlgorithm.SHA384))
    content = shown(both.encode())["content"]
    registers = content["registers"]
    assert registers["SHA-384"]["1"]
    assert "no SHA-256 digest" in registers["SHA-256"]["not_replayable"]
