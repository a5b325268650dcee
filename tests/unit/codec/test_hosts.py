"""Hosts that only this machine reaches."""

from __future__ import annotations

import pytest

from eaa.codec.hosts import is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", [None, "", "10.0.0.1", "::", "example.org", "localhost.org"])
def test_elsewhere(host: str | None) -> None:
    assert not is_loopback(host)
