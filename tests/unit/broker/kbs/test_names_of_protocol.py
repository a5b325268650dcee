"""Versions, hash algorithms and TEEs by name; members."""

from __future__ import annotations

import hashlib

import pytest

from eaa.broker.kbs.hashes import HashAlgorithm, known_algorithms, select_algorithm
from eaa.broker.kbs.tees import Tee, parse_tee
from eaa.broker.kbs.versions import ProtocolVersion, parse_version
from eaa.errors import FormatError, UnsupportedError

SHA256, SHA384, SHA512 = HashAlgorithm.SHA256, HashAlgorithm.SHA384, HashAlgorithm.SHA512


@pytest.mark.parametrize("text", ["0.1.0", "0.1.1", "0.2.0", "0.4.0"])
def test_versions(text: str) -> None:
    assert parse_version(text) == text


@pytest.mark.parametrize("text", ["0.3.0", "0.4", "0.4.1", "v0.4.0", "0.4.0 ", "1.0.0", ""])
def test_other_versions(text: str) -> None:
    with pytest.raises(UnsupportedError, match=r"none of 0\.1\.0, 0\.1\.1, 0\.2\.0, 0\.4\.0$") as raised:
        parse_version(text)
    assert raised.value.code == "unsupported.protocol_version"


def test_what_differs() -> None:
    assert [v for v in ProtocolVersion if not v.selects_hash] == ["0.1.0"]
    assert [v for v in ProtocolVersion if v.has_first_response] == ["0.1.0", "0.1.1"]
    assert [v for v in ProtocolVersion if v.is_composite] == ["0.4.0"]


@pytest.mark.parametrize("algorithm", HashAlgorithm)
def test_digest(algorithm: HashAlgorithm) -> None:
    assert algorithm.digest(b"x") == hashlib.new(algorithm.value, b"x").digest()


def test_known_algorithms() -> None:
    assert known_algorithms(["sm3", "SHA512", "sha-256", "sha512", "md5"]) == (SHA512, SHA256)


@pytest.mark.parametrize(
    ("offered", "selected"),
    [
        (None, SHA384),
        ((SHA256, SHA384, SHA512), SHA384),
        ((SHA256, SHA512), SHA512),
        ((SHA256,), SHA256),
    ],
)
def test_selection(offered: tuple[HashAlgorithm, ...] | None, selected: HashAlgorithm) -> None:
    assert select_algorithm(offered) is selected


def test_nothing_to_select() -> None:
    with pytest.raises(UnsupportedError) as raised:
        select_algorithm(())
    assert raised.value.code == "unsupported.hash_algorithm"


@pytest.mark.parametrize(
    ("text", "tee"),
    [
        ("tdx", Tee.TDX),
        ("az-snp-vtpm", Tee.AZ_SNP_VTPM),
        ("azsnpvtpm", Tee.AZ_SNP_VTPM),
        ("aztdxvtpm", Tee.AZ_TDX_VTPM),
    ],
)
def test_tees(text: str, tee: Tee) -> None:
    assert parse_tee(text, field="tee") is tee


@pytest.mark.parametrize("text", ["", "TDX", "tdx ", "null", "x" * 1000])
def test_other_tees(text: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse_tee(text, field="tee")
    assert raised.value.code == "format.tee"
    assert len(str(raised.value)) < 120
