"""SNP evidence taken out of the shapes that people have it in."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from eaa.errors import EAAError
from eaa.evidence.snp import SnpReport, parse_snp_report
from eaa.evidence.snp_certificates import GUIDS, MAX_TABLE_BYTES, TableEntry, TableName
from eaa.evidence.snp_evidence import (
    MAX_SNP_EVIDENCE_BYTES,
    SnpEvidence,
    parse_snp_evidence,
    snp_evidence_of_tsm,
)
from tests.fakes.amd_vendor import SNP_KINDS, SnpKind, make_snp_guest, shared_snp_case
from tests.fakes.snp_json import TCBS, current_json, old_json

OTHER_GUID = "00112233-4455-6677-8899-aabbccddeeff"
Members = dict[str, Any]


def wrapped(report: Any, chain: Any = None) -> bytes:
    return json.dumps({"attestation_report": report, "cert_chain": chain}).encode()


def refused(code: str, data: bytes, field: str | None = None) -> None:
    with pytest.raises(EAAError) as caught:
        parse_snp_evidence(data)
    assert caught.value.code == code
    if field is not None:
        assert getattr(caught.value, "field", None) == field


@pytest.mark.parametrize("kind", SNP_KINDS)
def test_every_shape_gives_the_same_report(kind: SnpKind) -> None:
    report = shared_snp_case(kind).report
    shapes = [
        report,
        wrapped(current_json(parse_snp_report(report))),
        wrapped(base64.b64encode(report).decode()),
    ]
    if not kind.startswith("turin"):
        shapes.append(wrapped(old_json(parse_snp_report(report))))
    for shape in shapes:
        for data in (shape, base64.b64encode(shape), base64.encodebytes(shape)):
            assert parse_snp_evidence(data).report == report


def test_certificates_come_along() -> None:
    evidence = make_snp_guest().collect_extended(bytes(64))
    assert [entry.name for entry in evidence.certificates] == ["ARK", "ASK", "VCEK"]
    assert parse_snp_evidence(evidence.encode()) == evidence
    assert parse_snp_evidence(base64.b64encode(evidence.encode())) == evidence
    report, table = evidence.encode()[:1184], evidence.encode()[1184:]
    assert snp_evidence_of_tsm(report, table) == evidence
    assert snp_evidence_of_tsm(report) == SnpEvidence(report, ())
    chain = [{"cert_type": entry.name, "data": list(entry.data)} for entry in evidence.certificates]
    assert parse_snp_evidence(wrapped(current_json(parse_snp_report(report)), chain)) == evidence
    assert evidence.table.get(TableName.VCEK) == evidence.certificates[2].data


def test_a_certificate_of_another_kind() -> None:
    report = base64.b64encode(shared_snp_case("milan-v5").report).decode()
    chain = [{"cert_type": {"OTHER": OTHER_GUID}, "data": [1, 2]}, {"cert_type": "CRL", "data": []}]
    assert parse_snp_evidence(wrapped(report, chain)).certificates == (
        TableEntry(bytes.fromhex(OTHER_GUID.replace("-", "")), b"\x01\x02"),
        TableEntry(GUIDS[TableName.CRL], b""),
    )


@pytest.mark.parametrize(
    "chain",
    [
        {}, "x", [1], [{}] * 17, [{"cert_type": "VCEK", "data": [1], "more": 1}],
        [{"cert_type": "VXEK", "data": []}], [{"cert_type": "VCEK", "data": [-1]}],
        [{"cert_type": {"OTHER": "x"}, "data": []}], [{"cert_type": {"OTHER": "00"}, "data": []}],
        [{"cert_type": {"OTHER": 1}, "data": []}], [{"cert_type": 1, "data": []}], [{"data": []}],
        [{"cert_type": "VCEK"}], [{"cert_type": "VCEK", "data": [256]}],
        [{"cert_type": "VCEK", "data": [True]}], [{"cert_type": "VCEK", "data": "x"}],
        [{"cert_type": "VCEK", "data": [0] * (MAX_TABLE_BYTES + 1)}],
    ],
)  # fmt: skip
def test_certificates_of_another_shape(chain: Any) -> None:
    refused("format.bad_value", wrapped(base64.b64encode(shared_snp_case("milan-v5").report).decode(), chain))


@pytest.mark.parametrize("shape", [current_json, old_json])
def test_each_member_counts(shape: Callable[[SnpReport], Members]) -> None:
    """Left out, of another type, or too large: each is refused, apart from members that are optional."""
    members = shape(parse_snp_report(shared_snp_case("milan-v3").report))
    optional = {"launch_mit_vector", "current_mit_vector", "cpuid_step"}
    for name in members.keys() - optional - {"_author_key_en"}:
        without = {key: value for key, value in members.items() if key != name}
        refused("format.missing" if name.startswith("cpuid") else "format.bad_value", wrapped(without))
        refused("format.bad_value", wrapped(members | {name: "x"}))
        refused("format.bad_value", wrapped(members | {name: 1 << 64}))
        refused("format.bad_value", wrapped(members | {name: -1}))
        refused("format.bad_value", wrapped(members | {name: {}}))
        refused("format.bad_value", wrapped(members | {name: [0] * 3}))
        refused("format.bad_value", wrapped(members | {name: True}))
    refused("format.bad_value", wrapped(members | {"more": 1}), "attestation_report")


@pytest.mark.parametrize("shape", [current_json, old_json])
@pytest.mark.parametrize("name", [*TCBS, "signature"])
def test_nothing_more_in_an_inner_object(shape: Callable[[SnpReport], Members], name: str) -> None:
    members = shape(parse_snp_report(shared_snp_case("milan-v3").report))
    refused("format.bad_value", wrapped(members | {name: members[name] | {"more": 1}}), name)


def test_fmc_is_there_if_the_processor_has_it() -> None:
    milan = current_json(parse_snp_report(shared_snp_case("milan-v3").report))
    turin = current_json(parse_snp_report(shared_snp_case("turin-v5").report))
    milan["launch_tcb"]["fmc"] = 1
    turin["launch_tcb"]["fmc"] = None
    refused("format.bad_value", wrapped(milan), "launch_tcb.fmc")
    refused("format.bad_value", wrapped(turin), "launch_tcb.fmc")


def test_versions_and_processors_that_nobody_knows() -> None:
    members = current_json(parse_snp_report(shared_snp_case("milan-v3").report))
    refused("format.bad_value", wrapped(members | {"version": 6}), "version")
    refused("unsupported.snp_product", wrapped(members | {"cpuid_fam_id": 0x17}))


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("format.bad_value", b""),
        ("format.bad_value", b"\xff\xd8 not base64"),
        ("format.not_json", b"{"),
        ("format.bad_value", b"{}"),
        ("format.bad_value", b'{"attestation_report": "", "cert_chain": null, "more": 1}'),
        ("format.bad_value", b'{"attestation_report": "AAAA"}'),
        ("format.bad_value", b'{"attestation_report": 1}'),
        ("format.truncated", b"\x05\x00\x00\x00"),
        ("format.truncated", base64.b64encode(b"neither")),
        ("format.too_large", b"{" + b" " * MAX_SNP_EVIDENCE_BYTES),
    ],
)
def test_neither_of_the_shapes(code: str, data: bytes) -> None:
    if data == b"":
        code = "format.truncated"
    refused(code, data)
