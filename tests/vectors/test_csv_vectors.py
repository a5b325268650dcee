"""Every CSV vector of the manifest: its verdict, and each difference by name with its reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from eaa.endorsements.hygon_certificate import parse_hygon_ca
from eaa.endorsements.hygon_endorsements import CsvEndorsements, parse_hsk_cek, read_hygon_parts
from eaa.endorsements.hygon_roots import HYGON_HRKS
from eaa.errors import BindingError, EndorsementNotFound, FormatError, SignatureError, VerificationError
from eaa.evidence.hygon_csv import CSV_PAGE_BYTES
from eaa.evidence.hygon_csv_evidence import CsvEvidence, parse_csv_evidence
from eaa.verify.hygon_csv import CsvMemo, verify_csv_report
from eaa.verify.hygon_csv_result import VerifiedCsvEvidence
from eaa.verify.result import Binding
from eaa.verify.sm2 import sm2_key, verify_sm2
from tests.vectors.manifest import VECTORS, needs_vectors, rows

pytestmark = needs_vectors

Row = dict[str, Any]
CHAIN, COCO = "csv/csv-rs-report-chain", "csv/trustee-csv-evidence"
#: The replay of event logs is tests/vectors/test_event_log_vectors.py's.
ELSEWHERE = {"csv/trustee-ccel_data_csv"}
#: What the manifest's own checker says otherwise: it left the mask on the PEK's certificate in the report,
#: under which it is no point and has no signature. Its verdict, genuine, is of HRK, HSK and CEK.
MASKED_BY_THE_CHECKER = {"pek_by_cek": False, "report_by_pek": "badpoint"}
HRK = CsvEndorsements(hrk=HYGON_HRKS[0].raw)
USER_DATA = b"user data".ljust(64, b"\x00")


def row_of(name: str) -> Row:
    return next(row for row in rows() if row["id"] == name)


def file_of(row: Row, name: str) -> bytes:
    return (VECTORS / str(row["dir"]) / name).read_bytes()


def verify(
    evidence: CsvEvidence, given: CsvEndorsements, binding: Binding | None = None
) -> VerifiedCsvEvidence:
    return verify_csv_report(
        evidence.report.raw,
        restored=evidence.report.restored,
        endorsements=given.or_else(HRK),
        trust_anchors=HYGON_HRKS,
        binding=binding or Binding(),
        mnonce=None,
        now=datetime(2026, 1, 1, tzinfo=UTC),
        memo=CsvMemo(1),
    )


def test_no_vector_is_left_out() -> None:
    assert {row["id"] for row in rows() if row["tee"] == "csv"} == {CHAIN, COCO} | ELSEWHERE


@pytest.mark.parametrize("name", ["hsk_cek.cert", "hsk.cert+cek.cert"])
def test_a_real_report_is_genuine(name: str) -> None:
    row = row_of(CHAIN)
    expected = row["expected"][0]
    assert expected["verdict"] == "genuine"
    assert {key: expected[key] for key in MASKED_BY_THE_CHECKER} == MASKED_BY_THE_CHECKER
    given = CsvEndorsements()
    for part in name.split("+"):
        given = given.or_else(read_hygon_parts(file_of(row, part)))
    evidence = parse_csv_evidence(file_of(row, "report.cert"))
    verified = verify(evidence, given, Binding(USER_DATA))
    assert verified.report.encode() == file_of(row, "report.cert")
    assert expected["chip_id"].strip("\x00") == verified.report.serial_number
    assert verified.claims["signer_mac_verified"]
    assert verified.claims["policy_names"] == ["NODBG"]
    assert verified.trust_anchor.name == "HYGON-SSD-HRK"


def test_the_links_of_the_real_chain() -> None:
    row = row_of(CHAIN)
    hrk, hsk = (parse_hygon_ca(file_of(row, f"{name}.cert")) for name in ("hrk", "hsk"))
    assert hrk == HYGON_HRKS[0]
    key = sm2_key(hrk.key.x, hrk.key.y, hrk.key.user_id)
    for certificate in (hrk, hsk):
        verify_sm2(key, certificate.signature, certificate.signed, "certificate", "x")
    assert row["expected"][0]["hrk_self"]
    assert parse_hsk_cek(file_of(row, "hsk_cek.cert")) == CsvEndorsements(
        cek=file_of(row, "cek.cert"), hsk=file_of(row, "hsk.cert")
    )


def test_another_challenge_of_a_real_report() -> None:
    row = row_of(CHAIN)
    evidence = parse_csv_evidence(file_of(row, "report.cert"))
    with pytest.raises(BindingError):
        verify(evidence, read_hygon_parts(file_of(row, "hsk_cek.cert")), Binding(bytes(64)))


def test_without_the_chips_certificate_it_is_unavailable() -> None:
    evidence = parse_csv_evidence(file_of(row_of(COCO), "csv_evidence.json"))
    assert evidence.hsk is None
    assert evidence.report.restored
    assert evidence.report.policy.names == ("NODBG", "ES", "CSV3")
    with pytest.raises(EndorsementNotFound, match="HSK"):
        verify(evidence, CsvEndorsements.of_evidence(evidence))
    with pytest.raises(EndorsementNotFound, match="CEK"):
        verify(evidence, read_hygon_parts(file_of(row_of(CHAIN), "hsk.cert")))


def test_another_chips_certificate_does_not_do() -> None:
    evidence = parse_csv_evidence(file_of(row_of(COCO), "csv_evidence.json"))
    with pytest.raises(SignatureError) as caught:
        verify(evidence, parse_hsk_cek(file_of(row_of(CHAIN), "hsk_cek.cert")))
    assert caught.value.code == "signature.pek"


def test_the_pek_of_the_evidence_signed_it() -> None:
    """What can be verified of it without the chip: the PEK's signature over the masked bytes."""
    report = parse_csv_evidence(file_of(row_of(COCO), "csv_evidence.json")).report
    members = json.loads(file_of(row_of(COCO), "csv_evidence.json"))
    key = members["cert_chain"]["pek"]["body"]["data"]["pubkey"]["key"]
    x, y = (int.from_bytes(bytes(key[name]), "little") for name in ("x", "y"))
    info = report.tee_info
    verify_sm2(sm2_key(x, y, b"HYGON-SSD-PEK"), info.sig_r + info.sig_s, report.signed, "report", "report")


def test_every_bit_of_a_real_report() -> None:
    """There is no byte that is neither signed, nor under the HMAC, nor fixed by the format."""
    row = row_of(CHAIN)
    data, given = file_of(row, "report.cert"), read_hygon_parts(file_of(row, "hsk_cek.cert"))
    for index in range(0, len(data), 5):
        flipped = bytearray(data)
        flipped[index] ^= 1 << index % 8
        with pytest.raises((FormatError, VerificationError)):
            verify(parse_csv_evidence(bytes(flipped)), given)
    page = data.ljust(CSV_PAGE_BYTES, b"\x00")
    assert verify(parse_csv_evidence(page), given).evidence == data
