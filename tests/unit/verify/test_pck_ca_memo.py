"""The PCK CA is known by the text that follows the PCK certificate, and by nothing less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import pytest

from eaa.codec.pem import split_chain
from eaa.errors import ChainError, FormatError
from eaa.evidence.dcap_quote import CertificationData, parse_certification, parse_quote_frame
from eaa.verify.dcap import Memo
from tests.fakes.vendor import Evidence, shared_evidence, verify


def with_chain(evidence: Evidence, edit: Callable[[bytes], bytes]) -> Evidence:
    """``evidence`` with another text of the PCK chain, which no signature covers."""
    frame = parse_quote_frame(evidence.quote)
    certification = parse_certification(frame)
    data = CertificationData(certification.data.type, edit(certification.data.data))
    edited = replace(certification, data=data).encode(frame.header.version)
    return replace(evidence, quote=replace(frame, certification=edited).encode())


@pytest.fixture
def known() -> tuple[Evidence, Memo]:
    evidence, memo = shared_evidence("tdx-v4"), Memo(1)
    verify(evidence, memo=memo)
    return evidence, memo


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: quote(text).encode(),
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.removesuffix(b"\x00"),
        lambda text: b"\n" + text,
    ],
    ids=["URL-encoded", "CRLF", "no NUL", "blank line"],
)
def test_another_text_of_the_same_chain_is_the_same_platform(
    known: tuple[Evidence, Memo], edit: Callable[[bytes], bytes]
) -> None:
    evidence, memo = known
    edited = with_chain(evidence, edit)
    assert verify(edited, memo=memo).pck == verify(edited, memo=Memo(1)).pck == verify(evidence).pck


def without_last(text: bytes) -> bytes:
    first, rest = split_chain(text)
    return first + split_chain(rest)[0]


@pytest.mark.parametrize(
    ("edit", "error"),
    [
        (lambda text: split_chain(text)[0], ChainError),
        (without_last, ChainError),
        (lambda text: split_chain(text)[0] + text, ChainError),
        (lambda text: split_chain(text)[1], ChainError),
        (lambda text: b"x" + text, FormatError),
        (lambda text: split_chain(text)[0].replace(b"M", b"N", 1) + split_chain(text)[1], FormatError),
        (lambda text: b"-----END CERTIFICATE-----" + split_chain(text)[1], FormatError),
    ],
    ids=["leaf alone", "no root", "leaf twice", "no leaf", "text before", "leaf is not DER", "leaf is empty"],
)
def test_another_chain_is_refused_though_its_ca_is_known(
    known: tuple[Evidence, Memo], edit: Callable[[bytes], bytes], error: type[Exception]
) -> None:
    evidence, memo = known
    edited = with_chain(evidence, edit)
    codes = []
    for used in (memo, Memo(1)):
        with pytest.raises(error) as caught:
            verify(edited, memo=used)
        codes.append(str(caught.value))
    assert codes[0] == codes[1]
