from __future__ import annotations

import json
from typing import Any

import pytest

from eaa.errors import FormatError
from eaa.oci.keyprovider import (
    MAX_REQUEST_BYTES,
    UnwrapRequest,
    WrapRequest,
    encode_unwrap_request,
    parse_request,
    parse_unwrap_answer,
    unwrap_answer,
    wrap_answer,
)
from tests.unit.oci.packets import as_json, b64

#: As skopeo 1.2.3 sends them.
WRAP = (
    b'{"op":"keywrap","keywrapparams":{"ec":{"Parameters":{"attestation-agent":["a2JzOi8vL2RlZmF1bHQva2V5LzE="]},'
    b'"DecryptConfig":{"Parameters":{}}},"optsdata":"e30="},"keyunwrapparams":{"dc":null,"annotation":null}}'
)
UNWRAP = (
    b'{"op":"keyunwrap","keywrapparams":{"ec":null,"optsdata":null},"keyunwrapparams":'
    b'{"dc":{"Parameters":{"attestation-agent":["YW55dGhpbmc="]}},"annotation":"e30="}}'
)


def wrap(ec: Any = None, optsdata: Any = "e30=") -> bytes:
    return as_json({"op": "keywrap", "keywrapparams": {"ec": ec, "optsdata": optsdata}})


def parameters(*values: Any) -> dict[str, Any]:
    return {"Parameters": {"attestation-agent": list(values)}}


def test_captured_requests() -> None:
    assert parse_request(WRAP) == WrapRequest(("kbs:///default/key/1",), b"{}")
    assert parse_request(UNWRAP) == UnwrapRequest(b"{}", ("anything",))


def test_another_provider_has_no_parameters_here() -> None:
    assert parse_request(WRAP, provider="other") == WrapRequest((), b"{}")


@pytest.mark.parametrize("ec", [None, {}, {"Parameters": None}, {"Parameters": {"jwe": ["cHViCg=="]}}])
def test_without_parameters(ec: Any) -> None:
    assert parse_request(wrap(ec)) == WrapRequest((), b"{}")


def test_bytes_as_rust_writes_them() -> None:
    assert parse_request(wrap(parameters([97]), [123, 125])) == WrapRequest(("a",), b"{}")


def test_a_request_comes_back() -> None:
    request = UnwrapRequest(b"packet", ("one", "zwei ä"))
    assert parse_request(encode_unwrap_request(request)) == request


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"{}", "format.missing"),
        (b" " * (MAX_REQUEST_BYTES + 1), "format.too_large"),
        (as_json({"op": "keysteal"}), "format.operation"),
        (as_json({"op": "keywrap"}), "format.missing"),
        (as_json({"op": "keywrap", "keywrapparams": None}), "format.bad_value"),
        (as_json({"op": "keyunwrap", "keyunwrapparams": {"annotation": None}}), "format.missing"),
        (wrap(optsdata=None), "format.missing"),
        (wrap(ec=[]), "format.bad_value"),
        (wrap(ec={"Parameters": []}), "format.bad_value"),
        (wrap(ec={"Parameters": {"attestation-agent": "YQ=="}}), "format.bad_value"),
        (wrap(parameters("not base64")), "format.bad_value"),
        (wrap(parameters(b64(b"\xff"))), "format.bad_value"),
        (wrap(parameters(b64(b"a" * 4097))), "format.too_large"),
        (wrap(parameters(*["YQ=="] * 17)), "format.too_many"),
    ],
)
def test_no_request(data: bytes, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_request(data)
    assert caught.value.code == code


def test_answers_are_arrays_for_rust_and_have_one_half() -> None:
    assert json.loads(wrap_answer(b"\x00\xff")) == {"keywrapresults": {"annotation": [0, 255]}}
    assert json.loads(unwrap_answer(b"\x00\xff")) == {"keyunwrapresults": {"optsdata": [0, 255]}}


@pytest.mark.parametrize(
    "data",
    [unwrap_answer(b"{}"), b'{"keywrapresults":{},"keyunwrapresults":{"optsdata":"e30="}}'],
    ids=["rust", "go"],
)
def test_answers_of_others(data: bytes) -> None:
    assert parse_unwrap_answer(data) == b"{}"


@pytest.mark.parametrize("data", [b"", b"{}", b'{"keyunwrapresults":{}}', b'{"keyunwrapresults":[]}'])
def test_no_answer(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_unwrap_answer(data)
