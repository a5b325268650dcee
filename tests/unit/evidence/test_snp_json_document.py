from __future__ import annotations

import json

import pytest

from eaa.evidence.snp import parse_snp_report
from eaa.evidence.snp_certificates import GUIDS, TableEntry, TableName
from eaa.evidence.snp_evidence import parse_snp_evidence
from eaa.evidence.snp_json_document import snp_evidence_document
from tests.fakes.amd_vendor import SNP_KINDS, SnpKind, shared_snp_case
from tests.fakes.snp_json import current_json


@pytest.mark.parametrize("kind", SNP_KINDS)
def test_as_guest_components_write_it_and_read_again(kind: SnpKind) -> None:
    data = shared_snp_case(kind).report
    report = parse_snp_report(data)
    document = snp_evidence_document(report, ())
    assert document == {"attestation_report": current_json(report), "cert_chain": None}
    assert parse_snp_evidence(json.dumps(document).encode()).report == data


def test_certificates_by_name_and_by_guid() -> None:
    report = parse_snp_report(shared_snp_case("milan-v5").report)
    other = TableEntry(bytes.fromhex("00112233445566778899aabbccddeeff"), b"other")
    entries = (TableEntry(GUIDS[TableName.VCEK], b"\x00\xff"), other)
    document = snp_evidence_document(report, entries)
    assert document["cert_chain"] == [
        {"cert_type": "VCEK", "data": [0, 255]},
        {"cert_type": {"OTHER": "00112233-4455-6677-8899-aabbccddeeff"}, "data": list(b"other")},
    ]
    assert parse_snp_evidence(json.dumps(document).encode()).certificates == entries
