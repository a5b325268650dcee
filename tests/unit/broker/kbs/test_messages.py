from __future__ import annotations

import json
from typing import Any

import pytest

from eaa.broker.kbs.hashes import HashAlgorithm
from eaa.broker.kbs.messages import (
    MAX_AUTH_BYTES,
    AuthRequest,
    auth_response,
    parse_attest_request,
    parse_auth_request,
)
from eaa.broker.kbs.tees import Tee
from eaa.broker.kbs.versions import ProtocolVersion
from eaa.errors import BindingError, EAAError, FormatError, UnsupportedError
from tests.unit.broker.kbs.samples import NONCE, challenge, tee_key

SHA256, SHA384, SHA512 = HashAlgorithm.SHA256, HashAlgorithm.SHA384, HashAlgorithm.SHA512
EC, RSA = tee_key("ECDH-ES+A256KW-P256").jwk, tee_key("RSA1_5").jwk
TDX = {"quote": "AAAA", "cc_eventlog": None}


def auth(extra: Any = "", **changes: Any) -> AuthRequest:
    members = {"version": "0.4.0", "tee": "tdx", "extra-params": extra} | changes
    return parse_auth_request(json.dumps(members).encode())


def composite(**changes: Any) -> dict[str, Any]:
    return {
        "init-data": None,
        "runtime-data": {"nonce": NONCE, "tee-pubkey": EC},
        "tee-evidence": {"primary_evidence": TDX, "additional_evidence": ""},
    } | changes


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("extra", "offered"),
    [
        ("", None),
        ("text", None),
        (None, None),
        (7, None),
        ([], None),
        ({}, None),
        ({"supported-hash-algorithms": None}, None),
        ({"supported-hash-algorithms": []}, ()),
        ({"supported-hash-algorithms": ["sha256", "sha384", "sha512", "sm3"]}, (SHA256, SHA384, SHA512)),
    ],
)
def test_extra_parameters(extra: Any, offered: Any) -> None:
    assert auth(extra) == AuthRequest(ProtocolVersion.V0_4_0, Tee.TDX, offered, "")


def test_without_extra_parameters() -> None:
    assert parse_auth_request(b'{"tee":"sgx","version":"0.2.0","more":1}') == AuthRequest(
        ProtocolVersion.V0_2_0, Tee.SGX, None, ""
    )


@pytest.mark.parametrize("name", ["attestation-policy-selector", "policy-selector", "id"])
def test_policy_id(name: str) -> None:
    assert auth({name: "team-a"}).policy_id == "team-a"
    assert auth({name: ""}).policy_id == ""


def test_policy_id_by_two_names() -> None:
    assert (
        auth({"id": "team-a", "attestation-policy-selector": "team-a", "policy-selector": ""}).policy_id
        == "team-a"
    )
    with pytest.raises(FormatError, match="two ids"):
        auth({"id": "team-a", "attestation-policy-selector": "team-b"})


@pytest.mark.parametrize(
    ("version", "offered", "selected"),
    [
        ("0.1.0", [], SHA384),
        ("0.1.0", ["sha256"], SHA384),
        ("0.1.1", ["sha256"], SHA256),
        ("0.2.0", ["sha512", "sha256"], SHA512),
        ("0.4.0", ["sha512", "sha384"], SHA384),
    ],
)
def test_selected_hash(version: str, offered: list[str], selected: HashAlgorithm) -> None:
    assert auth({"supported-hash-algorithms": offered}, version=version).select_hash() is selected


