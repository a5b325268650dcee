"""SEV and CSV evidence and certificates are told apart from each other, and from everything else."""

from __future__ import annotations

import json

import pytest

from eaa.endorsements.evidence_kinds import EVIDENCE, recognise_evidence
from eaa.endorsements.recognise import Kind, recognise
from eaa.errors import FormatError
from tests.fakes.amd_vendor import shared_snp_case
from tests.fakes.hygon_vendor import CSV_KINDS, REPORT_DATA, make_csv_guest, shared_csv_case
from tests.fakes.sev_vendor import MNONCE, make_sev_guest, shared_sev_case
from tests.unit.evidence.test_hygon_csv import guest_json


def test_evidence() -> None:
    sev = make_sev_guest()
    for data in (sev.collect(MNONCE), sev.collect_with_platform(MNONCE).encode()):
        assert recognise_evidence(data).kind is Kind.SEV_REPORT
    for kind in CSV_KINDS:
        csv = make_csv_guest(kind)
        page = csv.collect(REPORT_DATA)
        raw = page[: 0x9F4 if csv.version == 1 else 0xD34]
        document = json.dumps(guest_json(csv)).encode()
        for data in (page, raw, csv.collect_with_chip(REPORT_DATA).encode(), document):
            assert recognise_evidence(data).kind is Kind.CSV_REPORT
    assert recognise_evidence(shared_snp_case("milan-v5").report).kind is Kind.SNP_REPORT
    assert {Kind.SEV_REPORT, Kind.CSV_REPORT} <= EVIDENCE


def test_certificates() -> None:
    sev, csv = shared_sev_case("naples").endorsements, shared_csv_case("csv3-v1").endorsements
    for part in (sev.cek, sev.pek, sev.oca, sev.pdh, sev.ask, sev.ark):
        assert recognise(part or b"").kind is Kind.SEV_CERTIFICATES
    for part in (csv.cek, csv.hsk, csv.hrk, (csv.hsk or b"") + (csv.cek or b"")):
        assert recognise(part or b"").kind is Kind.HYGON_CERTIFICATES
    with pytest.raises(FormatError) as caught:
        recognise_evidence(sev.cek or b"")
    assert caught.value.code == "format.not_evidence"


@pytest.mark.parametrize("size", [208, 2084, 832, 1600, 2548, 3380, 4096, 6461, 7016])
def test_lengths_alone_say_nothing(size: int) -> None:
    for data in (bytes(size), b"\xff" * size):
        with pytest.raises(FormatError):
            recognise(data)
