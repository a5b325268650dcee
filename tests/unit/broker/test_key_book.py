"""Which keys sign, which are believed, and when new ones are due."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from eaa.broker.key_book import CHALLENGE, TOKEN, KeyBook, Rotation
from eaa.broker.records import ServiceKey
from eaa.errors import StorageError
from tests.fakes.token_authority import NOW, service_key

DAY = timedelta(days=1)
ROTATION = Rotation(30 * DAY, timedelta(minutes=20), timedelta(hours=1))


def _token(kid: str, begins: datetime, ends: datetime) -> ServiceKey:
    key = service_key(kid, ec.generate_private_key(ec.SECP256R1()))
    return replace(key, active_from=begins, retired_at=ends)


def _challenge(kid: str, begins: datetime, ends: datetime) -> ServiceKey:
    return ServiceKey(CHALLENGE, kid, kid.encode().ljust(32), (), begins, ends)


KEYS = [
    _token("retired", NOW - 60 * DAY, NOW),
    _token("old", NOW - 30 * DAY, NOW + DAY),
    _token("new", NOW - DAY, NOW + 31 * DAY),
    _token("next", NOW + DAY, NOW + 61 * DAY),
    _challenge("c1", NOW - DAY, NOW + DAY),
]


def test_the_newest_that_is_active_signs_and_older_ones_are_believed() -> None:
    book = KeyBook.of(KEYS, now=NOW)
    assert book.signing.kid == "new"
    assert [key["kid"] for key in book.published["keys"]] == ["next", "new", "old"]
    assert (book.challenge_kid, list(book.challenges)) == ("c1", ["c1"])


def test_the_next_one_takes_over_when_it_is_active() -> None:
    extra = _challenge("c2", NOW, NOW + 9 * DAY)
    assert KeyBook.of([*KEYS, extra], now=NOW + DAY).signing.kid == "next"


@pytest.mark.parametrize("purpose", [TOKEN, CHALLENGE])
def test_without_an_active_key_nothing_is_signed(purpose: str) -> None:
    left = [key for key in KEYS if key.purpose != purpose]
    left += [_token("next", NOW + DAY, NOW + 2 * DAY)] if purpose == TOKEN else []
    with pytest.raises(StorageError) as refused:
        KeyBook.of(left, now=NOW)
    assert refused.value.code == "storage.service_keys"


def test_no_secret_is_shown() -> None:
    assert "c1      " not in repr(KeyBook.of(KEYS, now=NOW))


def test_a_successor_is_due_before_the_period_ends() -> None:
    keys = [_token("only", NOW, NOW + 40 * DAY)]
    end = NOW + 30 * DAY
    assert ROTATION.due([], TOKEN, now=NOW)
    assert not ROTATION.due(keys, TOKEN, now=end - timedelta(minutes=20, seconds=1))
    assert ROTATION.due(keys, TOKEN, now=end - timedelta(minutes=20))
    assert ROTATION.due(keys, CHALLENGE, now=NOW)


def test_a_key_of_a_clock_that_was_ahead_keeps_nobody_from_signing() -> None:
    ahead = _token("ahead", NOW + 365 * DAY, NOW + 400 * DAY)
    assert ROTATION.due([ahead], TOKEN, now=NOW)
    begins, ends = ROTATION.term([ahead], TOKEN, now=NOW)
    assert begins < NOW
    own = _token("own", begins, ends)
    assert not ROTATION.due([ahead, own], TOKEN, now=NOW)
    assert ROTATION.due([ahead, own], TOKEN, now=begins + 30 * DAY - timedelta(minutes=20))


def test_terms_overlap() -> None:
    first = ROTATION.term([], TOKEN, now=NOW)
    hour = timedelta(hours=1)
    assert first == (NOW - hour, NOW - hour + 30 * DAY + timedelta(minutes=80))
    later = first[0] + 30 * DAY - timedelta(minutes=20)
    begins, _ = ROTATION.term([_token("only", *first)], TOKEN, now=later)
    assert begins == later + timedelta(minutes=20)
    assert first[1] - begins >= timedelta(hours=1)
