from __future__ import annotations

import pytest

from eaa.errors import FormatError
from eaa.evidence.tdx import TD_REPORT10_BYTES, TD_REPORT15_BYTES, TdReport, TdReport15, parse_td_report


@pytest.mark.parametrize("kind", [TdReport, TdReport15])
def test_the_layout_covers_all_bytes_once(kind: type[TdReport]) -> None:
    position = 0
    for item in kind.layout().values():
        assert item.offset == position
        position = item.end
    assert position == kind.SIZE


@pytest.mark.parametrize("kind", [TdReport, TdReport15])
def test_every_field_is_read_from_where_it_was_written(kind: type[TdReport]) -> None:
    values: dict[str, bytes | int] = {
        name: bytes((n,)) * item.size for n, (name, item) in enumerate(kind.layout().items(), 1)
    }
    report = parse_td_report(kind.build(**values).raw)
    assert type(report) is kind
    assert {name: getattr(report, name) for name in values} == values
    assert report.rt_mrs == (values["rt_mr0"], values["rt_mr1"], values["rt_mr2"], values["rt_mr3"])


def test_bits_have_names() -> None:
    report = TdReport.build(
        td_attributes=bytes.fromhex("0100001000000080"), xfam=bytes.fromhex("e718060000000000")
    )
    assert report.td_attribute_names == ("DEBUG", "SEPT_VE_DISABLE", "PERFMON")
    assert report.xfam_names == (
        "X87", "SSE", "AVX", "OPMASK", "ZMM_HI256", "HI16_ZMM", "CET_U", "CET_S", "TILECFG", "TILEDATA",
    )  # fmt: skip


@pytest.mark.parametrize("bit", range(64))
def test_debug_is_any_tud_bit(bit: int) -> None:
    assert TdReport.build(td_attributes=(1 << bit).to_bytes(8, "little")).debug is (bit < 8)


@pytest.mark.parametrize("size", [0, TD_REPORT10_BYTES - 1, TD_REPORT10_BYTES + 1, TD_REPORT15_BYTES + 1])
def test_another_length_is_refused(size: int) -> None:
    with pytest.raises(FormatError) as caught:
        parse_td_report(bytes(size), base=54)
    assert (caught.value.field, caught.value.offset) == ("length", 54)
