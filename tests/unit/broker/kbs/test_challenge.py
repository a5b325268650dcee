from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from eaa.broker.kbs import challenge as module
from eaa.broker.kbs.challenge import MAX_SEALED_CHARS, Challenge, open_challenge, seal_challenge
from eaa.broker.kbs.hashes import HashAlgorithm
from eaa.broker.kbs.tees import Tee
from eaa.broker.kbs.versions import ProtocolVersion
from eaa.errors import SessionError, UsageError
from tests.unit.broker.kbs.samples import CHALLENGE, NOW, SEALING_KEY

KEYS = dict([SEALING_KEY])
#: Of a body without policy id: what comes before its length, and what follows it up to the signature.
FIXED_BYTES = 68


def code_of(text: str, keys: dict[str, bytes] = KEYS, now: datetime = NOW) -> str:
    with pytest.raises(SessionError) as raised:
        open_challenge(text, keys, now)
    return raised.value.code


def text_of(body: bytes, secret: bytes = SEALING_KEY[1]) -> str:
    mac = hmac.digest(secret, b"eaa kbs challenge\x00" + body, hashlib.sha256)
    return base64.urlsafe_b64encode(body + mac).rstrip(b"=").decode()


def body_of(challenge: Challenge = CHALLENGE) -> bytes:
    text = seal_challenge(challenge, SEALING_KEY)
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))[:-32]


def test_form() -> None:
    """The form is kept between releases: replicas of two of them serve one guest."""
    issued = (NOW - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert body_of() == b"".join(
        (
            bytes([1, 3, 13, 1]),
            CHALLENGE.id,
            CHALLENGE.nonce,
            issued.to_bytes(8),
            (issued + 300_000_000).to_bytes(8),
            b"\x06team-a\x072026-05",
        )
    )
    assert seal_challenge(CHALLENGE, SEALING_KEY) == text_of(body_of())


def test_places_are_kept() -> None:
    assert module._VERSIONS == ("0.1.0", "0.1.1", "0.2.0", "0.4.0")
    assert module._HASHES == ("sha256", "sha384", "sha512")
    assert module._TEES == (
        "az-snp-vtpm", "az-tdx-vtpm", "cca", "csv", "hygondcu", "nvidia", "nvidiadpu", "sample",
        "sampledevice", "se", "sev", "sgx", "snp", "tdx", "tpm",
    )  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"policy_id": ""},
        {"policy_id": "p" * 128},
        {"issued_at": NOW.astimezone(timezone(timedelta(hours=5)))},
        *({"version": version} for version in ProtocolVersion),
        *({"hash_algorithm": algorithm} for algorithm in HashAlgorithm),
        *({"tee": tee} for tee in Tee),
    ],
)
def test_opened_as_sealed(changes: dict[str, Any]) -> None:
    challenge = replace(CHALLENGE, **changes)
    text = seal_challenge(challenge, SEALING_KEY)
    assert open_challenge(text, KEYS, NOW) == challenge
    assert challenge.session_id == "000102030405060708090a0b0c0d0e0f"


def test_longest() -> None:
    key = ("k" * 64, SEALING_KEY[1])
    text = seal_challenge(replace(CHALLENGE, policy_id="p" * 128), key)
    assert len(text) < MAX_SEALED_CHARS
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_nonce_is_not_shown() -> None:
    assert repr(CHALLENGE.nonce) not in repr(CHALLENGE)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": bytes(15)},
        {"nonce": bytes(31)},
        {"policy_id": "p" * 129},
        {"issued_at": NOW.replace(tzinfo=None)},
        {"expires_at": NOW.replace(tzinfo=None)},
    ],
)
def test_no_challenge(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        replace(CHALLENGE, **changes)


@pytest.mark.parametrize(
    "key", [("kid", bytes(31)), ("kid", bytes(33)), ("", bytes(32)), ("k" * 65, bytes(32))]
)
def test_no_key(key: tuple[str, bytes]) -> None:
    with pytest.raises(UsageError):
        seal_challenge(CHALLENGE, key)


def test_sealed_with_a_former_key() -> None:
    text = seal_challenge(CHALLENGE, SEALING_KEY)
    assert open_challenge(text, {"2026-06": bytes(32), **KEYS}, NOW) == CHALLENGE


def test_expiry() -> None:
    text = seal_challenge(CHALLENGE, SEALING_KEY)
    last = CHALLENGE.expires_at - timedelta(microseconds=1)
    assert open_challenge(text, KEYS, last) == CHALLENGE
    assert code_of(text, now=CHALLENGE.expires_at) == "session.expired"


def test_unknown_key() -> None:
    text = seal_challenge(CHALLENGE, SEALING_KEY)
    assert code_of(text, {"2026-06": SEALING_KEY[1]}) == "session.unknown_key"


def test_another_key_of_that_name() -> None:
    assert code_of(text_of(body_of(), bytes(32))) == "session.forged"


def test_a_challenge_is_not_signed_as_something_else() -> None:
    mac = hmac.digest(SEALING_KEY[1], body_of(), hashlib.sha256)
    text = base64.urlsafe_b64encode(body_of() + mac).rstrip(b"=").decode()
    assert code_of(text) == "session.forged"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A" * 512,
        "not base64url!",
        seal_challenge(CHALLENGE, SEALING_KEY) + "=",
        text_of(b""),
        text_of(b"\x01"),
        text_of(b"\x02" + body_of()[1:]),
        text_of(body_of()[:FIXED_BYTES]),
        text_of(body_of()[:-1]),
        text_of(body_of() + b"\x00"),
        text_of(body_of()[:-1] + b"\xff"),
    ],
)
def test_malformed(text: str) -> None:
    assert code_of(text) == "session.malformed"


@pytest.mark.parametrize(
    ("offset", "value"),
    [(1, 4), (2, 15), (3, 3), (52, 0xFF), (FIXED_BYTES + 1, 0xFF)],
    ids=["version", "tee", "hash", "time", "policy"],
)
def test_written_by_a_newer_release(offset: int, value: int) -> None:
    body = bytearray(body_of())
    body[offset] = value
    assert code_of(text_of(bytes(body))) == "session.malformed"


def test_written_by_a_release_with_longer_names() -> None:
    body = body_of()[:FIXED_BYTES] + b"\x81" + b"p" * 129 + b"\x072026-05"
    assert code_of(text_of(body)) == "session.malformed"
