from __future__ import annotations

from collections.abc import Sequence

import cbor2
import pytest

from eaa.codec.cbor import CborValue, Tag, WideUint32, encode_cbor
from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.errors import FormatError, UnsupportedError, UsageError
from eaa.tls.dice_endorsements import encode_endorsements, parse_endorsements
from eaa.tls.dice_snp_endorsements import SNP_TAG

FULL = SnpEndorsements(b"VEK", b"ASK", b"ARK", b"CRL")


def written(parts: Sequence[CborValue], version: CborValue = 1) -> bytes:
    return encode_cbor(Tag(SNP_TAG, (version, *parts)))


@pytest.mark.parametrize("given", [FULL, SnpEndorsements(b"VEK", None, None, None)])
def test_read_as_written(given: SnpEndorsements) -> None:
    assert parse_endorsements(encode_endorsements(SNP_TAG, given)) == (SNP_TAG, given)


def test_bytes() -> None:
    data = encode_endorsements(SNP_TAG, FULL)
    assert data.startswith(bytes.fromhex("da001a7504" "85" "1a00000001" "43"))  # fmt: skip
    assert list(cbor2.loads(data).value) == [1, b"VEK", b"ASK", b"ARK", b"CRL"]


@pytest.mark.parametrize("version", [0, 2, 3, WideUint32(0x00010001)])
def test_versions_that_are_not_known(version: CborValue) -> None:
    with pytest.raises(UnsupportedError) as raised:
        parse_endorsements(written([b"V", b"", b"", b""], version))
    assert raised.value.code == "unsupported.endorsements_version"


@pytest.mark.parametrize(
    "parts",
    [
        [b"V", b"", b""],
        [b"V", b"", b"", b"", b""],
        [b"V", b"", b"", "list"],
        [b"V", b"", b"", b"", "more"],
        [b"", b"A", b"R", b"L"],
    ],
)
def test_what_is_malformed(parts: Sequence[CborValue]) -> None:
    with pytest.raises(FormatError, match="expected VEK, ASK, ARK and revocation list"):
        parse_endorsements(written(parts))


def test_without_a_vek_there_is_nothing_to_attach() -> None:
    with pytest.raises(UsageError) as raised:
        encode_endorsements(SNP_TAG, SnpEndorsements(None, b"ASK", b"ARK", b"CRL"))
    assert raised.value.code == "usage.endorsements_missing"
