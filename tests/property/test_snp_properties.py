"""Laws of SNP evidence: any bit flipped in what verification rests on is refused, and parsers only parse."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eaa.endorsements.amd_endorsements import read_amd_parts
from eaa.endorsements.amd_vek import parse_vek_extensions
from eaa.endorsements.x509 import parse_certificate
from eaa.errors import EAAError, FormatError, UnsupportedError, VerificationError
from eaa.evidence.snp import SNP_REPORT_BYTES, SNP_SIGNED_BYTES, parse_snp_report
from eaa.evidence.snp_certificates import (
    TableEntry,
    encode_certificate_table,
    parse_certificate_table,
)
from eaa.evidence.snp_evidence import parse_snp_evidence
from eaa.verify.snp import SnpMemo
from tests.fakes.amd_vendor import SnpCase, SnpKind, make_snp_platform, shared_snp_case, verify_snp
from tests.fakes.bit_flips import flips

REFUSALS = (FormatError, UnsupportedError, VerificationError)
MALFORMED = (FormatError, UnsupportedError)


def refused(case: SnpCase, memo: SnpMemo) -> bool:
    try:
        verify_snp(case, memo=memo)
    except REFUSALS:
        return True
    except EAAError as error:  # pragma: no cover - another kind of error is a finding
        raise AssertionError(error.code) from error
    return False


@pytest.mark.parametrize(("kind", "bits"), [("milan-v2", 2), ("turin-v5", 8), ("milan-vlek-v3", 2)])
def test_every_bit_that_is_signed(kind: SnpKind, bits: int) -> None:
    case, memo = shared_snp_case(kind), SnpMemo(1)
    verify_snp(case, memo=memo)
    for signed in flips(case.report[:SNP_SIGNED_BYTES], bits=bits):
        assert refused(replace(case, report=signed + case.report[SNP_SIGNED_BYTES:]), memo)
    verify_snp(case, memo=memo)


def test_every_bit_of_the_signature_and_what_follows() -> None:
    case, memo = shared_snp_case("milan-v5"), SnpMemo(1)
    verify_snp(case, memo=memo)
    for signature in flips(case.report[SNP_SIGNED_BYTES:], bits=8):
        assert refused(replace(case, report=case.report[:SNP_SIGNED_BYTES] + signature), memo)


@pytest.mark.parametrize("kind", ["milan-v5", "milan-vlek-v3"])
@pytest.mark.parametrize("part", ["vek", "ask", "ark", "crl"])
def test_one_bit_of_every_byte_of_the_endorsements(kind: SnpKind, part: str) -> None:
    case, memo = shared_snp_case(kind), SnpMemo(1)
    verify_snp(case, memo=memo)
    for data in flips(getattr(case.endorsements, part), bits=1):
        endorsements = replace(case.endorsements, **{part: data})
        assert refused(replace(case, endorsements=endorsements), memo)
    verify_snp(case, memo=memo)


@given(st.binary(min_size=SNP_REPORT_BYTES, max_size=SNP_REPORT_BYTES))
def test_a_report_is_parsed_or_malformed(data: bytes) -> None:
    for start in (b"", b"\x02\x00\x00\x00", b"\x05\x00\x00\x00"):
        report = start + data[len(start) :]
        with suppress(*MALFORMED):
            assert parse_snp_report(report).encode() == report


@given(st.integers(0, SNP_REPORT_BYTES - 1), st.integers(0, 255))
def test_a_changed_report_is_parsed_or_malformed(at: int, value: int) -> None:
    for kind in ("milan-v2", "turin-v5"):
        changed = bytearray(shared_snp_case(kind).report)
        changed[at] = value
        with suppress(*MALFORMED):
            assert parse_snp_report(bytes(changed)).encode() == changed


ENTRIES = st.lists(
    st.builds(TableEntry, st.binary(min_size=16, max_size=16), st.binary(max_size=40)),
    max_size=16,
    unique_by=lambda entry: entry.guid,
).filter(lambda entries: all(any(entry.guid) or entry.data for entry in entries))


@given(ENTRIES)
def test_a_table_that_is_encoded_is_parsed(entries: list[TableEntry]) -> None:
    assert list(parse_certificate_table(encode_certificate_table(entries)).entries) == entries


@given(st.binary(max_size=200))
def test_a_table_is_parsed_or_malformed(data: bytes) -> None:
    for table in (data, data + bytes(24)):
        with suppress(FormatError):
            assert all(len(entry.data) <= len(table) for entry in parse_certificate_table(table).entries)


@given(st.binary(max_size=2000) | st.text(max_size=300).map(str.encode))
def test_evidence_is_parsed_or_malformed(data: bytes) -> None:
    for shape in (data, b"\x05\x00\x00\x00" + data, b'{"attestation_report":' + data):
        try:
            evidence = parse_snp_evidence(shape)
        except MALFORMED:
            continue
        assert len(evidence.report) == SNP_REPORT_BYTES


@given(st.binary(max_size=600))
def test_parts_are_parsed_or_malformed(data: bytes) -> None:
    for shape in (data, b"\x30\x82" + data, b"-----BEGIN CERTIFICATE-----\n" + data):
        with suppress(FormatError):
            parts = read_amd_parts(shape)
            assert len(parts.certificates) + len(parts.crls) > 0


@settings(max_examples=60)
@given(
    st.dictionaries(
        st.sampled_from(["1", "2", "3.1", "3.4", "3.8", "3.9", "4", "5", "6"]),
        st.none() | st.binary(max_size=70),
        max_size=3,
    )
)
def test_vek_extensions_are_parsed_or_malformed(overrides: dict[str, bytes | None]) -> None:
    platform = make_snp_platform()
    platform.vcek.overrides = overrides
    certificate = parse_certificate(platform.vcek.der)
    try:
        extensions = parse_vek_extensions(certificate)
    except MALFORMED:
        return
    assert extensions.tcb.fmc is None
