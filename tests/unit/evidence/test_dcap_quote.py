from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace

import pytest

from eaa.errors import FormatError, UnsupportedError
from eaa.evidence.dcap_quote import (
    MAX_QUOTE_BYTES,
    CertificationData,
    CertificationType,
    parse_certification,
    parse_quote,
    parse_quote_frame,
)
from tests.fakes.vendor import KINDS, Kind, shared_evidence

BODIES = {"sgx-v3": 384, "sgx-v4": 384, "sgx-v5": 384, "tdx-v4": 584, "tdx-v5": 584, "tdx15-v5": 648}


def quote_bytes(kind: Kind) -> bytes:
    return shared_evidence(kind).quote


def patched(data: bytes, offset: int, value: bytes) -> bytes:
    return data[:offset] + value + data[offset + len(value) :]


def refused(data: bytes, parse: Callable[[bytes], object] = parse_quote) -> FormatError:
    with pytest.raises(FormatError) as caught:
        parse(data)
    return caught.value


def body_end(kind: Kind) -> int:
    return 48 + (6 if kind.endswith("v5") else 0) + BODIES[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_encode_is_the_inverse_of_parse(kind: Kind) -> None:
    data = quote_bytes(kind)
    quote = parse_quote(data)
    assert quote.encode() == data
    assert quote.signed == data[: body_end(kind)]
    assert quote.tee == kind[:3]
    assert quote.header.version == int(kind[-1])
    assert len(quote.body.raw) == BODIES[kind]
    certification = parse_certification(quote)
    assert certification.encode(quote.header.version) == quote.certification
    assert certification.report.raw == certification.signed
    assert certification.data.type is CertificationType.PCK_CHAIN
    assert certification.data.type_name == "PCK certificate chain"
    assert certification.data.ppid is None


@pytest.mark.parametrize("kind", KINDS)
def test_truncation_at_every_length_is_refused(kind: Kind) -> None:
    data = quote_bytes(kind)
    for size in range(len(data)):
        refused(data[:size])


@pytest.mark.parametrize("kind", KINDS)
def test_trailing_bytes_are_refused(kind: Kind) -> None:
    error = refused(quote_bytes(kind) + b"\x00")
    assert (error.code, error.field) == ("format.trailing_bytes", "signature_data_len")


def test_a_truncated_header_and_body_are_named() -> None:
    data = quote_bytes("tdx15-v5")
    assert refused(data[:47]).field == "header"
    assert refused(data[:53]).field == "body_descriptor"
    assert refused(data[:54]).field == "body"
    assert refused(data[: body_end("tdx15-v5") + 4]).code == "format.truncated"


@pytest.mark.parametrize(
    ("kind", "offset", "value", "field"),
    [
        ("sgx-v3", 0, b"\x02\x00", "header.version"),
        ("sgx-v3", 0, b"\x06\x00", "header.version"),
        ("sgx-v3", 0, b"\x03\x01", "header.version"),
        ("tdx-v4", 2, b"\x01\x00", "header.attestation_key_type"),
        ("tdx-v4", 2, b"\x02\x01", "header.attestation_key_type"),
        ("sgx-v3", 4, b"\x81\x00\x00\x00", "header.tee_type"),
        ("tdx-v4", 4, b"\x01\x00\x00\x00", "header.tee_type"),
        ("tdx-v5", 4, b"\x82\x00\x00\x00", "header.tee_type"),
        ("tdx-v5", 12, b"\x00", "header.qe_vendor_id"),
        ("tdx-v5", 27, b"\x00", "header.qe_vendor_id"),
        ("tdx-v5", 48, b"\x01\x00", "body_descriptor.type"),
        ("tdx-v5", 48, b"\x04\x00", "body_descriptor.type"),
        ("sgx-v5", 48, b"\x02\x00", "body_descriptor.type"),
        ("tdx-v5", 48, b"\x03\x00", "body_descriptor.size"),
        ("tdx-v5", 50, b"\x49", "body_descriptor.size"),
        ("sgx-v5", 50, b"\x7f", "body_descriptor.size"),
    ],
)
def test_unknown_headers_are_refused_by_name(kind: Kind, offset: int, value: bytes, field: str) -> None:
    error = refused(patched(quote_bytes(kind), offset, value))
    assert error.field == field
    assert error.offset is not None
    assert error.offset <= offset + 2


def test_p384_is_recognised_and_not_supported() -> None:
    with pytest.raises(UnsupportedError) as caught:
        parse_quote(patched(quote_bytes("tdx-v4"), 2, b"\x03\x00"))
    assert caught.value.code == "unsupported.attestation_key_type"


def test_too_large_is_refused_before_anything_else() -> None:
    assert refused(bytes(MAX_QUOTE_BYTES + 1)).code == "format.too_large"
    assert refused(bytes(100 << 20)).code == "format.too_large"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", [-1, 1])
def test_each_length_field_grown_and_shrunk_is_refused(kind: Kind, change: int) -> None:
    data, end = quote_bytes(kind), body_end(kind)
    certification = end + 4 + 128
    nested = 0 if kind == "sgx-v3" else 6
    authentication = certification + nested + 384 + 64
    size = int.from_bytes(data[authentication : authentication + 2], "little")
    lengths = [(end, "<I"), (authentication, "<H"), (authentication + 2 + size + 2, "<I")]
    if nested:
        lengths.append((certification + 2, "<I"))
    for offset, shape in lengths:
        (length,) = struct.unpack_from(shape, data, offset)
        refused(patched(data, offset, struct.pack(shape, length + change)))


def test_signature_data_must_hold_signature_and_key() -> None:
    data, end = quote_bytes("sgx-v3"), body_end("sgx-v3")
    error = refused(data[:end] + struct.pack("<I", 127) + bytes(127))
    assert (error.field, error.offset) == ("signature_data_len", end)


def test_the_frame_leaves_the_certification_alone() -> None:
    data, end = quote_bytes("tdx-v4"), body_end("tdx-v4")
    frame = data[:end] + struct.pack("<I", 129) + bytes(128) + b"?"
    assert parse_quote_frame(frame).certification == b"?"
    assert refused(frame).field == "certification_data.type"


@pytest.mark.parametrize("kind", ["tdx-v4", "tdx-v5"])
@pytest.mark.parametrize("outer", [1, 5, 7, 8])
def test_version_4_nests_its_certification(kind: Kind, outer: int) -> None:
    data, offset = quote_bytes(kind), body_end(kind) + 4 + 128
    error = refused(patched(data, offset, struct.pack("<H", outer)))
    assert (error.field, error.offset) == ("certification_data.type", offset)


@pytest.mark.parametrize("inner", [0, 6, 8])
def test_unknown_and_nested_certification_types_are_refused(inner: int) -> None:
    quote = parse_quote(quote_bytes("sgx-v3"))
    offset = 448 + int.from_bytes(quote.certification[448:450], "little") + 2
    changed = replace(quote, certification=patched(quote.certification, offset, struct.pack("<H", inner)))
    assert refused(changed.encode()).field == "qe_certification_data.type"


def test_the_qe_report_is_parsed_strictly() -> None:
    quote = parse_quote(quote_bytes("sgx-v3"))
    error = refused(replace(quote, certification=patched(quote.certification, 20, b"\x01")).encode())
    assert (error.what, error.field) == ("QE report", "reserved1")
    assert error.offset == body_end("sgx-v3") + 4 + 128 + 20


def with_data(kind: Kind, data: CertificationData) -> bytes:
    quote = parse_quote(quote_bytes(kind))
    certification = replace(parse_certification(quote), data=data)
    return replace(quote, certification=certification.encode(quote.header.version)).encode()


@pytest.mark.parametrize(("number", "size"), [(1, 16), (2, 256), (3, 384)])
@pytest.mark.parametrize("kind", ["sgx-v3", "tdx-v4"])
def test_ppid_certification(kind: Kind, number: int, size: int) -> None:
    ppid, cpu_svn = b"\x01" * size, b"\x02" * 16
    for tail, pce_id in ((b"\x04\x03", None), (b"\x04\x03\x06\x05", 0x0506)):
        data = CertificationData(CertificationType(number), ppid + cpu_svn + tail)
        parsed = parse_certification(parse_quote(with_data(kind, data))).data
        assert parsed == data
        assert parsed.ppid is not None
        assert (parsed.ppid.ppid, parsed.ppid.cpu_svn) == (ppid, cpu_svn)
        assert (parsed.ppid.pce_svn, parsed.ppid.pce_id) == (0x0304, pce_id)
        assert "PPID" in parsed.type_name


@pytest.mark.parametrize(("number", "size"), [(1, 16), (2, 256), (3, 384)])
@pytest.mark.parametrize("tail", [0, 17, 19, 21])
def test_ppid_certification_of_another_size_is_refused(number: int, size: int, tail: int) -> None:
    data = CertificationData(CertificationType(number), bytes(size + tail))
    assert refused(with_data("sgx-v3", data)).field == "qe_certification_data.size"


@pytest.mark.parametrize("number", [4, 7])
def test_other_certification_data_is_kept_as_it_is(number: int) -> None:
    data = CertificationData(CertificationType(number), b"anything")
    assert parse_certification(parse_quote(with_data("tdx-v4", data))).data == data
