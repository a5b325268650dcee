"""The workload: who is served, and what becomes of the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from eaa.errors import EAAError, UsageError
from eaa.services.listening import address_of, bind, forget
from eaa.tls.claims import gate_report_data
from eaa.tls.relayed import relayed_claims
from eaa.transport.config import ChannelConfig
from eaa.transport.streams import open_attested_connection
from tests.service.services import NONCE, Vendor, exchange, run, workload


@pytest.fixture
def vendor(tmp_path: Path) -> Vendor:
    return Vendor(tmp_path / "vendor")


def test_sends_back_what_it_gets(vendor: Vendor) -> None:
    async def scenario() -> bytes:
        async with workload(vendor.config()) as where:
            return await exchange(await open_attested_connection(where, vendor.config()), b"hello" * 100_000)

    assert run(scenario()) == b"hello" * 100_000


def test_unix_socket(vendor: Vendor, tmp_path: Path) -> None:
    async def scenario() -> bytes:
        async with workload(vendor.config(), f"unix://{tmp_path}/socket") as where:
            return await exchange(await open_attested_connection(where, vendor.config()), b"hello")

    assert run(scenario()) == b"hello"


def test_answers_a_challenge_for_its_own_key(vendor: Vendor) -> None:
    async def scenario() -> None:
        async with workload(vendor.config()) as where:
            config = vendor.config()
            stream = await open_attested_connection(where, config)
            answered = await stream.challenge(NONCE)
            assert answered.claims == relayed_claims(spki=stream.peer.spki, nonce=NONCE)
            assert config.verifier is not None
            config.verifier.verify(
                answered.evidence, report_data=gate_report_data(answered.claims), now=config.clock()
            )
            stream.close()

    run(scenario())


def test_unattested_peer_gets_no_byte_and_ends_nobody_else(vendor: Vendor) -> None:
    async def scenario() -> None:
        async with workload(vendor.config(mutual=True)) as where:
            good = await open_attested_connection(where, vendor.config(mutual=True))
            one_way = vendor.config()
            for config in (one_way, ChannelConfig(attester=None, verifier=one_way.verifier)):
                with pytest.raises(EAAError):
                    await open_attested_connection(where, config)
            assert await exchange(good, b"hello") == b"hello"

    run(scenario())


def test_draining_ends_idle_connections(vendor: Vendor) -> None:
    async def scenario() -> None:
        async with workload(vendor.config()) as where:
            idle = await open_attested_connection(where, vendor.config())
            idle.write(b"hello")
            assert await idle.readexactly(5) == b"hello"
        assert await idle.read() == b""
        idle.close()
        with pytest.raises(ConnectionRefusedError):
            await open_attested_connection(where, vendor.config())

    run(scenario())


def test_socket_file_of_nobody_is_replaced_and_of_somebody_is_not(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/socket"
    bind(address).close()
    listening = bind(address)
    assert address_of(listening) == address
    with pytest.raises(UsageError, match="Address already in use"):
        bind(address)
    forget(listening, address)
    (tmp_path / "socket").write_text("a file")
    with pytest.raises(UsageError, match="Address already in use"):
        bind(address)
    assert (tmp_path / "socket").read_text() == "a file"


def test_shared_port() -> None:
    first = bind("tcp://127.0.0.1:0", shared=True)
    second = bind(address_of(first), shared=True)
    assert address_of(first) == address_of(second)
    with pytest.raises(UsageError):
        bind(address_of(first))
    first.close()
    second.close()
