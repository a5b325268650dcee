from __future__ import annotations

import pytest

from eaa.errors import UsageError
from eaa.transport.address import TcpAddress, UnixAddress, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("tcp://127.0.0.1:1234", TcpAddress("127.0.0.1", 1234)),
        ("tcp://node.example:0", TcpAddress("node.example", 0)),
        ("tcp://[::1]:65535", TcpAddress("::1", 65535)),
        ("unix:///run/eaa.sock", UnixAddress("/run/eaa.sock")),
        ("unix://eaa.sock", UnixAddress("eaa.sock")),
    ],
)
def test_addresses(text: str, address: TcpAddress | UnixAddress) -> None:
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:1234",
        "tcp:127.0.0.1:1234",
        "tls://127.0.0.1:1234",
        "tcp://127.0.0.1",
        "tcp://:1234",
        "tcp://[]:1",
        "tcp://::1:1234",
        "tcp://[127.0.0.1]:1",
        "tcp://host/path:1",
        "tcp://host:-1",
        "tcp://host:65536",
        "tcp://host:1²",
        "tcp://host:",
        "unix://",
        "unix://" + "x" * 108,
        "unix://a\0b",
    ],
)
def test_anything_else(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    assert caught.value.code == "usage.address"
