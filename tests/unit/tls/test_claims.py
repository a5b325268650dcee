from __future__ import annotations

import hashlib

import cbor2
import pytest

from eaa.codec.cbor import CborValue, encode_cbor
from eaa.errors import BindingError, FormatError, UsageError
from eaa.tls.claims import (
    HASHES_2022,
    encode_claims,
    gate_claims,
    gate_report_data,
    hash_report_data,
    parse_claims,
)
from eaa.tls.peer import Role

SPKI = b"a public key"
HASH = hashlib.sha256(SPKI).digest()
ENTRY = encode_cbor((1, HASH))


def test_the_published_bytes() -> None:
    """The claims buffer for SHA-256, byte for byte as the specification has it."""
    expected = "a16b7075626b65792d68617368582482015820" + HASH.hex()
    assert encode_claims(spki=SPKI, nonce=None).hex() == expected


@pytest.mark.parametrize(("hash_id", "name"), [(1, "sha256"), (7, "sha384"), (8, "sha512")])
def test_hashes(hash_id: int, name: str) -> None:
    data = encode_claims(spki=SPKI, hash_id=hash_id, nonce=None)
    claims = parse_claims(data)
    assert (claims.hash_name, claims.pubkey_hash) == (name, hashlib.new(name, SPKI).digest())
    claims.require_bound(SPKI)
    # Whatever the hash of the key, that of the claims is SHA-256.
    assert hash_report_data(data) == hashlib.sha256(data).digest() + bytes(32)


def test_nonce_and_custom_claims() -> None:
    claims = parse_claims(encode_claims(spki=SPKI, nonce=b"n", custom={"key_0": b"value_0"}))
    assert claims.nonce == b"n"
    assert claims.custom == {"key_0": b"value_0"}
    assert parse_claims(encode_claims(spki=SPKI, nonce=None)).nonce is None


def test_another_key() -> None:
    with pytest.raises(BindingError) as raised:
        parse_claims(encode_claims(spki=SPKI, nonce=None)).require_bound(SPKI + b"\x00")
    assert raised.value.code == "binding.pubkey_hash"


@pytest.mark.parametrize("hash_id", [0, 2, 6, 9])
def test_hashes_that_are_not_allowed(hash_id: int) -> None:
    with pytest.raises(UsageError) as usage:
        encode_claims(spki=SPKI, hash_id=hash_id, nonce=None)
    assert usage.value.code == "usage.hash_id"
    with pytest.raises(FormatError) as raised:
        parse_claims(encode_cbor({"pubkey-hash": encode_cbor((hash_id, HASH))}))
    assert raised.value.code == "format.hash_algorithm"


def test_the_hash_number_of_2022() -> None:
    data = encode_cbor({"pubkey-hash": encode_cbor((0, HASH))})
    parse_claims(data, hashes=HASHES_2022).require_bound(SPKI)


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ((), "format.bad_value"),
        ({}, "format.missing"),
        ({"nonce": b""}, "format.missing"),
        ({"pubkey-hash": (1, HASH)}, "format.bad_value"),
        ({"pubkey-hash": ENTRY, "nonce": "text"}, "format.bad_value"),
        ({"pubkey-hash": ENTRY, "custom": 1}, "format.bad_value"),
        ({"pubkey-hash": encode_cbor((1, HASH, 1))}, "format.bad_value"),
        ({"pubkey-hash": encode_cbor((1,))}, "format.bad_value"),
        ({"pubkey-hash": encode_cbor(("1", HASH))}, "format.bad_value"),
        ({"pubkey-hash": encode_cbor((1, "hash"))}, "format.bad_value"),
        ({"pubkey-hash": encode_cbor(HASH)}, "format.bad_value"),
        ({"pubkey-hash": encode_cbor((1, HASH[:31]))}, "format.bad_value"),
        ({"pubkey-hash": encode_cbor((1, HASH + b"\x00"))}, "format.bad_value"),
        ({"pubkey-hash": encode_cbor((8, HASH))}, "format.bad_value"),
        ({"pubkey-hash": ENTRY + b"\x00"}, "format.trailing_bytes"),
        ({"pubkey-hash": b""}, "format.truncated"),
    ],
)
def test_malformed(item: CborValue, code: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse_claims(encode_cbor(item))
    assert raised.value.code == code


def test_trailing_bytes() -> None:
    with pytest.raises(FormatError) as raised:
        parse_claims(encode_claims(spki=SPKI, nonce=None) + b"\x00", padded=True)
    assert raised.value.code == "format.trailing_bytes"


def test_the_buffers_of_rats_tls_0_6_4() -> None:
    """What pads is covered by the report data, and is in the way nowhere else."""
    data = encode_cbor({"pubkey-hash": ENTRY.ljust(64, b"\xc0")}).ljust(128, b"\xc9")
    parse_claims(data, padded=True).require_bound(SPKI)
    assert hash_report_data(data) != hash_report_data(data[:-1] + b"\x00")
    with pytest.raises(FormatError):
        parse_claims(data)


@pytest.mark.parametrize("name", ["pubkey-hash", "nonce"])
def test_custom_claims_with_names_of_others(name: str) -> None:
    with pytest.raises(UsageError) as raised:
        encode_claims(spki=SPKI, custom={name: b""}, nonce=None)
    assert raised.value.code == "usage.claim_name"


def gate(
    spki: bytes = SPKI,
    nonce: bytes = bytes(32),
    binder: bytes = bytes(32),
    role: Role = Role.CLIENT,
    profile: str = "exporter-v1",
) -> bytes:
    return gate_claims(spki=spki, nonce=nonce, binder=binder, role=role, profile=profile)


def test_gate_claims() -> None:
    claims = gate(nonce=b"n" * 32, binder=b"b" * 32)
    assert cbor2.loads(claims) == {
        "pubkey-hash": [1, HASH],
        "nonce": b"n" * 32,
        "binder": b"b" * 32,
        "role": "client",
        "profile": "exporter-v1",
    }
    assert claims == cbor2.dumps(cbor2.loads(claims), canonical=True)
    assert gate_report_data(claims) == hashlib.sha512(claims).digest()


def test_the_gate_binds_all_of_it() -> None:
    variants = {
        gate(),
        gate(spki=b"another"),
        gate(nonce=b"n" * 32),
        gate(binder=b"n" * 32),
        gate(role=Role.SERVER),
        gate(profile="ratls-cert"),
    }
    assert len({gate_report_data(claims) for claims in variants}) == 6


def test_lengths_of_the_gate() -> None:
    for size in (0, 31, 33):
        with pytest.raises(UsageError) as raised:
            gate(nonce=bytes(size))
        assert raised.value.code == "usage.nonce_length"
        with pytest.raises(UsageError) as raised:
            gate(binder=bytes(size))
        assert raised.value.code == "usage.binder_length"
