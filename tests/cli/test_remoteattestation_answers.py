"""Whatever a forwarder sends is an answer of the form, or refused as an error of ours."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eaa.cli.remoteattestation_answer import encode_request, parse_answer, require_relayed
from eaa.errors import BindingError, EAAError
from eaa.services.enclave_info import parse_request, require_nonce
from eaa.tls.claims import gate_claims
from eaa.tls.peer import Role
from eaa.tls.relayed import relayed_claims

NONCE, SPKI = bytes(range(32)), b"workload"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["AAAA", "sgx_quote", "00"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["kind", "evidence", "collateral", "tcb_info"]) | st.text(), inner)
    ),
    max_leaves=8,
)
MEMBERS = {"msgtype": "ENCLAVEINFO", "version": 2, "claims": "AAAA"}


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes(line: bytes) -> None:
    with contextlib.suppress(EAAError):
        parse_answer(line)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from([*MEMBERS, "evidence", "error"]), JSON), JSON)
def test_any_members(members: dict[str, Any], evidence: Any) -> None:
    with contextlib.suppress(EAAError):
        parse_answer(json.dumps({**MEMBERS, "evidence": evidence, **members}).encode())


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_claims(claims: bytes) -> None:
    with contextlib.suppress(EAAError):
        require_relayed(claims, nonce=NONCE, forwarder_spki=b"forwarder")


def test_the_claims_of_a_workload() -> None:
    require_relayed(relayed_claims(spki=SPKI, nonce=NONCE), nonce=NONCE, forwarder_spki=b"forwarder")


@settings(max_examples=300)
@given(st.integers(min_value=0))
def test_any_bit_of_them_flipped_but_the_key_s(bit: int) -> None:
    claims = bytearray(relayed_claims(spki=SPKI, nonce=NONCE))
    bit %= 8 * len(claims)
    claims[bit // 8] ^= 1 << bit % 8
    start = bytes(claims).find(b"pubkey-hash") + len(b"pubkey-hash") + 4  # array, 1, bytes of 32
    try:
        require_relayed(bytes(claims), nonce=NONCE, forwarder_spki=b"forwarder")
    except EAAError:
        return
    # Any key will do: which it is, the evidence's report data has.
    assert start <= bit // 8 < start + hashlib.sha256().digest_size


def test_the_key_of_the_forwarder_is_not_the_workload_s() -> None:
    with pytest.raises(BindingError) as error:
        require_relayed(relayed_claims(spki=SPKI, nonce=NONCE), nonce=NONCE, forwarder_spki=SPKI)
    assert error.value.code == "binding.forwarder_key"


def test_claims_of_a_channel() -> None:
    claims = gate_claims(
        spki=SPKI, nonce=NONCE, binder=bytes(32), role=Role.SERVER, profile="exporter-v1"
    )  # fmt: skip
    with pytest.raises(BindingError) as error:
        require_relayed(claims, nonce=NONCE, forwarder_spki=b"forwarder")
    assert error.value.code == "binding.relayed_claims"


def test_the_request_is_what_inclavared_reads() -> None:
    request = parse_request(encode_request(NONCE))
    assert request is not None
    assert require_nonce(request) == NONCE
