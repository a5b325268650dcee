"""Ids of decisions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from eaa.broker.decision_id import decision_id
from eaa.errors import UsageError

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_the_published_example() -> None:
    """Of the specification, whose last 16 characters are 80 random bits."""
    example = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    random = sum(alphabet.index(letter) << 5 * place for place, letter in enumerate(reversed(example[10:])))
    assert decision_id(datetime.fromtimestamp(1469922850259 / 1000, UTC), random.to_bytes(10)) == example


def test_it_has_26_characters_and_sorts_by_time() -> None:
    ids = [decision_id(NOW + timedelta(milliseconds=step), bytes([255 - step] * 10)) for step in range(200)]
    assert ids == sorted(ids)
    assert {len(item) for item in ids} == {26}
    assert len(set(ids)) == 200


def test_other_randomness_is_another_id() -> None:
    assert decision_id(NOW, bytes(10)) != decision_id(NOW, bytes(9) + b"\x01")


@pytest.mark.parametrize(("moment", "random"), [(NOW, bytes(9)), (NOW.replace(tzinfo=None), bytes(10))])
def test_what_could_not_be_meant(moment: datetime, random: bytes) -> None:
    with pytest.raises(UsageError):
        decision_id(moment, random)
