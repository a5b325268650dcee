"""``shelter inspect`` of SNP reports, VEK certificates, AMD's lists and certificate tables."""

from __future__ import annotations

from typing import Any

import pytest

from eaa.evidence.snp_certificates import GUIDS, TableEntry, TableName, encode_certificate_table
from tests.cli.running import run
from tests.fakes.amd_vendor import REPORT_DATA, SnpKind, make_snp_guest


def shown(data: bytes) -> dict[str, Any]:
    done = run("inspect", "-", "-o", "json", stdin=data)
    assert (done.code, done.err) == (0, "")
    assert done.json["verified"] is False
    said: dict[str, Any] = done.json
    return said


@pytest.mark.parametrize(
    ("kind", "product"), [("milan-v2", None), ("genoa-v4", "Genoa"), ("turin-v5", "Turin")]
)
def test_a_report(kind: SnpKind, product: str | None) -> None:
    guest = make_snp_guest(kind)
    said = shown(guest.collect(REPORT_DATA))
    content = said["content"]
    assert (said["kind"], content["tee"], content["product"]) == ("snp_report", "snp", product)
    assert content["body"]["report_data"] == REPORT_DATA.hex()
    assert content["body"]["policy_names"] == ["SMT"]
    assert content["body"]["reported_tcb"]["bootloader"] == guest.platform.tcb.bootloader
    assert content["certificates"] == []


def test_an_extended_report() -> None:
    guest = make_snp_guest("milan-vlek-v3")
    content = shown(guest.collect_extended(REPORT_DATA).encode())["content"]
    assert [item["name"] for item in content["certificates"]] == ["ARK", "ASK", "VLEK"]
    (vlek,) = content["certificates"][2]["certificates"]
    assert vlek["vek_extensions"]["csp_id"] == "CN=cloud.invalid"
    assert vlek["public_key"] == "EC P-384"
    assert content["certificates"][0]["certificates"][0]["public_key"] == "RSA 4096"


def test_a_vek_certificate_and_what_is_malformed_in_it() -> None:
    guest = make_snp_guest("turin-v5")
    said = shown(guest.platform.vcek.der)
    assert said["kind"] == "vek_certificate"
    extensions = said["content"]["vek_extensions"]
    assert (extensions["kind"], extensions["product"]) == ("VCEK", "Turin")
    assert extensions["hwid"] == guest.platform.chip_id[:8].hex()
    assert extensions["tcb"]["fmc"] == guest.platform.tcb.fmc
    guest.platform.vcek.overrides = {"3.8": None}
    assert "malformed" in shown(guest.platform.vcek.der)["content"]["vek_extensions"]


def test_a_revocation_list() -> None:
    guest = make_snp_guest()
    guest.platform.vendor.crl.revoked = [0x123]
    content = shown(guest.platform.vendor.crl.der)["content"]
    assert content["issuer"].endswith("ARK-Milan")
    assert content["revoked_serials"] == ["123"]


def test_a_certificate_table() -> None:
    guest = make_snp_guest()
    given = guest.endorsements()
    entries = [
        TableEntry(GUIDS[TableName.VCEK], given.vek or b""),
        TableEntry(GUIDS[TableName.CRL], given.crl or b""),
        TableEntry(GUIDS[TableName.ASK], b"no certificate"),
        TableEntry(bytes(15) + b"\x01", b"a cloud's own"),
    ]
    said = shown(encode_certificate_table(entries))
    vcek, crl, ask, other = said["content"]["entries"]
    assert said["kind"] == "certificate_table"
    assert vcek["certificates"][0]["vek_extensions"]["kind"] == "VCEK"
    assert crl["crls"][0]["issuer"].endswith("ARK-Milan")
    assert "malformed" in ask
    assert (other["name"], other["bytes"]) == ("OTHER", 13)


def test_text() -> None:
    guest = make_snp_guest()
    lines = run("inspect", "-", stdin=guest.collect_extended(REPORT_DATA).encode()).out.splitlines()
    assert lines[0].startswith("AMD SEV-SNP attestation report, ")
    assert lines[1].startswith("Nothing was verified")
    assert any(line.strip() == "policy_names: SMT" for line in lines) or any("SMT" in line for line in lines)
    assert any(line.strip() == "product_name: Milan-B0" for line in lines)
