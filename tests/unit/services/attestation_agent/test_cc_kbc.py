"""When a KBS's token has to be had anew, by what the token says."""

from __future__ import annotations

import base64
import math

import pytest

from eaa.services.attestation_agent.cc_kbc import _lifetime_seconds


def token(claims: str) -> str:
    return f"e30.{base64.urlsafe_b64encode(claims.encode()).decode().rstrip('=')}.x"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (token('{"iat":1000,"exp":1300}'), 300.0),
        (token('{"iat":1300,"exp":1000}'), -300.0),
        (token('{"exp":1300}'), math.inf),
        (token('{"iat":"x","exp":1300}'), math.inf),
        (token('{"iat":0,"exp":1' + "0" * 400 + "}"), math.inf),
        (token("[]"), math.inf),
        ("not a token", math.inf),
        ("", math.inf),
    ],
)
def test_lifetime(text: str, seconds: float) -> None:
    assert _lifetime_seconds(text) == seconds
