"""The text of a minimum TCB: what it is, and each thing that it is not."""

from __future__ import annotations

import pytest

from eaa.appraisal.minimum_tcb import parse_minimum_tcb
from eaa.errors import UsageError
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion


@pytest.mark.parametrize(
    ("text", "product", "tcb"),
    [
        ("Milan:snp=29,microcode=219", SnpProduct.MILAN, TcbVersion(0, 0, 29, 219)),
        (" genoa : bootloader = 0 , tee=255 ", SnpProduct.GENOA, TcbVersion(0, 255, 0, 0)),
        ("TURIN:fmc=1,snp=5", SnpProduct.TURIN, TcbVersion(0, 0, 5, 0, 1)),
        ("turin:snp=007", SnpProduct.TURIN, TcbVersion(0, 0, 7, 0, 0)),
    ],
)
def test_texts(text: str, product: SnpProduct, tcb: TcbVersion) -> None:
    assert parse_minimum_tcb(text) == (product, tcb)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not one of Milan, Genoa, Turin"),
        ("Rome:snp=1", "'Rome' is not one of Milan, Genoa, Turin"),
        ("Milan", "'': expected PART=N, of bootloader, tee, snp, microcode"),
        ("Milan:", "expected PART=N"),
        ("Milan:snp=1,", "expected PART=N"),
        ("Milan:fmc=1", "'fmc=1': expected PART=N, of bootloader, tee, snp, microcode"),
        ("Milan:snp", "'snp': expected a level from 0 to 255"),
        ("Milan:snp=-1", "expected a level from 0 to 255"),
        ("Milan:snp=256", "expected a level from 0 to 255"),
        ("Milan:snp=0001", "expected a level from 0 to 255"),
        ("Milan:snp=²", "expected a level from 0 to 255"),
        ("Milan:snp=1,snp=2", "there is a level of snp already"),
    ],
)
def test_what_is_none(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_minimum_tcb(text)
    assert message in str(caught.value)
    assert caught.value.code == "usage.policy_minimum_tcb"


def test_the_message_is_short_whatever_came() -> None:
    with pytest.raises(UsageError) as caught:
        parse_minimum_tcb("x" * 100_000)
    assert len(str(caught.value)) < 100
