"""What may come between application bytes that are passed on from one channel to the other."""

from __future__ import annotations

import asyncio
import errno
import random
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep

import pytest
from OpenSSL import SSL

from eaa.errors import EAAError, LocalProtocolError, RemoteProtocolError
from eaa.services import inclavared_metrics as names
from eaa.services.inclavared import Configs, Inclavared
from eaa.tls.frames import FrameType, encode_frame
from eaa.tls.peer import Profile
from eaa.transport import engine
from eaa.transport.config import ChannelConfig
from eaa.transport.mover import DirectMover, Mover, PublicMover
from eaa.transport.outgoing import HIGH_WATER_BYTES
from eaa.transport.streams import AttestedStream, open_attested_connection, start_attested_server
from tests.fakes.raw_peer import connect_raw
from tests.service.services import NONCE, Vendor, exchange, inclavared, run, until, workload

DATA = random.Random(7).randbytes(3_000_000)  # noqa: S311 - repeatable


@pytest.fixture
def vendor(tmp_path: Path) -> Vendor:
    return Vendor(tmp_path / "vendor")


async def exchanged(vendor: Vendor, configs: Configs, client: ChannelConfig, server: ChannelConfig) -> bytes:
    async with workload(server) as upstream, inclavared(upstream, vendor, configs) as (_, where):
        return await exchange(await open_attested_connection(where, client), DATA)


@pytest.mark.parametrize("downstream", Profile)
@pytest.mark.parametrize("upstream", Profile)
def test_either_profile_on_either_side(vendor: Vendor, downstream: Profile, upstream: Profile) -> None:
    down, up = (
        replace(vendor.config(), profile=downstream),
        replace(vendor.config(mutual=True), profile=upstream),
    )
    assert run(exchanged(vendor, Configs(down, up), replace(down), replace(up))) == DATA


