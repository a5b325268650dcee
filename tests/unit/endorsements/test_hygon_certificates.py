"""Hygon's certificates: to the byte, and refused at every length."""

from __future__ import annotations

import pytest

from eaa.endorsements.hygon_certificate import parse_hygon_ca, parse_hygon_certificate
from eaa.endorsements.hygon_endorsements import CsvEndorsements, parse_hsk_cek, read_hygon_parts
from eaa.endorsements.hygon_roots import HYGON_HRKS, hygon_root_name
from eaa.errors import FormatError
from eaa.evidence.psp_certificate import KeyUsage
from tests.fakes.hygon_vendor import make_csv_guest, shared_csv_case


def test_authorities_to_the_byte() -> None:
    vendor = make_csv_guest().platform.vendor
    for authority in (vendor.hrk, vendor.hsk):
        parsed = parse_hygon_ca(authority.raw)
        assert parsed.encode() == authority.raw
        assert (parsed.key.x, parsed.key.y) == authority.key.point
        assert (parsed.usage, parsed.key.user_id) == (authority.usage, authority.user_id)
        assert len(parsed.signed) == 576


def test_platform_certificates_to_the_byte() -> None:
    platform = make_csv_guest().platform
    for model in (platform.cek, platform.pek):
        parsed = parse_hygon_certificate(model.raw)
        assert parsed.encode() == model.raw
        assert (parsed.key.x, parsed.key.y) == model.key.point
        assert (parsed.usage, parsed.key.user_id) == (model.usage, model.user_id)
    assert parse_hygon_certificate(platform.cek.raw).certifying_id == platform.vendor.hsk.key_id
    assert not any(parse_hygon_certificate(platform.pek.raw).certifying_id)


def test_every_length() -> None:
    platform = make_csv_guest().platform
    for parse, raw in (
        (parse_hygon_ca, platform.vendor.hsk.raw),
        (parse_hygon_certificate, platform.cek.raw),
        (parse_hsk_cek, platform.hsk_cek),
    ):
        for size in (*range(len(raw)), len(raw) + 1):
            with pytest.raises(FormatError):
                parse((raw + b"\x00")[:size])


def test_parts_are_told_apart_by_content() -> None:
    given = shared_csv_case("csv3-v1").endorsements
    parts = {name: getattr(given, name) for name in ("hrk", "hsk", "cek")}
    assert read_hygon_parts(b"".join(parts.values())) == given
    for name, part in parts.items():
        assert read_hygon_parts(part) == CsvEndorsements(**{name: part})
        with pytest.raises(FormatError):
            read_hygon_parts(part[:-1])
    with pytest.raises(FormatError) as caught:
        read_hygon_parts(parts["hrk"] + parts["hrk"])
    assert caught.value.code == "format.duplicate"
    for other in (b"", bytes(5000)):
        with pytest.raises(FormatError):
            read_hygon_parts(other)


def test_the_file_of_hygons_service() -> None:
    platform = make_csv_guest().platform
    assert parse_hsk_cek(platform.hsk_cek) == CsvEndorsements(
        cek=platform.cek.raw, hsk=platform.vendor.hsk.raw
    )
    with pytest.raises(FormatError) as caught:
        parse_hsk_cek(platform.vendor.hrk.raw + platform.cek.raw)
    assert caught.value.field == "key_usage"


def test_the_root() -> None:
    (hrk,) = HYGON_HRKS
    assert hygon_root_name(hrk) == "HYGON-SSD-HRK"
    assert (hrk.usage, hrk.key_id) == (KeyUsage.ARK, hrk.certifying_id)
