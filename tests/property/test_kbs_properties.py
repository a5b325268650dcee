"""The KBS protocol's laws: any bytes are read or refused, and a sealed challenge has one text."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eaa.broker.kbs.binding import additional_digest, primary_digests
from eaa.broker.kbs.challenge import open_challenge, seal_challenge
from eaa.broker.kbs.cookie import session_cookie, set_cookie
from eaa.broker.kbs.evidence import parse_evidence
from eaa.broker.kbs.init_data import parse_init_data
from eaa.broker.kbs.jwe import encrypt
from eaa.broker.kbs.messages import parse_attest_request, parse_auth_request
from eaa.broker.kbs.tee_key import parse_tee_key
from eaa.broker.kbs.tees import Tee
from eaa.broker.kbs.versions import ProtocolVersion
from eaa.codec.base64url import decode_base64url, encode_base64url
from eaa.codec.canonical_json import canonical_json
from eaa.errors import BindingError, FormatError, SessionError, UnsupportedError
from tests.fakes.kbs_client import Guest
from tests.unit.broker.kbs.samples import CHALLENGE, NONCE, NOW, SEALING_KEY, challenge, tee_key

VERSIONS = st.sampled_from(ProtocolVersion)
NAMES = st.sampled_from(
    [
        "version", "tee", "extra-params", "supported-hash-algorithms", "id", "tee-pubkey", "tee-evidence",
        "runtime-data", "nonce", "init-data", "format", "body", "primary_evidence", "additional_evidence",
        "kty", "alg", "crv", "x", "y", "n", "e", "quote", "cc_eventlog", "svn", "report_data",
    ]
)  # fmt: skip
TEXTS = st.sampled_from(
    [
        "0.1.0",
        "0.4.0",
        "tdx",
        "sgx",
        "sample",
        "toml",
        "EC",
        "RSA",
        "P-256",
        "RSA1_5",
        "AAAA",
        NONCE,
        "{}",
        "",
    ]
) | st.text(max_size=12)
KEY = tee_key("ECDH-ES+A256KW-P256").jwk
JSON = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers() | st.floats() | st.just(KEY),
    lambda inner: (
        st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=5) | st.lists(inner, max_size=4)
    ),
    max_leaves=12,
)
BODIES = st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode())


def nearly(valid: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """``valid`` with some of its members missing, or something else."""
    members = {
        name: (nearly(value) if isinstance(value, dict) else st.just(value)) | TEXTS | JSON
        for name, value in valid.items()
    }
    return st.just(valid) | st.fixed_dictionaries({}, optional=members)


SAMPLE = {"svn": "1", "report_data": "AAAA"}
FORMER = nearly({"tee-pubkey": tee_key("RSA1_5").jwk, "tee-evidence": SAMPLE})
COMPOSITE = nearly(
    {
        "init-data": {"format": "toml", "body": ""},
        "runtime-data": {"nonce": NONCE, "tee-pubkey": KEY},
        "tee-evidence": {"primary_evidence": SAMPLE, "additional_evidence": '{"tpm":{}}'},
    }
)
ATTESTATIONS = (FORMER | COMPOSITE).map(lambda value: json.dumps(value).encode())

#: What a message of a peer may come to, beside a value.
REFUSED = (FormatError, UnsupportedError)
SEALED = seal_challenge(CHALLENGE, SEALING_KEY)


@given(body=BODIES)
def test_requests(body: bytes) -> None:
    with contextlib.suppress(*REFUSED):
        parse_auth_request(body).select_hash()


@given(body=BODIES | ATTESTATIONS, version=VERSIONS)
def test_attestations(body: bytes, version: ProtocolVersion) -> None:
    asked = challenge(version)
    with contextlib.suppress(*REFUSED, BindingError):
        request = parse_attest_request(body, asked)
        assert len(additional_digest(request, asked)) == 48
        assert {len(digest) for digest in primary_digests(request, asked)} == {48}


@given(value=JSON | nearly(KEY) | nearly(tee_key("RSA1_5").jwk), version=VERSIONS)
def test_keys(value: Any, version: ProtocolVersion) -> None:
    with contextlib.suppress(*REFUSED):
        parse_tee_key(value, version)


@given(
    value=JSON | nearly(SAMPLE) | nearly({"quote": "AAAA", "cc_eventlog": "AAAA"}), tee=st.sampled_from(Tee)
)
def test_evidence(value: Any, tee: Tee) -> None:
    with contextlib.suppress(*REFUSED):
        parse_evidence(tee, value)


TOML_LIKE = st.lists(
    st.sampled_from(
        [
            'version="0.1.0"\n',
            'algorithm="sha384"\n',
            "[data]\n",
            "policy_data := {",
            '"cdh.toml"=\'',
            "'''",
            "}",
            ".a",
        ]
    )
    | st.text(max_size=5),
    max_size=12,
).map("".join)


@given(text=TOML_LIKE)
def test_init_data(text: str) -> None:
    with contextlib.suppress(*REFUSED):
        json.dumps(parse_init_data(text).claims, allow_nan=False)


@given(data=st.binary(max_size=80))
def test_base64url_is_read_as_written(data: bytes) -> None:
    assert decode_base64url(encode_base64url(data), "thing", "field") == data


@given(text=st.text(max_size=12))
def test_base64url_has_one_text(text: str) -> None:
    with contextlib.suppress(FormatError):
        assert encode_base64url(decode_base64url(text, "thing", "field")) == text


@pytest.mark.parametrize("bit", range(8))
def test_any_bit_flipped_in_a_challenge(bit: int) -> None:
    for place in range(len(SEALED)):
        flipped = SEALED[:place] + chr(ord(SEALED[place]) ^ 1 << bit) + SEALED[place + 1 :]
        with pytest.raises(SessionError):
            open_challenge(flipped, dict([SEALING_KEY]), NOW)


@given(text=st.text(max_size=600) | st.binary(max_size=400).map(encode_base64url))
def test_only_what_was_sealed_is_opened(text: str) -> None:
    with pytest.raises(SessionError):
        open_challenge(text, dict([SEALING_KEY]), NOW)


@given(kid=st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True), secret=st.binary(min_size=32, max_size=32))
def test_what_was_sealed_is_opened(kid: str, secret: bytes) -> None:
    assert open_challenge(seal_challenge(CHALLENGE, (kid, secret)), {kid: secret}, NOW) == CHALLENGE


@given(headers=st.lists(st.text(alphabet='kbs-esionid= ;",a', max_size=40), max_size=3))
def test_cookies(headers: list[str]) -> None:
    with contextlib.suppress(SessionError):
        session_cookie(headers)


@given(before=st.text(alphabet='ab=", ', max_size=8), after=st.text(alphabet='ab=", ', max_size=8))
def test_cookie_among_others(before: str, after: str) -> None:
    ours = set_cookie(SEALED, expires_at=NOW + timedelta(minutes=1), secure=True).partition(";")[0]
    assert session_cookie([f"{before}; {ours}; {after}"]) == SEALED


@given(
    content=st.binary(max_size=300), kind=st.sampled_from(["ECDH-ES+A256KW-P256", "RSA-OAEP-256", "RSA1_5"])
)
def test_content_is_decrypted_as_encrypted(content: bytes, kind: str) -> None:
    for version in ("0.2.0", "0.4.0") if kind != "RSA1_5" else tuple(ProtocolVersion):
        spoken = ProtocolVersion(version)
        key = parse_tee_key(tee_key(kind).jwk, spoken)
        message = json.loads(encrypt(content, key, version=spoken, allow_rsa1_5=True))
        assert Guest("tdx", bytes, tee_key(kind), version=version).decrypt(message) == content


@given(value=JSON)
def test_canonical_text(value: Any) -> None:
    with contextlib.suppress(FormatError):
        text = canonical_json(value, "thing")
        assert canonical_json(json.loads(text), "thing") == text
