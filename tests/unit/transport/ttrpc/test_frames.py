"""Frames, byte for byte as the specification draws them."""

from __future__ import annotations

import asyncio

import pytest

from eaa.errors import LocalProtocolError, RemoteProtocolError
from eaa.transport.grpc.wire import ttrpc_pb2 as wire
from eaa.transport.ttrpc.frames import MAX_DATA_BYTES, Frame, MessageType, read_frame


def frames_of(data: bytes) -> list[Frame]:
    async def read() -> list[Frame]:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        found = []
        while (frame := await read_frame(reader)) is not None:
            found.append(frame)
        return found

    return asyncio.run(read())


def test_a_frame_as_the_specification_draws_it() -> None:
    # Data Length (32) ‖ Stream ID (32), both big-endian ‖ Msg Type (8) ‖ Flags (8) ‖ Data
    expected = bytes.fromhex("00000003000001010102") + b"abc"
    assert Frame(0x101, MessageType.REQUEST, b"abc", 2).encode() == expected
    assert frames_of(expected) == [Frame(0x101, MessageType.REQUEST, b"abc", 2)]


def test_numbers_of_the_types() -> None:
    assert [(item.name, int(item)) for item in MessageType] == [("REQUEST", 1), ("RESPONSE", 2), ("DATA", 3)]


def test_frames_follow_each_other_and_may_be_empty() -> None:
    first, second = Frame(1, MessageType.REQUEST, b""), Frame(3, 0x77, b"x" * 70000)
    assert frames_of(first.encode() + second.encode()) == [first, second]
    assert frames_of(b"") == []


def test_an_envelope_as_its_fields_are_numbered() -> None:
    request = wire.Request(service="s", method="m", payload=b"p", timeout_nano=300)
    request.metadata.add(key="k", value="v")
    # 1 service, 2 method, 3 payload, 4 timeout_nano (varint), 5 metadata of 1 key, 2 value
    assert request.SerializeToString() == bytes.fromhex("0a017312016d1a017020ac022a060a016b120176")
    response = wire.Response(status=wire.Status(code=5, message="no"), payload=b"p")
    # 1 status, google.rpc.Status of 1 code, 2 message; 2 payload
    assert response.SerializeToString() == bytes.fromhex("0a06080512026e6f120170")


def test_the_largest_message_and_one_byte_more() -> None:
    whole = Frame(1, MessageType.REQUEST, bytes(MAX_DATA_BYTES))
    assert MAX_DATA_BYTES == 4 << 20
    assert frames_of(whole.encode()) == [whole]
    with pytest.raises(LocalProtocolError, match="do not fit") as local:
        Frame(1, MessageType.REQUEST, bytes(MAX_DATA_BYTES + 1)).encode()
    assert local.value.code == "local_protocol.too_large"
    with pytest.raises(RemoteProtocolError) as remote:
        frames_of(bytes.fromhex("00400001000000070100"))
    assert remote.value.code == "remote_protocol.too_large"
    assert remote.value.fields["stream"] == 7


@pytest.mark.parametrize("cut", [1, 9, 10, 12])
def test_an_end_within_a_frame(cut: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        frames_of(Frame(1, MessageType.REQUEST, b"abc").encode()[:cut])
    assert caught.value.code == "remote_protocol.truncated"


def test_data_is_not_shown() -> None:
    assert "secret" not in repr(Frame(1, MessageType.REQUEST, b"secret"))
