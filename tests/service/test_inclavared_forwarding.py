"""Application bytes through the forwarder, and what becomes of them when an end is lost or refused."""

from __future__ import annotations

import asyncio
import logging
import random
from pathlib import Path

import pytest

from eaa.appraisal.alternatives import by_measurement
from eaa.appraisal.policy import Policy
from eaa.appraisal.reference_values import ReferenceValues
from eaa.errors import EAAError, RemoteProtocolError
from eaa.services import inclavared_metrics as names
from eaa.services.inclavared import Configs, Inclavared
from eaa.services.listening import address_of, bind, forget
from eaa.transport.streams import AttestedStream, open_attested_connection, start_attested_server
from tests.service.services import NONCE, Vendor, exchange, inclavared, request, run, until, workload

ASKED = {"type": "GETENCLAVEINFO", "nonce": NONCE.hex()}


@pytest.fixture
def vendor(tmp_path: Path) -> Vendor:
    return Vendor(tmp_path / "vendor")


def failed_handshakes(service: Inclavared) -> float:
    return sum(value for key, value in service.metrics.values.items() if key[0] == names.HANDSHAKES_FAILED)


def test_five_megabytes_both_ways(vendor: Vendor) -> None:
    data = random.Random(5).randbytes(5_000_000)  # noqa: S311 - repeatable

    async def scenario() -> None:
        async with (
            workload(vendor.config(mutual=True)) as upstream,
            inclavared(upstream, vendor) as (service, where),
        ):
            stream = await open_attested_connection(where, vendor.config())
            assert await exchange(stream, data) == data
            await until(lambda: service.metrics.get(names.OPEN_CONNECTIONS) == 0)
            for direction in ("upstream", "downstream"):
                assert service.metrics.get(names.FORWARDED_BYTES, direction=direction) == len(data)
            assert service.metrics.get(names.REQUESTS, kind="forward", outcome="ok") == 1

    run(scenario())


def test_slow_reader_holds_the_sender_back(vendor: Vendor) -> None:
    async def endless(stream: AttestedStream) -> None:
        await stream.read()
        while True:
            stream.write(bytes(100_000))
            sent.append(100_000)
            await stream.drain()
            await asyncio.sleep(0)

    sent: list[int] = []

    async def scenario() -> None:
        server = await start_attested_server(endless, "tcp://127.0.0.1:0", vendor.config(mutual=True))
        async with inclavared(server.address, vendor) as (_, where):
            stream = await open_attested_connection(where, vendor.config())
            stream.write(b"go")
            await asyncio.sleep(1.0)
            before = sum(sent)
            await asyncio.sleep(0.5)
            assert sum(sent) == before < 40_000_000
            stream.close()
        server.close()

    run(scenario())


def test_half_close(vendor: Vendor) -> None:
    async def after_the_end(stream: AttestedStream) -> None:
        received = b""
        while part := await stream.read():
            received += part
        stream.write(b"all of " + received)

    async def scenario() -> bytes:
        server = await start_attested_server(after_the_end, "tcp://127.0.0.1:0", vendor.config(mutual=True))
        async with inclavared(server.address, vendor) as (_, where):
            stream = await open_attested_connection(where, vendor.config())
            came = await exchange(stream, b"this")
        server.close()
        return came

    assert run(scenario()) == b"all of this"


