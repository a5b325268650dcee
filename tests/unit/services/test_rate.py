"""How often an address may ask."""

from __future__ import annotations

import pytest

from eaa.errors import LimitExceeded
from eaa.services.rate import RateLimit


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _granted(limit: RateLimit, address: str, count: int) -> int:
    for granted in range(count):
        try:
            limit.take(address)
        except LimitExceeded:
            return granted
    return count


def test_a_burst_and_then_the_rate() -> None:
    clock = Clock()
    limit = RateLimit(5, clock)
    assert _granted(limit, "10.0.0.1", 20) == 10
    clock.now += 1
    assert _granted(limit, "10.0.0.1", 20) == 5
    clock.now += 3600
    assert _granted(limit, "10.0.0.1", 20) == 10


def test_a_slow_rate_still_grants_one() -> None:
    clock = Clock()
    limit = RateLimit(0.1, clock)
    assert _granted(limit, "10.0.0.1", 3) == 1
    clock.now += 10
    assert _granted(limit, "10.0.0.1", 3) == 1


@pytest.mark.parametrize(
    ("other", "shares"),
    [("2001:db8::2", True), ("2001:db8:0:1::1", False), ("unix", False), ("10.0.0.1", False)],
)
def test_who_counts_as_one(other: str, shares: bool) -> None:
    limit = RateLimit(1, Clock())
    assert _granted(limit, "2001:db8::1", 5) == 2
    assert _granted(limit, other, 5) == (0 if shares else 2)


@pytest.mark.parametrize(("other", "shares"), [("::ffff:10.0.0.2", False), ("10.0.0.1", True)])
def test_who_comes_by_ipv4_to_a_listener_of_both(other: str, shares: bool) -> None:
    limit = RateLimit(1, Clock())
    assert _granted(limit, "::ffff:10.0.0.1", 5) == 2
    assert _granted(limit, other, 5) == (0 if shares else 2)


def test_the_refusal_names_the_address() -> None:
    limit = RateLimit(1, Clock())
    _granted(limit, "10.0.0.1", 9)
    with pytest.raises(LimitExceeded, match=r"10\.0\.0\.1") as refused:
        limit.take("10.0.0.1")
    assert refused.value.code == "limit.rate"


def test_no_limit() -> None:
    assert _granted(RateLimit(0, Clock()), "10.0.0.1", 1000) == 1000


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eaa.services.rate._MAX_ADDRESSES", 2)
    limit = RateLimit(1, Clock())
    for address in ("a", "b", "c"):
        assert _granted(limit, address, 5) == 2
    assert _granted(limit, "c", 1) == 0
    assert _granted(limit, "a", 1) == 1