def test_no_hash_to_select() -> None:
    with pytest.raises(UnsupportedError):
        auth({"supported-hash-algorithms": ["sm3"]}).select_hash()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": "0.3.0"}, "unsupported.protocol_version"),
        ({"version": 4}, "format.bad_value"),
        ({"tee": "toaster"}, "format.tee"),
        ({"tee": None}, "format.bad_value"),
        ({"extra": {"supported-hash-algorithms": "sha384"}}, "format.bad_value"),
        ({"extra": {"supported-hash-algorithms": [384]}}, "format.bad_value"),
        ({"extra": {"supported-hash-algorithms": ["sha384"] * 33}}, "format.bad_value"),
        ({"extra": {"id": 7}}, "format.bad_value"),
        ({"extra": {"id": "../default"}}, "format.name"),
        ({"extra": {"id": "p" * 129}}, "format.name"),
    ],
)
def test_refused_requests(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(EAAError) as raised:
        auth(**changes)
    assert raised.value.code == code


def test_as_many_algorithms_as_are_read() -> None:
    assert auth({"supported-hash-algorithms": ["sha384"] * 32}).hash_algorithms == (SHA384,)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "format.not_json"),
        (b"[]", "format.bad_value"),
        (b'{"version":"0.4.0"}', "format.missing"),
        (b'{"version":"0.4.0","version":"0.1.0","tee":"tdx"}', "format.duplicate_key"),
    ],
)
def test_no_request(text: bytes, code: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse_auth_request(text)
    assert raised.value.code == code


def test_size_of_a_request() -> None:
    text = b'{"version":"0.4.0","tee":"tdx"}'
    assert parse_auth_request(text.ljust(MAX_AUTH_BYTES)).tee is Tee.TDX
    with pytest.raises(FormatError) as raised:
        parse_auth_request(text.ljust(MAX_AUTH_BYTES + 1))
    assert raised.value.code == "format.too_large"


def test_response() -> None:
    assert auth_response(challenge()) == {"nonce": NONCE, "extra-params": ""}
    assert auth_response(challenge(hash_algorithm=SHA512)) == {
        "nonce": NONCE,
        "extra-params": {"selected-hash-algorithm": "sha512"},
    }


def test_composite_attestation() -> None:
    more = '{ "nvidia": {"a":1},"sampledevice":[] }'
    evidence = {"primary_evidence": TDX, "additional_evidence": more}
    init_data = {"format": "toml", "body": "text"}
    request = parse_attest_request(
        body(composite(**{"tee-evidence": evidence, "init-data": init_data})), challenge()
    )
    assert (request.nonce, request.tee_key.jwk) == (NONCE, EC)
    assert (request.init_data, request.primary) == ("text", TDX)
    assert request.additional_text == more
    assert request.additional == {Tee.NVIDIA: {"a": 1}, Tee.SAMPLE_DEVICE: []}


def test_composite_attestation_of_one() -> None:
    members = composite()
    del members["init-data"]
    request = parse_attest_request(body(members), challenge())
    assert (request.init_data, request.additional_text, dict(request.additional)) == (None, "", {})


@pytest.mark.parametrize(
    ("version", "evidence"), [("0.1.0", json.dumps(TDX)), ("0.1.1", TDX), ("0.2.0", TDX)]
)
def test_attestations_before(version: str, evidence: Any) -> None:
    text = body({"tee-pubkey": RSA, "tee-evidence": evidence})
    request = parse_attest_request(text, challenge(version))
    assert (request.nonce, request.tee_key.jwk, request.primary) == (NONCE, RSA, TDX)
    assert (request.init_data, request.additional_text, dict(request.additional)) == (None, "", {})


def test_evidence_is_not_shown() -> None:
    evidence = {"primary_evidence": {"quote": "SECRET"}, "additional_evidence": '{"tpm":"SECRET"}'}
    request = parse_attest_request(body(composite(**{"tee-evidence": evidence})), challenge())
    assert "SECRET" not in repr(request)


def test_another_nonce() -> None:
    runtime_data = {"nonce": NONCE[:-2] + "E=", "tee-pubkey": EC}
    with pytest.raises(BindingError) as raised:
        parse_attest_request(body(composite(**{"runtime-data": runtime_data})), challenge())
    assert raised.value.code == "binding.nonce"


def evidence_of(primary: Any, additional: Any) -> dict[str, Any]:
    return {"tee-evidence": {"primary_evidence": primary, "additional_evidence": additional}}


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"runtime-data": None}, "runtime-data", "format.bad_value"),
        ({"runtime-data": {"tee-pubkey": EC}}, "nonce", "format.missing"),
        ({"runtime-data": {"nonce": NONCE}}, "JWK", "format.bad_value"),
        ({"runtime-data": {"nonce": 1, "tee-pubkey": EC}}, "nonce", "format.bad_value"),
        ({"tee-evidence": TDX}, "additional_evidence", "format.missing"),
        (evidence_of("text", ""), "primary_evidence", "format.bad_value"),
        (evidence_of(TDX, None), "additional_evidence", "format.bad_value"),
        (evidence_of(TDX, {}), "additional_evidence", "format.bad_value"),
        (evidence_of(TDX, "[]"), "additional_evidence", "format.bad_value"),
        (evidence_of(TDX, "x"), "JSON", "format.not_json"),
        (evidence_of(TDX, '{"toaster":{}}'), "additional_evidence", "format.tee"),
        (evidence_of(TDX, '{"tpm":{},"tpm":{}}'), "tpm", "format.duplicate_key"),
        (
            evidence_of(TDX, '{"az-tdx-vtpm":{},"aztdxvtpm":{}}'),
            "additional_evidence",
            "format.duplicate_key",
        ),
        ({"init-data": "text"}, "init-data", "format.bad_value"),
        ({"init-data": {"format": "toml"}}, "body", "format.missing"),
        ({"init-data": {"body": "text"}}, "format", "format.missing"),
    ],
)
def test_malformed_attestations(changes: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse_attest_request(body(composite(**changes)), challenge())
    assert (raised.value.field, raised.value.code) == (field, code)


def test_init_data_of_another_format() -> None:
    changes = {"init-data": {"format": "json", "body": "{}"}}
    with pytest.raises(UnsupportedError) as raised:
        parse_attest_request(body(composite(**changes)), challenge())
    assert raised.value.code == "unsupported.init_data_format"


@pytest.mark.parametrize(
    ("version", "members"),
    [
        ("0.4.0", {"tee-pubkey": EC, "tee-evidence": TDX}),
        ("0.2.0", composite()),
        ("0.1.1", {"tee-pubkey": RSA, "tee-evidence": json.dumps(TDX)}),
        ("0.1.0", {"tee-pubkey": RSA, "tee-evidence": TDX}),
        ("0.1.0", {"tee-pubkey": RSA, "tee-evidence": "no JSON"}),
        ("0.2.0", {"tee-evidence": TDX}),
        ("0.2.0", {"tee-pubkey": RSA}),
        ("0.2.0", []),
    ],
)
def test_shape_of_another_version(version: str, members: Any) -> None:
    with pytest.raises(FormatError):
        parse_attest_request(body(members), challenge(version))
