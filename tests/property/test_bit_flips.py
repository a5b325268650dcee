"""One bit flipped anywhere in what verification rests on is refused, whatever else was verified before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from eaa.endorsements.collateral import IntelCollateral, SignedDocument
from eaa.errors import EAAError, FormatError, UnsupportedError, VerificationError
from eaa.evidence.dcap_quote import parse_quote_frame
from eaa.verify.dcap import Memo
from tests.fakes.bit_flips import flips
from tests.fakes.vendor import KINDS, Evidence, Kind, shared_evidence, verify

REFUSALS = (FormatError, UnsupportedError, VerificationError)
DOCUMENTS = ("tcb_info", "qe_identity")
PARTS = ("body", "signature", "issuer_chain")
BYTES = ("root_ca_crl", "pck_crl", "pck_crl_issuer_chain")


def refused(evidence: Evidence, memo: Memo) -> bool:
    try:
        verify(evidence, memo=memo)
    except REFUSALS:
        return True
    except EAAError as error:  # pragma: no cover - another kind of error is a finding
        raise AssertionError(error.code) from error
    return False


@pytest.mark.parametrize("kind", KINDS)
def test_every_bit_of_header_and_body(kind: Kind) -> None:
    evidence = shared_evidence(kind)
    end = len(parse_quote_frame(evidence.quote).signed)
    memo = Memo(1)
    verify(evidence, memo=memo)
    for signed in flips(evidence.quote[:end], bits=8):
        assert refused(replace(evidence, quote=signed + evidence.quote[end:]), memo)
    verify(evidence, memo=memo)


@pytest.mark.parametrize("kind", ["sgx-v3", "tdx-v4"])
def test_one_bit_of_every_byte_of_the_signature_data(kind: Kind) -> None:
    evidence = shared_evidence(kind)
    start = len(parse_quote_frame(evidence.quote).signed)
    memo = Memo(1)
    verify(evidence, memo=memo)
    for data in flips(evidence.quote[start:], bits=1):
        assert refused(replace(evidence, quote=evidence.quote[:start] + data), memo)
    verify(evidence, memo=memo)


def collateral_edits() -> Iterator[tuple[str, Callable[[IntelCollateral], Iterator[IntelCollateral]]]]:
    for document in DOCUMENTS:
        for part in PARTS:
            yield f"{document}.{part}", _document_edit(document, part)
    for name in BYTES:
        yield name, _bytes_edit(name)


def _document_edit(document: str, part: str) -> Callable[[IntelCollateral], Iterator[IntelCollateral]]:
    def edit(collateral: IntelCollateral) -> Iterator[IntelCollateral]:
        signed: SignedDocument = getattr(collateral, document)
        for data in flips(getattr(signed, part), bits=1):
            changed = replace(signed, **{part: data})
            yield replace(collateral, **{document: changed})  # type: ignore[arg-type]  # fields by name

    return edit


def _bytes_edit(name: str) -> Callable[[IntelCollateral], Iterator[IntelCollateral]]:
    def edit(collateral: IntelCollateral) -> Iterator[IntelCollateral]:
        for data in flips(getattr(collateral, name), bits=1):
            yield replace(collateral, **{name: data})  # type: ignore[arg-type]  # fields by name

    return edit


@pytest.mark.parametrize("edit", [pytest.param(edit, id=name) for name, edit in collateral_edits()])
def test_one_bit_of_every_byte_of_the_collateral(
    edit: Callable[[IntelCollateral], Iterator[IntelCollateral]],
) -> None:
    evidence = shared_evidence("tdx-v4")
    memo = Memo(1)
    verify(evidence, memo=memo)
    for collateral in edit(evidence.collateral):
        assert refused(replace(evidence, collateral=collateral), memo)
    verify(evidence, memo=memo)
