"""Half-open connections of one address: who shares a bound, and who has none."""

from __future__ import annotations

import pytest

from eaa.errors import RemoteProtocolError
from eaa.transport.peer_bound import PeerBound


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("192.0.2.1", 1), ("192.0.2.1", 2)),
        (("::ffff:192.0.2.1", 1, 0, 0), ("192.0.2.1", 2)),
        (("2001:db8::1", 1, 0, 0), ("2001:db8::ffff:1", 1, 0, 0)),
        (("fe80::1%eth0", 1, 0, 2), ("fe80::2%eth1", 1, 0, 3)),
    ],
)
def test_one_peer(first: object, second: object) -> None:
    bound = PeerBound(1)
    place = bound.enter(first)
    with pytest.raises(RemoteProtocolError) as caught:
        bound.enter(second)
    assert caught.value.code == "remote_protocol.half_open_peer"
    assert "has 1 connections that are half-open" in str(caught.value)
    place.leave()
    bound.enter(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("192.0.2.1", 1), ("192.0.2.2", 1)),
        (("2001:db8::1", 1, 0, 0), ("2001:db8:0:1::1", 1, 0, 0)),
        (("::192.0.2.1", 1, 0, 0), ("192.0.2.1", 1)),
        ("", ""),
        (None, None),
        (b"\0abstract", b"\0abstract"),
    ],
)
def test_two_peers_or_none(first: object, second: object) -> None:
    bound = PeerBound(1)
    bound.enter(first)
    bound.enter(second)


def test_counts_are_of_who_is_there_only() -> None:
    bound = PeerBound(2)
    places = [bound.enter((f"192.0.2.{n}", 1)) for n in range(100) for _ in range(2)]
    assert len(bound._counts) == 100
    for place in places:
        place.leave()
    assert bound._counts == {}
