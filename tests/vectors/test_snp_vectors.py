"""Every SNP vector of the manifest: its verdict at its time, and each difference by name with its reason."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from eaa.codec.cbor import decode_cbor
from eaa.endorsements.amd_endorsements import (
    AmdParts,
    SnpEndorsements,
    read_amd_parts,
    select_endorsements,
)
from eaa.endorsements.amd_roots import AMD_ARKS, AMD_ISSUERS
from eaa.endorsements.amd_vek import parse_vek_extensions
from eaa.endorsements.crl import parse_crl
from eaa.endorsements.x509 import Certificate, parse_certificate
from eaa.errors import EAAError, EndorsementNotFound, FormatError, VerificationError
from eaa.evidence.snp import parse_snp_report
from eaa.evidence.snp_evidence import SnpEvidence, parse_snp_evidence, snp_evidence_of_tsm
from eaa.verify.result import Binding
from eaa.verify.snp import SnpMemo, verify_report
from eaa.verify.snp_path import require_amd_crl
from eaa.verify.snp_result import VerifiedSnpEvidence
from eaa.verify.snp_signatures import rsa_key
from tests.vectors.manifest import VECTORS, needs_vectors, rows

pytestmark = needs_vectors

#: Genuine, and refused by a policy that does not allow for it.
PROVISIONAL = {
    "snp/trustee-hcl-report-1e4e3afc": "its microcode was loaded late and is not committed",
    "snp/trustee-hcl-report-2e63568e": "its microcode was loaded late and is not committed",
}
#: Reports without an endorsement in any public source: unavailable, neither accepted nor rejected.
#: ``…bad_sig…`` has a wrong signature, which nobody can tell without the key.
WITHOUT_ENDORSEMENT = {
    "snp/sev-snp-utils-guest_report-94739f63",
    "snp/sev-snp-utils-guest_report_bad_sig-c696a46d",
    "snp/sev-snp-utils-snp_report_msg_resp-dd677385",
    "snp/azure-cvm-tooling-hcl-report-snp-fc4e6560",
    "snp/tinfoil-python-test_sev_attestation-27ea540e",
}
#: What is no evidence, but what Veraison's service made of some: nothing in it is signed.
NOT_EVIDENCE = {"snp/veraison-sevsnp-ratsd-claims.json", "snp/veraison-sevsnp-ratsd-env.json"}
#: Verified without a revocation list, as none of the product is public for the time of the VCEK.
WITHOUT_LIST = {"snp/trustee-turin-report-56b3ee54", "snp/lunal-live-evidence-genoa-json"}

Row = dict[str, Any]


def snp_rows(*kinds: str) -> Sequence[Row]:
    return [row for row in rows() if row["tee"] == "snp" and row["kind"] in kinds]


def folder(row: Row) -> Path:
    return VECTORS / str(row["dir"])


def ids(found: Sequence[Row]) -> list[str]:
    return [row["id"] for row in found]


@cache
def public_lists() -> tuple[bytes, ...]:
    return tuple(
        read_amd_parts((folder(row) / f"{product}.crl").read_bytes()).crls[0]
        for row in snp_rows("snp-crl")
        for product in (row["id"].rpartition("-")[2],)
    )


def evidence_of(row: Row) -> SnpEvidence:
    """The evidence of ``row`` in the shape that it is there in."""
    name = next(item["name"] for item in row["files"] if item["name"].endswith((".bin", ".json", ".cbor")))
    data = (folder(row) / name).read_bytes()
    if row["kind"] == "snp-tsm-evidence":
        members = decode_tsm(name, data)
        return snp_evidence_of_tsm(members["outblob"], members["auxblob"])
    if row["kind"] == "snp-evidence-json":
        return parse_snp_evidence((folder(row) / "live-report-v5-genoa.bin").read_bytes())
    return parse_snp_evidence(data)


def decode_tsm(name: str, data: bytes) -> dict[str, bytes]:
    if name.endswith(".cbor"):
        members: Any = decode_cbor(data, what="TSM report")
        return dict(members)
    texts = json.loads(data)
    return {key: base64.urlsafe_b64decode(texts[key] + "==") for key in ("outblob", "auxblob")}


def endorsements_of(row: Row, evidence: SnpEvidence) -> tuple[SnpEndorsements, Certificate | None]:
    parts = AmdParts()
    for item in row["files"]:
        if item["name"].endswith((".der", ".pem")):
            parts += read_amd_parts((folder(row) / item["name"]).read_bytes())
    for entry in evidence.certificates:
        parts += read_amd_parts(entry.data)
    report = parse_snp_report(evidence.report)
    found = select_endorsements(report, parts + AmdParts(crls=public_lists()), AMD_ISSUERS + AMD_ARKS)
    return found, None if found.vek is None else parse_certificate(found.vek)


def verify(row: Row, *, allow_missing_crl: bool = False) -> VerifiedSnpEvidence:
    """At the first day on which VEK and list are both valid, or without a list where there is no such day."""
    evidence = evidence_of(row)
    endorsements, vek = endorsements_of(row, evidence)
    now = datetime(2026, 1, 1, tzinfo=UTC) if vek is None else vek.not_before + timedelta(days=1)
    if endorsements.crl is not None and vek is not None:
        crl = parse_crl(endorsements.crl)
        now = max(now, crl.this_update + timedelta(days=1))
        if now > crl.next_update:
            endorsements = SnpEndorsements(endorsements.vek, endorsements.ask, endorsements.ark, None)
            now = vek.not_before + timedelta(days=1)
    if row["validity_window"] is not None:
        window = {key: datetime.fromisoformat(value) for key, value in row["validity_window"].items()}
        assert window["from_"] <= now <= window["to"]
    return verify_report(
        evidence.report,
        endorsements=endorsements,
        trust_anchors=AMD_ARKS,
        binding=Binding(),
        now=now,
        memo=SnpMemo(1),
        allow_missing_crl=allow_missing_crl or row["id"] in WITHOUT_LIST,
    )


REPORTS = snp_rows("snp-report", "snp-coco-evidence", "snp-evidence-json", "snp-tsm-evidence")


@pytest.mark.parametrize("row", REPORTS, ids=ids(REPORTS))
def test_the_manifests_verdict(row: Row) -> None:
    name = row["id"]
    if name in NOT_EVIDENCE:
        with pytest.raises(FormatError):
            parse_snp_evidence((folder(row) / row["files"][0]["name"]).read_bytes())
        return
    if name in WITHOUT_ENDORSEMENT:
        assert row["verdict_summary"][0].endswith("(report only)")
        with pytest.raises(EndorsementNotFound, match="VCEK"):
            verify(row, allow_missing_crl=True)
        return
    verdict = row["expected"][0].get("verdict", "")
    assert verdict == "genuine" or row["kind"] != "snp-report"
    verified = verify(row)
    assert verified.report.provisional == (name in PROVISIONAL)
    require_as_described(verified, row)


def require_as_described(verified: VerifiedSnpEvidence, row: Row) -> None:
    report, meta = verified.report, row.get("meta") or {}
    assert verified.revocation_checked == (row["id"] not in WITHOUT_LIST)
    assert verified.chip_id_verified
    if not meta:
        return
    body = report.body
    assert body.version == meta["version"]
    assert body.vmpl == meta["vmpl"]
    assert hex(body.policy) == meta["policy"]
    assert report.policy.debug_allowed == meta["debug"]
    assert hex(body.platform_info) == meta["platform_info"]
    assert report.key_info.signing_key.name == meta["signing_key"]
    for tcb in ("reported_tcb", "current_tcb", "committed_tcb", "launch_tcb"):
        assert getattr(body, tcb).hex() == meta[tcb]
        assert getattr(report, tcb).encode() == getattr(body, tcb)
    for field in ("measurement", "host_data", "report_data", "chip_id"):
        assert getattr(body, field).hex() == meta[field]
    if meta["cpuid_fam_mod_step"] is not None:
        cpuid = bytes((body.cpuid_family, body.cpuid_model, body.cpuid_stepping))
        assert cpuid.hex() == meta["cpuid_fam_mod_step"]
    assert verified.vek.product_name in row["tags"]


def test_every_difference_is_a_vector() -> None:
    known = set(ids(REPORTS))
    assert set(PROVISIONAL) | WITHOUT_ENDORSEMENT | NOT_EVIDENCE | WITHOUT_LIST <= known


def test_no_vector_is_left_out() -> None:
    others = {"snp-crl", "txtar-sev_certificates"}
    assert {row["kind"] for row in rows() if row["tee"] == "snp"} == {row["kind"] for row in REPORTS} | others


@pytest.mark.parametrize("row", snp_rows("snp-crl"), ids=ids(snp_rows("snp-crl")))
def test_lists(row: Row) -> None:
    product = row["id"].rpartition("-")[2]
    (der,) = read_amd_parts((folder(row) / f"{product}.crl").read_bytes()).crls
    crl, expected = parse_crl(der), row["expected"][0]
    ark = next(item for item in AMD_ARKS if item.common_name == f"ARK-{product.capitalize()}")
    require_amd_crl(crl, ark, rsa_key(ark.spki))
    assert crl.this_update.isoformat() == expected["this_update"]
    assert crl.next_update.isoformat() == expected["next_update"]
    assert [hex(serial) for serial in crl.revoked_serials] == expected["revoked_entries"]


def test_certificates_of_an_archive() -> None:
    (row,) = snp_rows("txtar-sev_certificates")
    text = (folder(row) / row["files"][0]["name"]).read_text()
    parts = AmdParts()
    for block in text.split("-- ")[1:]:
        pem = block[block.find("-----BEGIN") :]
        if pem.startswith("-----"):
            parts += read_amd_parts(pem.strip().encode())
    pinned = {item.der for item in AMD_ISSUERS + AMD_ARKS}
    veks = [item for item in parts.certificates if item.der not in pinned]
    assert len(parts.certificates) - len(veks) == 4
    assert [parse_vek_extensions(item).product_name for item in veks] == ["Genoa"]
    assert set(parts.crls) == set(public_lists())


NEGATIVE = [row for row in rows() if row["kind"] == "snp-vcek-invalid"]


@pytest.mark.parametrize("row", NEGATIVE, ids=ids(NEGATIVE))
def test_peers_negative_cases_are_refused(row: Row) -> None:
    """A VCEK of a made-up chip, which AMD's ASK did not issue."""
    der, report = sorted((folder(row) / item["name"] for item in row["files"]), key=lambda path: path.suffix)[
        ::-1
    ]
    vek = parse_certificate(der.read_bytes())
    chain = {item.subject: item for item in AMD_ISSUERS + AMD_ARKS}
    ask = chain[next(item.subject for item in AMD_ISSUERS if item.common_name == "SEV-Milan")]
    endorsements = SnpEndorsements(vek.der, ask.der, chain[ask.issuer].der, public_lists()[1])
    with pytest.raises(VerificationError) as caught:
        verify_report(
            report.read_bytes(),
            endorsements=endorsements,
            trust_anchors=AMD_ARKS,
            binding=Binding(),
            now=datetime(2025, 6, 1, tzinfo=UTC),
            memo=SnpMemo(1),
        )
    assert isinstance(caught.value, EAAError)
    assert caught.value.code in {"signature.vek", "chain.vek_issuer"}
