"""Laws of SEV and CSV: any bit flipped in what verification rests on is refused; parsers only parse."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eaa.endorsements.hygon_certificate import parse_hygon_ca, parse_hygon_certificate
from eaa.endorsements.hygon_endorsements import parse_hsk_cek, read_hygon_parts
from eaa.endorsements.sev_ca import parse_sev_ca
from eaa.endorsements.sev_certificate import parse_sev_certificate
from eaa.endorsements.sev_endorsements import read_sev_parts
from eaa.errors import FormatError, VerificationError
from eaa.evidence.hygon_csv import parse_csv_report
from eaa.evidence.hygon_csv_evidence import parse_csv_evidence
from eaa.evidence.sev import parse_sev_report
from eaa.evidence.sev_evidence import parse_sev_evidence
from eaa.verify.hygon_csv import CsvMemo
from eaa.verify.sev import SevMemo
from tests.fakes.hygon_vendor import CsvKind, shared_csv_case, verify_csv
from tests.fakes.sev_vendor import SEV_KINDS, SevKind, shared_sev_case, verify_sev

REFUSALS = (FormatError, VerificationError)


def flips(data: bytes, *, bits: int, step: int = 1) -> Iterator[bytes]:
    """``data`` with one bit flipped: at each ``step``-th byte, ``bits`` of its eight in turn."""
    for index in range(0, len(data), step):
        for bit in range(bits):
            flipped = bytearray(data)
            flipped[index] ^= 1 << (index + bit) % 8
            yield bytes(flipped)


@pytest.mark.parametrize("kind", SEV_KINDS)
def test_every_bit_of_a_sev_report(kind: SevKind) -> None:
    """The signature and what names it, too."""
    case, memo = shared_sev_case(kind), SevMemo(1)
    verify_sev(case, memo=memo, mnonce=None)
    for report in flips(case.report, bits=8):
        with pytest.raises(REFUSALS):
            verify_sev(replace(case, report=report), memo=memo, mnonce=None)
    verify_sev(case, memo=memo, mnonce=None)


@pytest.mark.parametrize("kind", ["naples", "rome-es"])
@pytest.mark.parametrize("part", ["ark", "ask", "cek", "oca", "pek", "pdh"])
def test_one_bit_of_every_byte_of_sev_endorsements(kind: SevKind, part: str) -> None:
    case, memo = shared_sev_case(kind), SevMemo(1)
    verify_sev(case, memo=memo)
    for data in flips(getattr(case.endorsements, part), bits=1):
        with pytest.raises(REFUSALS):
            verify_sev(replace(case, endorsements=replace(case.endorsements, **{part: data})), memo=memo)
    verify_sev(case, memo=memo)


@pytest.mark.parametrize(("kind", "bits"), [("csv1-v1", 2), ("csv3-v2", 1)])
def test_every_byte_of_a_csv_report(kind: CsvKind, bits: int) -> None:
    """Signature, PEK, serial number, HMAC and the filling of the page, too."""
    case, memo = shared_csv_case(kind), CsvMemo(1)
    verify_csv(case, memo=memo)
    for report in flips(case.report, bits=bits):
        with pytest.raises(REFUSALS):
            verify_csv(replace(case, report=report), memo=memo)
    verify_csv(case, memo=memo)


@pytest.mark.parametrize("part", ["hrk", "hsk", "cek"])
def test_one_bit_of_every_byte_of_csv_endorsements(part: str) -> None:
    case, memo = shared_csv_case("csv3-v1"), CsvMemo(1)
    verify_csv(case, memo=memo)
    for data in flips(getattr(case.endorsements, part), bits=1):
        with pytest.raises(REFUSALS):
            verify_csv(replace(case, endorsements=replace(case.endorsements, **{part: data})), memo=memo)
    verify_csv(case, memo=memo)


Parser = Callable[[bytes], object]


def parsers() -> list[tuple[Parser, bytes]]:
    """Each parser with bytes that it takes."""
    sev, csv = shared_sev_case("naples"), shared_csv_case("csv3-v1")
    v2 = shared_csv_case("csv3-v2")
    return [
        (parse_sev_report, sev.report),
        (parse_sev_evidence, sev.report),
        (parse_sev_ca, sev.endorsements.ask or b""),
        (parse_sev_certificate, sev.endorsements.pek or b""),
        (read_sev_parts, (sev.endorsements.ask or b"") + (sev.endorsements.ark or b"")),
        (lambda data: parse_csv_report(data, restored=False), csv.report),
        (lambda data: parse_csv_report(data, restored=True), v2.report),
        (parse_csv_evidence, csv.report),
        (parse_hygon_ca, csv.endorsements.hsk or b""),
        (parse_hygon_certificate, csv.endorsements.cek or b""),
        (read_hygon_parts, (csv.endorsements.hsk or b"") + (csv.endorsements.cek or b"")),
        (parse_hsk_cek, (csv.endorsements.hsk or b"") + (csv.endorsements.cek or b"")),
    ]


@given(st.integers(0, 5000), st.integers(0, 255), st.binary(max_size=40))
def test_parsers_return_or_raise_format_error(at: int, value: int, end: bytes) -> None:
    for parse, data in parsers():
        parse(data)
        changed = bytearray(data)
        changed[at % len(data)] = value
        for shape in (bytes(changed), data[: at % len(data)], data + end, end):
            with suppress(FormatError):
                parse(shape)


JSON = st.recursive(
    st.none() | st.integers(-1, 300) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
        ["data", "magic", "flags", "pek", "hsk_cek", "body", "sigs", "ver", "pubkey"]
    ), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["attestation_report", "cert_chain", "serial_number", "more"]), JSON))
def test_json_is_parsed_or_malformed(document: dict[str, object]) -> None:
    with pytest.raises(FormatError):
        parse_csv_evidence(json.dumps(document).encode())


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_evidence_is_parsed_or_malformed(data: bytes) -> None:
    for parse in (parse_sev_evidence, parse_csv_evidence):
        for shape in (data, b"{" + data):
            with suppress(FormatError):
                parse(shape)
