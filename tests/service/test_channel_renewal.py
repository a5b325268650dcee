"""Evidence anew on a live connection, and evidence for somebody else's nonce."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from eaa.errors import AttesterError, BindingError, EAAError, LocalProtocolError, RemoteProtocolError
from eaa.tls.claims import gate_report_data
from eaa.tls.frames import FrameType
from eaa.tls.peer import AttachedEvidence
from eaa.tls.relayed import relayed_claims
from eaa.transport.blocking import connect
from eaa.transport.config import utc_now
from eaa.transport.streams import AttestedStream, open_attested_connection
from tests.fakes.channel import FakeAttester, FakeVerifier, both_ends, client_config, server_config
from tests.fakes.loopback import Loopback, run
from tests.fakes.raw_peer import connect_raw

NONCE = bytes(range(100, 132))


class FailsLater(FakeAttester):
    """Has evidence ``good`` times."""

    def __init__(self, good: int) -> None:
        super().__init__()
        self.good = good

    def collect(self, report_data: bytes) -> AttachedEvidence:
        if len(self.collected) >= self.good:
            raise AttesterError("no more", detail="busy")
        return super().collect(report_data)


async def talk(stream: AttestedStream, seconds: float) -> int:
    """Lines there and back for ``seconds``."""
    count, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        stream.write(b"line\n")
        assert await stream.readline() == b"LINE\n"
        count += 1
        await asyncio.sleep(0.005)
    return count


@pytest.mark.parametrize("who", ["client", "server", "both"])
def test_both_ends_are_attested_anew_while_data_flows(who: str) -> None:
    server_verifier, client_verifier = FakeVerifier(), FakeVerifier()
    often: dict[str, Any] = {"reattest_seconds": 0.1}
    server_side = both_ends(verifier=server_verifier, **(often if who != "client" else {}))
    client_side = both_ends(verifier=client_verifier, **(often if who != "server" else {}))

    async def converse() -> None:
        stream = await open_attested_connection(server.address, client_side)
        first = stream.peer.verified_at
        await talk(stream, 0.6)
        last = stream.peer.verified_at
        assert first is not None
        assert last is not None
        assert last > first
        stream.close()

    with Loopback(server_side) as server:
        run(converse())
    for verifier in (server_verifier, client_verifier):
        assert len(verifier.asked) > 2
        assert len(set(verifier.asked)) == len(verifier.asked)  # new nonces each time


def test_a_renewal_that_fails_closes_both_halves() -> None:
    async def converse() -> None:
        stream = await open_attested_connection(server.address, client_config(reattest_seconds=0.1))
        with pytest.raises(EAAError) as caught:
            await talk(stream, 5)
        assert caught.value.fields["peer_code"] == "attester.busy"
        with pytest.raises(EAAError):
            stream.write(b"more")

    with Loopback(server_config(attester=FailsLater(1))) as server:
        run(converse())


def test_a_renewal_that_is_not_answered_closes_both_halves() -> None:
    config = server_config(handshake_seconds=0.3, reattest_seconds=0.1)
    with Loopback(config) as server, connect_raw(server.address) as peer:
        peer.handshake().say_hello(demands=True, provides=False)
        peer.expect(FrameType.ACCEPT)
        peer.expect(FrameType.EVIDENCE)
        peer.frame(FrameType.ACCEPT)
        peer.expect(FrameType.HELLO)
        peer.frame(FrameType.DATA, b"meanwhile")
        assert peer.expect(FrameType.DATA) == b"MEANWHILE"
        assert peer.refusal() == "remote_protocol.deadline"


def test_the_blocking_driver_renews_while_it_receives() -> None:
    verifier = FakeVerifier()
    with (
        Loopback(server_config()) as server,
        connect(server.address, client_config(verifier=verifier, reattest_seconds=0.05)) as channel,
    ):
        channel.settimeout(0.3)
        with pytest.raises(TimeoutError):
            channel.recv()
        assert len(verifier.asked) > 1
        channel.send(b"still here")
        assert channel.recv() == b"STILL HERE"


def test_a_challenge_is_answered_for_the_key_and_the_nonce() -> None:
    async def ask() -> None:
        stream = await open_attested_connection(server.address, client_config())
        answer, _ = await asyncio.gather(stream.challenge(NONCE), talk(stream, 0.1))
        assert answer.claims == relayed_claims(spki=stream.peer.spki, nonce=NONCE)
        # Whoever asked verifies it; it is bound to this nonce and to no other.
        verify = FakeVerifier().verify
        verify(answer.evidence, report_data=gate_report_data(answer.claims), now=utc_now())
        other = relayed_claims(spki=stream.peer.spki, nonce=NONCE[::-1])
        with pytest.raises(BindingError):
            verify(answer.evidence, report_data=gate_report_data(other), now=utc_now())
        stream.close()

    with Loopback(server_config()) as server:
        run(ask())


def test_a_challenge_is_answered_in_the_blocking_driver() -> None:
    with Loopback(server_config()) as server, connect(server.address, client_config()) as channel:
        channel.send(b"before")
        answer = channel.challenge(NONCE)
        assert answer.claims == relayed_claims(spki=channel.peer.spki, nonce=NONCE)
        assert channel.recv() == b"BEFORE"


def test_one_challenge_at_a_time() -> None:
    async def ask() -> None:
        stream = await open_attested_connection(server.address, client_config())
        first = asyncio.ensure_future(stream.challenge(NONCE))
        await asyncio.sleep(0)
        with pytest.raises(LocalProtocolError):
            await stream.challenge(NONCE)
        await first
        stream.close()

    with Loopback(server_config()) as server:
        run(ask())


def test_an_unasked_answer_is_refused() -> None:
    with Loopback(server_config()) as server, connect_raw(server.address) as peer:
        peer.handshake().say_hello(demands=False, provides=False)
        peer.expect(FrameType.ACCEPT)
        peer.frame(FrameType.ACCEPT)
        peer.frame(FrameType.ANSWER, b"\0\0\0\0")
        assert peer.refusal().startswith(("format", "remote_protocol"))


def test_a_lost_peer_fails_a_waiting_challenge() -> None:
    async def ask() -> None:
        stream = await open_attested_connection(server.address, client_config())
        with pytest.raises(RemoteProtocolError):
            await stream.challenge(NONCE)

    with Loopback(server_config(attester=FailsLater(1))) as server:
        run(ask())