def test_upstream_down_then_up_again(vendor: Vendor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def scenario() -> None:
        closed = bind("tcp://127.0.0.1:0")
        upstream = address_of(closed)
        forget(closed, upstream)
        async with inclavared(upstream, vendor) as (service, where):
            answer = await request(where, vendor.config(), ASKED)
            assert answer["error"]["code"] == "remote_protocol.upstream_unreachable"
            stream = await open_attested_connection(where, vendor.config())
            with pytest.raises(RemoteProtocolError, match="upstream_unreachable"):
                await exchange(stream, b"hello")
            assert "upstream_unreachable" in service.not_ready
            async with workload(vendor.config(mutual=True), upstream):
                stream = await open_attested_connection(where, vendor.config())
                assert await exchange(stream, b"hello") == b"hello"
                assert (await request(where, vendor.config(), ASKED))["msgtype"] == "ENCLAVEINFO"
                await until(lambda: service.not_ready == "")
            await until(lambda: service.not_ready != "")
            async with workload(vendor.config(mutual=True), upstream):
                assert (await request(where, vendor.config(), ASKED))["msgtype"] == "ENCLAVEINFO"
            assert service.metrics.get(names.UPSTREAM_RECONNECTS) == 1

    run(scenario())
    forwards = [item for item in caplog.records if "server of" in item.getMessage()]
    assert len(forwards) == 1


def test_upstream_lost_under_way(vendor: Vendor) -> None:
    async def abandon(stream: AttestedStream) -> None:
        await stream.read()
        stream.abort(RemoteProtocolError("gone", detail="gone"))

    async def scenario() -> None:
        server = await start_attested_server(abandon, "tcp://127.0.0.1:0", vendor.config(mutual=True))
        async with inclavared(server.address, vendor) as (service, where):
            for _ in range(2):  # and it stays up
                stream = await open_attested_connection(where, vendor.config())
                with pytest.raises(RemoteProtocolError, match=r"remote_protocol\.gone|closed the channel"):
                    await exchange(stream, b"hello")
            await until(lambda: service.metrics.get(names.OPEN_CONNECTIONS) == 0)
        server.close()

    run(scenario())


def test_upstream_with_other_code_gets_no_byte(vendor: Vendor) -> None:
    received: list[bytes] = []

    async def listen(stream: AttestedStream) -> None:
        received.append(await stream.read())

    async def scenario() -> None:
        server = await start_attested_server(listen, "tcp://127.0.0.1:0", vendor.config(mutual=True))
        wanted = ReferenceValues((by_measurement("sgx", b"\x01" * 32),))
        strict = vendor.config(mutual=True, policy=Policy(reference_values=wanted))
        async with inclavared(server.address, vendor, Configs(vendor.config(), strict)) as (_, where):
            stream = await open_attested_connection(where, vendor.config())
            with pytest.raises(RemoteProtocolError, match="upstream_refused"):
                await exchange(stream, b"secret")
            answer = await request(where, vendor.config(), ASKED)
            assert answer["error"]["code"] == "remote_protocol.upstream_refused"
        server.close()

    run(scenario())
    assert received == []


def test_plain_upstream_gets_no_byte_of_the_application(vendor: Vendor) -> None:
    received = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend(await reader.read(1000))
        writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(listen, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with inclavared(f"tcp://127.0.0.1:{port}", vendor) as (_, where):
            stream = await open_attested_connection(where, vendor.config())
            with pytest.raises(RemoteProtocolError):
                await exchange(stream, b"secret")
        server.close()

    run(scenario())
    assert b"secret" not in received


def test_downstream_of_another_vendor_gets_no_byte(vendor: Vendor, tmp_path: Path) -> None:
    stranger = Vendor(tmp_path / "stranger")

    async def scenario() -> None:
        configs = Configs(vendor.config(mutual=True), vendor.config(mutual=True))
        async with (
            workload(vendor.config(mutual=True)) as upstream,
            inclavared(upstream, vendor, configs) as (service, where),
        ):
            # It accepts this forwarder's evidence, and has none that the forwarder would accept.
            theirs = stranger.config(mutual=True)
            config = vendor.config(mutual=True)
            object.__setattr__(config, "attester", theirs.attester)
            with pytest.raises(EAAError):
                await open_attested_connection(where, config)
            await until(lambda: failed_handshakes(service) == 1)
            assert not [key for key in service.metrics.values if key[0] == names.FORWARDED_BYTES]
            assert not [key for key in service.metrics.values if key[0] == names.REQUESTS]

    run(scenario())


def test_garbage_before_the_handshake(vendor: Vendor) -> None:
    async def scenario() -> None:
        async with (
            workload(vendor.config(mutual=True)) as upstream,
            inclavared(upstream, vendor) as (service, where),
        ):
            port = int(where.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(bytes(100_000))
            await reader.read()
            writer.close()
            await until(lambda: failed_handshakes(service) == 1)
            stream = await open_attested_connection(where, vendor.config())
            assert await exchange(stream, b"still there") == b"still there"

    run(scenario())


def test_draining_lets_what_is_under_way_end(vendor: Vendor) -> None:
    async def scenario() -> None:
        async with (
            workload(vendor.config(mutual=True)) as upstream,
            inclavared(upstream, vendor) as (service, where),
        ):
            stream = await open_attested_connection(where, vendor.config())
            idle = await open_attested_connection(where, vendor.config())
            stream.write(b"first")
            assert await stream.readexactly(5) == b"first"
            draining = asyncio.create_task(service.drain(5.0))
            assert await idle.read() == b""
            idle.close()
            with pytest.raises(ConnectionRefusedError):
                await open_attested_connection(where, vendor.config())
            assert service.not_ready == "draining"
            assert await exchange(stream, b"second") == b"second"
            assert await draining

    run(scenario())


def test_renewed_identity_leaves_open_connections_alone(vendor: Vendor) -> None:
    async def scenario() -> None:
        async with (
            workload(vendor.config(mutual=True)) as upstream,
            inclavared(upstream, vendor) as (service, where),
        ):
            old = await open_attested_connection(where, vendor.config())
            old.write(b"before")
            assert await old.readexactly(6) == b"before"
            service.replace(Configs(vendor.config(), vendor.config(mutual=True)))
            new = await open_attested_connection(where, vendor.config())
            assert new.peer.spki != old.peer.spki
            assert await exchange(new, b"new") == b"new"
            assert await exchange(old, b"after") == b"after"

    run(scenario())


def test_renewed_configuration_is_that_of_the_kept_channel_too(vendor: Vendor) -> None:
    async def scenario() -> None:
        async with (
            workload(vendor.config(mutual=True)) as upstream,
            inclavared(upstream, vendor) as (service, where),
        ):
            await until(lambda: service.not_ready == "")
            opened = service.metrics.get(names.UPSTREAM_CONNECTIONS)
            asking = asyncio.create_task(request(where, vendor.config(), ASKED))
            service.replace(Configs(vendor.config(), vendor.config(mutual=True)))
            await until(lambda: service.metrics.get(names.UPSTREAM_CONNECTIONS) == opened + 1)
            assert service.not_ready == ""
            assert (await asking)["msgtype"] == "ENCLAVEINFO"
            assert (await request(where, vendor.config(), ASKED))["msgtype"] == "ENCLAVEINFO"
            assert service.metrics.get(names.UPSTREAM_CONNECTIONS) == opened + 1

            other = ReferenceValues((by_measurement("sgx", b"\x01" * 32),))
            refusing = vendor.config(mutual=True, policy=Policy(reference_values=other))
            service.replace(Configs(vendor.config(), refusing))
            await until(lambda: "upstream_refused" in service.not_ready)
            answer = await request(where, vendor.config(), ASKED)
            assert answer["error"]["code"] == "remote_protocol.upstream_refused"

    run(scenario())
