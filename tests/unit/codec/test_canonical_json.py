from __future__ import annotations

import hashlib
from typing import Any

import pytest

from eaa.codec import canonical_json as module
from eaa.codec.canonical_json import MAX_DEPTH, canonical_json
from eaa.errors import FormatError


def nested(depth: int) -> Any:
    value: Any = [1]
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (9007199254740991, "9007199254740991"),
        ({"b": 1, "a": [], "c": {}}, '{"a":[],"b":1,"c":{}}'),
        # [RFC8785 §3.2.2] and its sorting example [RFC8785 §3.2.3]
        (
            {
                "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
                "string": '€$\x0f\nA\'B"\\\\"/',
                "literals": [None, True, False],
            },
            '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
        ),
        (
            {"€": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "ö": 7},
            '{"\\r":2,"1":4,"\x80":6,"ö":7,"€":1,"\U0001f600":5,"\ufb33":3}',
        ),
    ],
)
def test_text(value: Any, text: str) -> None:
    assert canonical_json(value, "thing") == text.encode()


def test_hashed_as_trustee_does() -> None:
    """The answer is that of Trustee's attestation service for this value (v0.11.0 and later)."""
    text = canonical_json({"b": 1, "a": "test", "c": {"d": "e"}}, "thing")
    assert hashlib.sha384(text).hexdigest() == (
        "e71ce8e70d814ba6639c3612ebee0ff1f76f650f8dbb5e47157e0f3f525cd22c4597480a186427c813ca941da78870c3"
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (2**53, "an integer is beyond"),
        (-(2**53), "an integer is beyond"),
        (float("nan"), "not finite"),
        (float("inf"), "not finite"),
        ("\ud800", "not JSON"),
        ({"\ud800": 1}, "not JSON"),
        ({1: 1}, "not JSON"),
        ([b"bytes"], "not JSON"),
    ],
)
def test_no_text(value: Any, reason: str) -> None:
    with pytest.raises(FormatError, match=reason) as raised:
        canonical_json(value, "thing")
    assert (raised.value.code, raised.value.what) == ("format.not_canonical", "thing")


def test_depth() -> None:
    assert canonical_json(nested(MAX_DEPTH), "thing") == b"[" * MAX_DEPTH + b"1" + b"]" * MAX_DEPTH
    with pytest.raises(FormatError) as raised:
        canonical_json(nested(MAX_DEPTH + 1), "thing")
    assert raised.value.code == "format.too_deep"


def test_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_DOCUMENT_BYTES", 7)
    assert canonical_json("12345", "thing") == b'"12345"'
    with pytest.raises(FormatError) as raised:
        canonical_json("123456", "thing")
    assert raised.value.code == "format.too_large"