@pytest.fixture(params=[PublicMover(), engine._MOVER], ids=["public", "direct"])
def mover(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Mover:
    monkeypatch.setattr(engine, "_MOVER", request.param)
    found: Mover = request.param
    return found


def test_by_either_mover(vendor: Vendor, mover: Mover) -> None:
    configs = Configs(vendor.config(), vendor.config(mutual=True))
    assert run(exchanged(vendor, configs, vendor.config(), vendor.config(mutual=True))) == DATA


def test_both_sides_are_attested_anew_while_bytes_pass(vendor: Vendor, mover: Mover) -> None:
    often = replace(vendor.config(mutual=True), reattest_seconds=0.05)
    configs = Configs(often, replace(often))

    async def scenario() -> None:
        async with (
            workload(vendor.config(mutual=True)) as upstream,
            inclavared(upstream, vendor, configs) as (_, where),
        ):
            stream = await open_attested_connection(where, vendor.config(mutual=True))
            proven = {stream.peer.verified_at}
            for start in range(0, len(DATA), 100_000):
                stream.write(DATA[start : start + 100_000])
                assert (
                    await stream.readexactly(len(DATA[start : start + 100_000]))
                    == DATA[start : start + 100_000]
                )
                proven.add(stream.peer.verified_at)
                await asyncio.sleep(0.02)
            assert len(proven) > 3
            stream.close()

    run(scenario())


def test_a_challenge_is_answered_while_bytes_pass(vendor: Vendor) -> None:
    async def scenario() -> None:
        async with (
            workload(vendor.config(mutual=True)) as upstream,
            inclavared(upstream, vendor) as (_, where),
        ):
            stream = await open_attested_connection(where, vendor.config())
            passing = asyncio.create_task(exchange(stream, DATA))
            for _ in range(3):
                assert (await stream.challenge(NONCE)).evidence.evidence
            assert await passing == DATA

    run(scenario())


def test_what_came_before_a_refusal_goes_on_before_it(vendor: Vendor) -> None:
    came, ended = bytearray(), list[EAAError]()

    async def collect(stream: AttestedStream) -> None:
        try:
            while part := await stream.read():
                came.extend(part)
        except RemoteProtocolError as error:
            ended.append(error)

    def misbehave(where: str) -> str:
        with connect_raw(where) as peer:
            peer.handshake().say_hello(demands=False, provides=False)
            peer.expect(FrameType.ACCEPT)
            peer.frame(FrameType.ACCEPT)
            peer.frame(FrameType.DATA, b"first ")
            deadline = monotonic() + 5
            while came != b"first " and monotonic() < deadline:
                sleep(0.01)
            # In one record, so that it is read at once.
            peer.write(encode_frame(FrameType.DATA, b"before") + encode_frame(FrameType.DATA) + b"after")
            return peer.refusal()

    async def scenario() -> None:
        server = await start_attested_server(collect, "tcp://127.0.0.1:0", vendor.config(mutual=True))
        async with inclavared(server.address, vendor) as (_, where):
            assert await asyncio.to_thread(misbehave, where) == "remote_protocol.frame_length"
            await until(lambda: ended)
        server.close()

    run(scenario())
    assert came == b"first before"
    assert ended[0].fields["peer_code"] == "remote_protocol.frame_length"


def test_a_source_that_is_closed_here_is_no_end_of_its_data(vendor: Vendor) -> None:
    async def scenario() -> None:
        async with workload(vendor.config(mutual=True)) as where:
            source, sink = [await open_attested_connection(where, vendor.config(mutual=True)) for _ in "12"]
            passing = asyncio.create_task(source.pass_on(sink, lambda size: None))
            await asyncio.sleep(0)
            source.close()
            with pytest.raises(LocalProtocolError):
                await passing
            sink.close()

    run(scenario())


def waiting_bytes(service: Inclavared) -> int:
    """Ciphertext that waits in the forwarder for who connected to it."""
    return sum(
        connection._transport.get_write_buffer_size()
        for connection in service._listener._live
        if connection._transport is not None
    )


def test_what_waits_for_a_slow_reader_is_bounded_and_all_of_it_comes(vendor: Vendor, mover: Mover) -> None:
    async def pour(stream: AttestedStream) -> None:
        await stream.read()
        for _ in range(400):
            stream.write(bytes(100_000))
            await stream.drain()
        stream.write_eof()

    async def scenario() -> None:
        server = await start_attested_server(pour, "tcp://127.0.0.1:0", vendor.config(mutual=True))
        async with inclavared(server.address, vendor) as (service, where):
            stream = await open_attested_connection(where, vendor.config())
            stream.write(b"go")
            await until(lambda: waiting_bytes(service) > 0)
            await asyncio.sleep(0.3)
            assert waiting_bytes(service) < HIGH_WATER_BYTES
            total = 0
            while part := await stream.read():
                total += len(part)
            assert total == 40_000_000
            stream.close()
        server.close()

    run(scenario())


def test_who_reads_nothing_of_what_is_passed_on_is_cut_off(
    vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    async def pour(stream: AttestedStream) -> None:
        await stream.read()
        with suppress(EAAError):
            while True:
                stream.write(bytes(100_000))
                await stream.drain()

    configs = Configs(replace(vendor.config(), unread_seconds=0.3), vendor.config(mutual=True))

    async def scenario() -> None:
        server = await start_attested_server(pour, "tcp://127.0.0.1:0", vendor.config(mutual=True))
        async with inclavared(server.address, vendor, configs) as (service, where):
            stream = await open_attested_connection(where, vendor.config())
            stream.write(b"go")
            stream._protocol.pause_reading()
            await until(lambda: service.metrics.get(names.OPEN_CONNECTIONS) == 1)
            await until(lambda: service.metrics.get(names.OPEN_CONNECTIONS) == 0)
            stream._protocol.cut()
        server.close()

    run(scenario())
    said = [line for line in caplog.messages if "the peer read nothing for 0.3 s" in line]
    assert len(said) == 1


def test_bytes_go_to_the_socket_and_wait_nowhere(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    mover = _Counting(vars(SSL)["_lib"], vars(SSL)["_ffi"])
    monkeypatch.setattr(engine, "_MOVER", mover)
    configs = Configs(vendor.config(), vendor.config(mutual=True))
    assert run(exchanged(vendor, configs, vendor.config(), vendor.config(mutual=True))) == DATA
    assert mover.past > len(DATA)  # there and back; what a socket has no room for goes the other way


def test_a_socket_that_fails_is_logged_once_with_its_cause(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine, "_MOVER", _Broken(vars(SSL)["_lib"], vars(SSL)["_ffi"]))

    async def scenario() -> None:
        async with (
            workload(vendor.config(mutual=True)) as upstream,
            inclavared(upstream, vendor) as (service, where),
        ):
            stream = await open_attested_connection(where, vendor.config())
            stream.write(b"first")  # not passed on: it decides what the connection is for
            with pytest.raises(RemoteProtocolError) as caught:
                await stream.readexactly(5)
            assert caught.value.code == "remote_protocol.truncated"
            await until(lambda: service.metrics.get(names.OPEN_CONNECTIONS) == 0)

    run(scenario())
    assert len([line for line in caplog.messages if "Broken pipe" in line]) == 1


class _Broken(DirectMover):
    def write(self, connection: object, data: memoryview, socket: int) -> bool:
        if socket < 0:
            return super().write(connection, data, socket)
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


class _Counting(DirectMover):
    past = 0

    def write(self, connection: object, data: memoryview, socket: int) -> bool:
        waits = super().write(connection, data, socket)
        self.past += 0 if waits else len(data)
        return waits


def test_a_sink_that_is_lost_while_much_waits_for_it_ends_both(vendor: Vendor) -> None:
    async def pour(stream: AttestedStream) -> None:
        await stream.read()
        try:
            while True:
                stream.write(bytes(100_000))
                await stream.drain()
        except RemoteProtocolError as error:
            ended.append(error)

    ended: list[RemoteProtocolError] = []

    async def scenario() -> None:
        server = await start_attested_server(pour, "tcp://127.0.0.1:0", vendor.config(mutual=True))
        async with inclavared(server.address, vendor) as (service, where):
            stream = await open_attested_connection(where, vendor.config())
            stream.write(b"go")
            await until(lambda: waiting_bytes(service) > 0)
            stream._protocol.cut()
            await until(lambda: service.metrics.get(names.OPEN_CONNECTIONS) == 0)
            await until(lambda: len(ended) == 1)
        server.close()

    run(scenario())
    assert ended[0].code in {"remote_protocol.refused", "remote_protocol.truncated"}
