from __future__ import annotations

import struct

import pytest

from eaa.errors import FormatError, UnsupportedError
from eaa.tls.carried import attach, attach_quote, intel_quote_kind
from eaa.tls.peer import EvidenceKind


def header(version: int, key_type: int, tee_type: int) -> bytes:
    return struct.pack("<HHI", version, key_type, tee_type)


@pytest.mark.parametrize(
    ("version", "key_type", "tee_type", "kind"),
    [
        (3, 2, 0, EvidenceKind.SGX_QUOTE),
        (3, 3, 0, EvidenceKind.SGX_QUOTE),
        (4, 2, 0, EvidenceKind.SGX_QUOTE),
        (4, 2, 0x81, EvidenceKind.TDX_QUOTE),
        (5, 2, 0, EvidenceKind.SGX_QUOTE),
        (5, 3, 0x81, EvidenceKind.TDX_QUOTE),
    ],
)
def test_kinds_of_quotes(version: int, key_type: int, tee_type: int, kind: EvidenceKind) -> None:
    assert intel_quote_kind(header(version, key_type, tee_type)) is kind


@pytest.mark.parametrize(("version", "key_type"), [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1)])
def test_epid(version: int, key_type: int) -> None:
    with pytest.raises(UnsupportedError) as raised:
        intel_quote_kind(header(version, key_type, 0))
    assert raised.value.code == "unsupported.epid"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "format.truncated"),
        (header(3, 2, 0)[:7], "format.truncated"),
        (header(0, 2, 0), "format.bad_value"),
        (header(6, 2, 0), "format.bad_value"),
        (header(3, 4, 0), "format.bad_value"),
        (header(4, 2, 1), "format.bad_value"),
    ],
)
def test_no_quotes(data: bytes, code: str) -> None:
    with pytest.raises(FormatError) as raised:
        intel_quote_kind(data)
    assert raised.value.code == code


def test_another_kind() -> None:
    with pytest.raises(FormatError) as raised:
        attach_quote(header(4, 2, 0x81), EvidenceKind.SGX_QUOTE)
    assert raised.value.code == "format.evidence_kind"


def test_sizes() -> None:
    assert attach(EvidenceKind.SNP_REPORT, bytes(32 * 1024)).evidence == bytes(32 * 1024)
    for size, code in ((0, "format.missing"), (32 * 1024 + 1, "format.too_large")):
        with pytest.raises(FormatError) as raised:
            attach(EvidenceKind.SNP_REPORT, bytes(size))
        assert raised.value.code == code
