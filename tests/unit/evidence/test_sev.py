"""SEV's report, policy, launch table and evidence, field by field."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from eaa.errors import FormatError
from eaa.evidence.psp_certificate import KeyUsage
from eaa.evidence.psp_policy import CsvGuestPolicy, SevGuestPolicy, parse_sev_policy
from eaa.evidence.sev import SEV_REPORT_BYTES, SevReportBody, parse_sev_report
from eaa.evidence.sev_evidence import SEV_EVIDENCE_BYTES, SevEvidence, SevProduct, parse_sev_evidence
from tests.fakes.sev_vendor import MNONCE, make_sev_guest


def report(**fields: bytes | int) -> bytes:
    values: dict[str, bytes | int] = {"policy": 7, "sig_usage": KeyUsage.PEK, "sig_algo": 2, **fields}
    return SevReportBody.build(**values).raw


def malformed(field: str, detail: str, data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        parse_sev_report(data)
    assert (caught.value.field, caught.value.code) == (field, f"format.{detail}")


def test_the_fields() -> None:
    parsed = parse_sev_report(report(mnonce=MNONCE, launch_digest=b"\x05" * 32, policy=0x30010005))
    assert parsed.body.mnonce == MNONCE
    assert parsed.signed == MNONCE + b"\x05" * 32 + b"\x05\x00\x01\x30"
    assert (parsed.policy.api_major, parsed.policy.api_minor) == (1, 0x30)
    assert parsed.encode() == parsed.body.raw


@pytest.mark.parametrize("size", [0, 1, SEV_REPORT_BYTES - 1, SEV_REPORT_BYTES + 1])
def test_lengths(size: int) -> None:
    data = (report() + b"\x00")[:size]
    malformed("length", "trailing_bytes" if size > SEV_REPORT_BYTES else "truncated", data)


@pytest.mark.parametrize(
    ("field", "detail", "fields"),
    [
        ("policy", "reserved", {"policy": 0x40}),
        ("policy", "reserved", {"policy": 0x8000}),
        ("sig_usage", "bad_value", {"sig_usage": 0}),
        ("sig_algo", "bad_value", {"sig_algo": 3}),
        ("reserved", "reserved", {"reserved": b"\x01\x00\x00\x00"}),
    ],
)
def test_what_a_field_cannot_be(field: str, detail: str, fields: dict[str, Any]) -> None:
    malformed(field, detail, report(**fields))


def test_each_bit_of_the_policy_has_its_name() -> None:
    properties = ("nodbg", "noks", "es", "nosend", "domain", "sev")
    for bit, name in enumerate(properties):
        policy = parse_sev_policy(1 << bit, offset=0)
        assert [getattr(policy, other) for other in properties] == [other == name for other in properties]
        assert policy.names == (name.upper(),)
        assert policy.debug_allowed == (name != "nodbg")
    assert SevGuestPolicy(0xFFFF_003F).names == ("NODBG", "NOKS", "ES", "NOSEND", "DOMAIN", "SEV")


def test_each_bit_of_a_csv_policy_has_its_name() -> None:
    properties = ("nodbg", "noks", "es", "nosend", "domain", "csv", "csv3", "asid_reuse")
    for bit, name in enumerate(properties):
        policy = CsvGuestPolicy(1 << bit)
        assert [getattr(policy, other) for other in properties] == [other == name for other in properties]
        assert policy.names == (name.upper(),)
    versions = CsvGuestPolicy(0x04_01_32_00)
    assert (versions.hsk_version, versions.cek_version) == (2, 3)
    assert (versions.api_major, versions.api_minor, versions.names) == (1, 4, ())


def test_the_shapes_of_evidence() -> None:
    guest = make_sev_guest()
    whole = guest.collect_with_platform(MNONCE)
    data = whole.encode()
    assert len(data) == SEV_EVIDENCE_BYTES
    alone = SevEvidence(whole.report)
    for shape, expected in ((data, whole), (whole.report, alone)):
        assert parse_sev_evidence(shape) == expected
        assert parse_sev_evidence(base64.encodebytes(shape)) == expected
    assert alone.encode() == whole.report
    assert (
        SevEvidence(whole.report, whole.cek, whole.pek, whole.oca, SevProduct.TURIN).encode() == whole.report
    )
    assert [parse_sev_evidence(data[:-1] + bytes((n,))).product for n in range(3)] == [
        "Rome",
        "Naples",
        "Milan",
    ]


@pytest.mark.parametrize(
    ("field", "data"),
    [
        ("length", b""),
        ("length", bytes(300)),
        ("length", base64.b64encode(bytes(300))),
        ("length", bytes(3 * SEV_EVIDENCE_BYTES)),
        ("device_type", bytes(SEV_EVIDENCE_BYTES - 1) + b"\x03"),
    ],
)
def test_what_is_no_evidence(field: str, data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        parse_sev_evidence(data)
    assert caught.value.field == field
