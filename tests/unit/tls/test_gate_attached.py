from __future__ import annotations

import pytest

from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.endorsements.collateral import IntelCollateral, SignedDocument
from eaa.errors import FormatError, UnsupportedError, UsageError
from eaa.tls.attached import decode_answer, decode_attached, encode_answer, encode_attached
from eaa.tls.frames import MAX_EVIDENCE_BYTES
from eaa.tls.peer import AttachedEvidence, EvidenceKind

DOCUMENT = SignedDocument(b"body", b"signature", b"chain")
FULL = IntelCollateral(DOCUMENT, DOCUMENT, b"root", b"", b"issuers")
EMPTY = IntelCollateral(None, None, None, None, None)


@pytest.mark.parametrize("collateral", [None, EMPTY, FULL])
@pytest.mark.parametrize("kind", sorted(set(EvidenceKind) - {EvidenceKind.SNP_REPORT}))
def test_there_and_back(kind: EvidenceKind, collateral: IntelCollateral | None) -> None:
    attached = AttachedEvidence(kind, b"evidence", collateral)
    body = encode_attached(attached)
    assert decode_attached(body) == attached
    assert decode_answer(encode_answer(attached, b"claims")) == (attached, b"claims")


@pytest.mark.parametrize("parts", [(b"V", b"A", b"R", b"L"), (b"V", None, b"", None), (None,) * 4])
def test_snp_there_and_back(parts: tuple[bytes | None, ...]) -> None:
    attached = AttachedEvidence(EvidenceKind.SNP_REPORT, b"report", SnpEndorsements(*parts))
    body = encode_attached(attached)
    assert decode_attached(body) == attached
    assert decode_answer(encode_answer(attached, b"claims")) == (attached, b"claims")


def test_snp_bytes() -> None:
    endorsements = SnpEndorsements(b"V", None, None, b"L")
    assert encode_attached(AttachedEvidence(EvidenceKind.SNP_REPORT, b"R", endorsements)) == (
        b"\x01\x0asnp_report" b"\0\0\0\x01R" b"\x02" b"\x01\0\0\0\x01V" b"\0" b"\0" b"\x01\0\0\0\x01L"
    )  # fmt: skip


def test_a_part_that_is_neither_there_nor_missing() -> None:
    body = encode_attached(
        AttachedEvidence(EvidenceKind.SNP_REPORT, b"R", SnpEndorsements(None, None, None, None))
    )
    with pytest.raises(FormatError, match="expected 0 or 1, came 2"):
        decode_attached(body[:-4] + b"\2" + body[-3:])


def test_another_vendors_endorsements() -> None:
    amd, intel = SnpEndorsements(None, None, None, None), EMPTY
    for kind, collateral in ((EvidenceKind.SGX_QUOTE, amd), (EvidenceKind.SNP_REPORT, intel)):
        with pytest.raises(UsageError) as raised:
            AttachedEvidence(kind, b"Q", collateral)
        assert raised.value.code == "usage.endorsements_kind"
    sgx = encode_attached(AttachedEvidence(EvidenceKind.SGX_QUOTE, b"Q", EMPTY))
    snp = encode_attached(AttachedEvidence(EvidenceKind.SNP_REPORT, b"Q", amd))
    for body in (sgx.replace(b"Q\1", b"Q\2"), snp.replace(b"Q\2", b"Q\1"), snp.replace(b"Q\2", b"Q\3")):
        with pytest.raises(FormatError, match=r"expected 0 or [12] with a") as caught:
            decode_attached(body)
        assert caught.value.field == "collateral"


def test_bytes() -> None:
    attached = AttachedEvidence(EvidenceKind.SGX_QUOTE, b"Q", IntelCollateral(None, None, b"R", None, None))
    assert encode_attached(attached) == (
        b"\x01\x09sgx_quote" b"\0\0\0\x01Q" b"\x01" b"\0" b"\0" b"\x01\0\0\0\x01R" b"\0" b"\0"
    )  # fmt: skip


def test_every_truncation_and_every_tail_is_refused() -> None:
    body = encode_attached(AttachedEvidence(EvidenceKind.TDX_QUOTE, b"evidence", FULL))
    for end in range(1, len(body)):
        with pytest.raises((FormatError, UnsupportedError)):
            decode_attached(body[:end])
    with pytest.raises(FormatError) as caught:
        decode_attached(body + b"\0")
    assert caught.value.code == "format.trailing_bytes"


def test_what_is_not_known() -> None:
    body = encode_attached(AttachedEvidence(EvidenceKind.SGX_QUOTE, b"Q"))
    with pytest.raises(UnsupportedError) as version:
        decode_attached(b"\x02" + body[1:])
    assert version.value.code == "unsupported.evidence_version"
    with pytest.raises(UnsupportedError) as kind:
        decode_attached(body.replace(b"sgx_quote", b"sgx_QUOTE"))
    assert kind.value.code == "unsupported.evidence_kind"
    with pytest.raises(FormatError) as flag:
        decode_attached(body[:-1] + b"\x02")
    assert flag.value.field == "collateral"


def test_what_is_too_long() -> None:
    with pytest.raises(UsageError):
        encode_attached(AttachedEvidence(EvidenceKind.SGX_QUOTE, bytes(MAX_EVIDENCE_BYTES)))
    fits = AttachedEvidence(EvidenceKind.SGX_QUOTE, bytes(MAX_EVIDENCE_BYTES - 16))
    encode_attached(fits)
    with pytest.raises(UsageError):
        encode_answer(fits, b"claims")
