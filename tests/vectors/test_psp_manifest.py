"""Each SNP, SEV and CSV line of the manifest: all members of ``expected`` are compared, or have a reason.

A new line, kind or member that nothing here knows fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pytest

from eaa.endorsements.hygon_endorsements import read_hygon_parts
from eaa.endorsements.sev_roots import AMD_SEV_ARKS
from eaa.errors import EndorsementNotFound, FormatError
from eaa.evidence.hygon_csv_evidence import parse_csv_evidence
from eaa.evidence.snp_evidence import parse_snp_evidence
from eaa.evidence.snp_tcb import SnpProduct
from eaa.verify.result import Binding
from eaa.verify.sev_chain import verify_sev_authorities, verify_sev_platform
from eaa.verify.snp_result import VerifiedSnpEvidence
from tests.vectors import test_csv_vectors as csv
from tests.vectors import test_event_log_vectors as event_logs
from tests.vectors import test_sev_vectors as sev
from tests.vectors import test_snp_vectors as snp
from tests.vectors.manifest import needs_vectors, rows

pytestmark = needs_vectors

Row = dict[str, Any]
Expected = dict[str, Any]
ROWS = [row for row in rows() if row["tee"] in ("snp", "sev", "csv") or row["kind"] == "snp-vcek-invalid"]
#: No statement about the evidence: who made it, and prose.
SAID = ("by", "note")
#: What the manifest calls the parts of a TCB.
TCB = {"fmc": "fmc", "bl": "bootloader", "tee": "tee", "snp": "snp", "ucode": "microcode"}
#: Lines whose expectation is not of evidence or endorsements alone, and why what is compared here is less.
REASONS = {
    "snp/veraison-sevsnp-ratsd-claims.json": "what Veraison's service made of evidence: nothing is signed",
    "snp/veraison-sevsnp-ratsd-env.json": "what Veraison's service made of evidence: nothing is signed",
    "snp/veraison-sevsnp-tsm-report.cbor": "accepted with reference values, which are an owner's",
    "snp/veraison-sevsnp-tsm-report.json": "accepted with reference values, which are an owner's",
    "snp/trustee-coco-evidence-json": "prose: it has to verify once it is serialised again",
    "snp/openpcc-sev_certificates": "prose: it holds certificates and lists, and no evidence",
    "sev/virtee-sevctl-measurement": "prose: the digests are in sevctl's tests, and taken over into ours",
    "csv/trustee-csv-evidence": "prose: without HSK and CEK it is unavailable",
}


def snp_report(row: Row, expected: Expected) -> None:
    evidence = snp.evidence_of(row)
    if row["id"] in snp.WITHOUT_ENDORSEMENT:
        assert expected.pop("verdict").startswith("no matching VCEK/VLEK")
        assert (expected.pop("report_signature"), expected.pop("chain")) == (None, None)
        with pytest.raises(EndorsementNotFound):
            snp.verify(row, allow_missing_crl=True)
        return
    verified = snp.verify(row)
    assert isinstance(verified, VerifiedSnpEvidence)
    vek, reported = verified.vek, verified.report.reported_tcb
    _, certificate = snp.endorsements_of(row, evidence)
    assert certificate is not None
    assert expected.pop("verdict") == "genuine"
    assert expected.pop("report_signature") is True
    assert expected.pop("chain") == "ok to self-signed ARK"
    assert expected.pop("synthetic_root") is verified.trust_anchor.simulated
    assert f"CN={verified.trust_anchor.name}" in expected.pop("ark").split(",")
    assert expected.pop("reported_tcb") == {
        name: getattr(reported, ours) for name, ours in TCB.items() if getattr(reported, ours) is not None
    }
    assert expected.pop("vcek_tcb_matches_reported") is (vek.tcb == reported)
    assert expected.pop("hwid_matches_chip_id") is verified.chip_id_verified
    window = [datetime.fromisoformat(text) for text in expected.pop("cert_validity")]
    assert window == [certificate.not_before, certificate.not_after]
    assert expected.pop("product") == vek.product_name
    assert expected.pop("csp_id") == vek.csp_id


def snp_json(row: Row, expected: Expected) -> None:
    digest = expected.pop("verdict").partition("*-")[2].partition(" ")[0]
    assert any(len(digest) == 8 and item["sha256"].startswith(digest) for item in row["files"])
    report = snp.verify(row).report
    assert (report.body.version, report.product) == (5, SnpProduct.GENOA)


def snp_tsm(row: Row, expected: Expected) -> None:
    assert expected.pop("verdict") == "accept with corim-sevsnp-valid.cbor"
    if row["id"] not in snp.NOT_EVIDENCE:
        assert snp.verify(row).chip_id_verified
        return
    with pytest.raises(FormatError):
        parse_snp_evidence((snp.folder(row) / row["files"][0]["name"]).read_bytes())


def snp_list(row: Row, expected: Expected) -> None:
    snp.test_lists(row)
    assert expected.pop("crl_signature_by_ark") is True
    for name in ("this_update", "next_update", "revoked_entries"):
        del expected[name]  # compared there


def snp_negative(row: Row, expected: Expected) -> None:
    assert expected.pop("verdict").startswith("reject: ")
    assert expected.pop("report_signature") is False
    snp.test_peers_negative_cases_are_refused(row)


def sev_chain(row: Row, expected: Expected) -> None:
    sev.test_the_authorities(row)
    assert expected.pop("usage") == ["0x0", "0x13"]
    assert expected.pop("ark_self") is expected.pop("ask_by_ark") is True
    if row["id"] != sev.NAPLES:
        return
    _, given = sev.naples()
    authorities = verify_sev_authorities(given, tuple(AMD_SEV_ARKS.values()))
    assert verify_sev_platform(given, authorities).pdh is not None
    for link in ("cek_by_ask", "oca_self", "pek_by_oca", "pek_by_cek", "pdh_by_pek"):
        assert expected.pop(link) is True


def csv_report(row: Row, expected: Expected) -> None:
    evidence = parse_csv_evidence(csv.file_of(row, "report.cert"))
    verified = csv.verify(evidence, read_hygon_parts(csv.file_of(row, "hsk_cek.cert")), Binding())
    assert expected.pop("verdict") == "genuine"
    for link in ("hrk_self", "hsk_by_hrk", "cek_by_hsk"):
        assert expected.pop(link) is True
    assert expected.pop("chip_id").strip("\x00") == verified.report.serial_number
    for name, theirs in csv.MASKED_BY_THE_CHECKER.items():
        assert expected.pop(name) == theirs  # the difference that is explained there


def csv_json(row: Row, expected: Expected) -> None:
    assert "HSK/CEK must be fetched or supplied" in row["expected"][0]["note"]
    csv.test_without_the_chips_certificate_it_is_unavailable()


def event_log(row: Row, expected: Expected) -> None:
    path = snp.folder(row) / row["files"][0]["name"]
    event_logs.test_every_register_of_every_bank_replays_to_the_recorded_value(path, row["expected"][0])
    del expected["events"], expected["replayed"]  # compared there


def snp_serialised(row: Row, expected: Expected) -> None:
    assert snp.verify(row).chip_id_verified


def snp_archive(row: Row, expected: Expected) -> None:
    snp.test_certificates_of_an_archive()


def sev_launch(row: Row, expected: Expected) -> None:
    for version, policy, what, measurement in sev.SEVCTL:
        sev.test_sevctls_measurements(version, policy, what, measurement)


COMPARISONS: Mapping[str, Callable[[Row, Expected], None]] = {
    "snp-report": snp_report,
    "snp-coco-evidence": snp_serialised,
    "snp-evidence-json": snp_json,
    "snp-tsm-evidence": snp_tsm,
    "snp-crl": snp_list,
    "snp-vcek-invalid": snp_negative,
    "txtar-sev_certificates": snp_archive,
    "sev-legacy-chain": sev_chain,
    "sev-legacy-ca": sev_chain,
    "sev-launch-measurement-inputs": sev_launch,
    "hygon-csv-report": csv_report,
    "hygon-csv-evidence": csv_json,
    "ccel-eventlog": event_log,
}


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_each_expectation(row: Row) -> None:
    assert row["kind"] in COMPARISONS, "no comparison is known for this kind"
    assert row["expected"], "the line expects nothing"
    for entry in row["expected"]:
        expected = {name: value for name, value in entry.items() if name not in SAID}
        assert expected or row["id"] in REASONS, "there is nothing but prose, and no reason is named"
        COMPARISONS[row["kind"]](row, expected)
        assert expected == {}, "nothing compares these"


def test_each_reason_is_of_a_line() -> None:
    assert REASONS.keys() <= {row["id"] for row in ROWS}
    assert REASONS.keys() >= snp.NOT_EVIDENCE
    assert {row["kind"] for row in ROWS} == COMPARISONS.keys()


def test_a_changed_expectation_is_noticed() -> None:
    """The comparison itself compares: each member of a genuine report's line, made wrong."""
    row = next(row for row in ROWS if row["kind"] == "snp-report" and "verified" in row["tags"])
    (entry,) = row["expected"]
    wrong: Expected = {
        "verdict": "forged", "report_signature": False, "chain": "broken", "synthetic_root": True,
        "ark": "CN=ARK-Venice", "reported_tcb": {"bl": 0}, "vcek_tcb_matches_reported": False,
        "hwid_matches_chip_id": False, "cert_validity": [entry["cert_validity"][0]] * 2,
        "product": "Venice", "csp_id": "somebody",
    }  # fmt: skip
    assert wrong.keys() == entry.keys() - set(SAID)
    for name, value in wrong.items():
        with pytest.raises(AssertionError):
            snp_report(row, {key: item for key, item in entry.items() if key not in SAID} | {name: value})
