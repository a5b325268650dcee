"""What is hashed, written out by hand for each version."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from eaa.broker.kbs.binding import additional_digest, primary_digests, report_data_field
from eaa.broker.kbs.hashes import HashAlgorithm
from eaa.broker.kbs.messages import AttestRequest
from eaa.broker.kbs.tee_key import parse_tee_key
from eaa.broker.kbs.tees import Tee
from eaa.broker.kbs.versions import ProtocolVersion
from eaa.errors import FormatError, UnsupportedError, UsageError
from tests.unit.broker.kbs.samples import NONCE, challenge, tee_key

EC, RSA = tee_key("ECDH-ES+A256KW-P256").jwk, tee_key("RSA1_5").jwk
N, E = RSA["n"], RSA["e"]
RSA_TEXT = f'{{"alg":"RSA1_5","e":"{E}","kty":"RSA","n":"{N}"}}'
EC_TEXT = f'{{"alg":"ECDH-ES+A256KW","crv":"P-256","kty":"EC","x":"{EC["x"]}","y":"{EC["y"]}"}}'


def request(jwk: dict[str, str], additional_text: str = "") -> AttestRequest:
    key = parse_tee_key(jwk, ProtocolVersion.V0_4_0)
    return AttestRequest(NONCE, key, None, {}, additional_text, MappingProxyType({}))


def digest(text: str, algorithm: str = "sha384") -> bytes:
    return hashlib.new(algorithm, text.encode()).digest()


@pytest.mark.parametrize("algorithm", HashAlgorithm)
def test_composite(algorithm: HashAlgorithm) -> None:
    asked = challenge(hash_algorithm=algorithm)
    more = '{"tpm":{"x":"ä\u2028"}}'
    alone = f'{{"nonce":"{NONCE}","tee-pubkey":{EC_TEXT}}}'
    primary = f'{{"additional-evidence":"{{\\"tpm\\":{{\\"x\\":\\"ä\u2028\\"}}}}",{alone[1:]}'
    assert primary_digests(request(EC, more), asked) == (digest(primary, algorithm),)
    assert additional_digest(request(EC, more), asked) == digest(alone, algorithm)


def test_composite_of_one() -> None:
    text = f'{{"additional-evidence":"","nonce":"{NONCE}","tee-pubkey":{EC_TEXT}}}'
    assert primary_digests(request(EC), challenge()) == (digest(text),)


@pytest.mark.parametrize("version", ["0.1.1", "0.2.0"])
@pytest.mark.parametrize("algorithm", HashAlgorithm)
def test_before(version: str, algorithm: HashAlgorithm) -> None:
    text = f'{{"nonce":"{NONCE}","tee-pubkey":{RSA_TEXT}}}'
    asked = challenge(version, hash_algorithm=algorithm)
    assert primary_digests(request(RSA), asked) == (digest(text, algorithm),)


def test_first() -> None:
    text = f'{{"nonce":"{NONCE}","tee-pubkey":{RSA_TEXT}}}'
    assert primary_digests(request(RSA), challenge("0.1.0")) == (digest(text), digest(NONCE + N + E))


def test_where_the_modulus_ends_must_be_clear() -> None:
    """The last characters of ``e`` given to ``n`` are the same text, and another key."""
    shifted = request(RSA)
    jwk = MappingProxyType({**shifted.tee_key.jwk, "n": N + E[:2], "e": E[2:]})
    shifted = replace(shifted, tee_key=replace(shifted.tee_key, jwk=jwk))
    assert digest(NONCE + N + E) not in primary_digests(shifted, challenge("0.1.0"))


def test_each_part_counts() -> None:
    requests = [
        request(EC),
        replace(request(EC), nonce="another"),
        request(EC | {"kid": "1"}),
        request(tee_key("ECDH-ES+A256KW-P521").jwk),
        request(EC, "{}"),
    ]
    assert len({primary_digests(r, challenge()) for r in requests}) == len(requests)


def test_text_that_is_not_unicode() -> None:
    with pytest.raises(FormatError):
        primary_digests(request(EC, "\ud800"), challenge())


@pytest.mark.parametrize(
    ("tee", "size"),
    [
        *((tee, 64) for tee in (Tee.TDX, Tee.SGX, Tee.SNP, Tee.CCA, Tee.CSV, Tee.HYGON_DCU, Tee.SE)),
        (Tee.TPM, 32),
        (Tee.NVIDIA, 32),
    ],
)
@pytest.mark.parametrize("length", [32, 48, 64])
def test_field(tee: Tee, size: int, length: int) -> None:
    value = bytes(range(1, length + 1))
    assert report_data_field(tee, value) == (value + bytes(64))[:size]


@pytest.mark.parametrize("tee", [Tee.SAMPLE, Tee.SAMPLE_DEVICE, Tee.AZ_SNP_VTPM, Tee.AZ_TDX_VTPM])
@pytest.mark.parametrize("length", [32, 48, 64])
def test_digest_itself(tee: Tee, length: int) -> None:
    assert report_data_field(tee, bytes(length)) == bytes(length)


@pytest.mark.parametrize("tee", [Tee.SEV, Tee.NVIDIA_DPU])
def test_unknown_field(tee: Tee) -> None:
    with pytest.raises(UnsupportedError) as raised:
        report_data_field(tee, bytes(48))
    assert raised.value.code == "unsupported.tee"


@pytest.mark.parametrize("value", [b"", bytes(31), bytes(47), bytes(65)])
def test_no_digest(value: Any) -> None:
    with pytest.raises(UsageError):
        report_data_field(Tee.TDX, value)
