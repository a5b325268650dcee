"""The EAA protocol over attested TLS, against a running verdictd."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from eaa.attester.null import NullAttester
from eaa.errors import EAAError
from eaa.services.verdictd.core import EvidenceSource
from eaa.tls.evidence_verifier import EvidenceVerifier
from eaa.tls.peer import AttachedEvidence, EvidenceKind
from eaa.transport.config import ChannelConfig
from eaa.transport.streams import open_attested_connection
from tests.service.verdictds import Hardware, Running, running

HARDWARE = Hardware()
OTHER = b"\x66" * 48
KEY = bytes(range(32))


@dataclass(frozen=True, slots=True)
class Enclave:
    """Attests for an environment of :data:`HARDWARE`, with its endorsements attached."""

    hardware: Hardware
    kind: EvidenceKind = EvidenceKind.TDX_QUOTE
    name: str = "simulated"

    def collect(self, report_data: bytes) -> AttachedEvidence:
        attester = self.hardware.td if self.kind is EvidenceKind.TDX_QUOTE else self.hardware.enclave
        return AttachedEvidence(self.kind, attester.collect(report_data), attester.endorsements())


def _verifier(source: EvidenceSource) -> EvidenceVerifier:
    return source.verifier


def _config(hardware: Hardware, *, mutual: bool = True, attests: bool = True) -> ChannelConfig:
    return ChannelConfig(
        attester=Enclave(hardware) if attests else None,
        verifier=_verifier(HARDWARE.source()),
        mutual=mutual,
        handshake_seconds=5.0,
    )


@pytest.fixture(scope="module")
def verdictd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    state = tmp_path_factory.mktemp("verdictd")
    with running(state, HARDWARE.source(), channel=_config(HARDWARE)) as served:
        served.trust(HARDWARE)
        served.put_resource("default/security-policy/test", b'{"default":[{"type":"reject"}]}')
        served.put_resource("default/key/1", KEY)
        assert served.admin().put("/eaa/v1/keys/k1", content=KEY).status_code < 300
        yield served


def _ask(
    verdictd: Running, *requests: dict[str, Any] | bytes, config: ChannelConfig | None = None
) -> list[bytes]:
    """The replies, one read for each request; what comes of a closed connection is empty."""

    async def converse() -> list[bytes]:
        stream = await open_attested_connection(verdictd.channel_address, config or _config(HARDWARE))
        replies: list[bytes] = []
        try:
            for request in requests:
                stream.write(request if isinstance(request, bytes) else json.dumps(request).encode())
                await stream.drain()
                async with asyncio.timeout(10):
                    replies.append(await stream.read(1 << 20))
        except EAAError:
            replies.append(b"")
        finally:
            stream.close()
        return replies

    return asyncio.run(converse())


def test_version_and_echo(verdictd: Running) -> None:
    version, echo = _ask(verdictd, {"command": "version"}, {"command": "echo", "data": "hello"})
    assert json.loads(version) == {"status": "OK", "version": "v1"}
    assert echo == b"hello"


def test_a_policy_of_an_image(verdictd: Running) -> None:
    info, policy = _ask(
        verdictd,
        {"command": "Get Resource Info", "name": "Policy"},
        {"command": "Get Policy", "optional": {}},
    )
    assert base64.b64decode(policy) == b'{"default":[{"type":"reject"}]}'
    assert json.loads(info) == {"status": "OK", "data": {"base64size": str(len(policy))}}


def test_a_key_by_id_and_by_path(verdictd: Running) -> None:
    by_id, by_path = _ask(
        verdictd,
        {"command": "Get KEK", "kids": ["k1"]},
        {"command": "Get KEK", "kids": ["kbs:///default/key/1"]},
    )
    key = base64.b64encode(KEY).decode()
    assert json.loads(by_id) == {"status": "OK", "data": {"k1": key}}
    assert json.loads(by_path) == {"status": "OK", "data": {"kbs:///default/key/1": key}}


def test_a_blob_is_decrypted(verdictd: Running) -> None:
    iv = os.urandom(12)
    sealed = base64.b64encode(AESGCM(KEY).encrypt(iv, b"layer key", None)).decode()
    blob = {
        "kid": "k1", "encrypted_data": sealed, "algorithm": "AES", "key_length": 256,
        "iv": base64.b64encode(iv).decode(),
    }  # fmt: skip
    (reply,) = _ask(verdictd, {"command": "Decrypt", "blobs": [blob]})
    assert json.loads(reply) == {"status": "OK", "data": {sealed: base64.b64encode(b"layer key").decode()}}


def test_requests_of_any_split(verdictd: Running) -> None:
    async def converse() -> bytes:
        stream = await open_attested_connection(verdictd.channel_address, _config(HARDWARE))
        for byte in b' {"command"\n:"version"} ':
            stream.write(bytes([byte]))
            await stream.drain()
        reply = await stream.read(4096)
        stream.close()
        return reply

    assert json.loads(asyncio.run(converse()))["version"] == "v1"


def test_what_is_not_there(verdictd: Running) -> None:
    (reply,) = _ask(verdictd, {"command": "Get KEK", "kids": ["nosuch"]})
    failed = json.loads(reply)
    assert (failed["status"], failed["data"]) == ("Fail", {})
    assert "kid: nosuch's key not found" in failed["error"]


def test_another_measurement_gets_nothing_and_the_operator_sees_why(verdictd: Running) -> None:
    stranger = Hardware.__new__(Hardware)
    stranger.platform, stranger.enclave = HARDWARE.platform, HARDWARE.enclave
    stranger.td = type(HARDWARE.td)(HARDWARE.platform, mr_td=OTHER)
    (reply,) = _ask(verdictd, {"command": "Get KEK", "kids": ["k1"]}, config=_config(stranger))
    error = json.loads(reply)["error"]
    assert base64.b64encode(KEY).decode() not in error
    assert "access_denied.policy" in error
    decision = verdictd.decision(f"id {error.rpartition('decision ')[2].rstrip(')')}")
    assert (decision["granted"], decision["target"]) == (False, "key/k1")
    assert decision["explanation"][0]["status"] == "contraindicated"


def test_a_policy_change_holds_for_open_connections(verdictd: Running) -> None:
    async def converse() -> tuple[bytes, bytes]:
        stream = await open_attested_connection(verdictd.channel_address, _config(HARDWARE))
        ask = json.dumps({"command": "Get KEK", "kids": ["k1"]}).encode()
        stream.write(ask)
        first = await stream.read(4096)
        deny = "package policy\nimport rego.v1\ndefault allow := false\n"
        await asyncio.to_thread(verdictd.put_policy, deny, "key")
        stream.write(ask)
        second = await stream.read(4096)
        stream.close()
        return first, second

    first, second = asyncio.run(converse())
    answer = verdictd.admin().delete("/kbs/v0/resource-policy/key")
    assert answer.status_code == 200
    verdictd.refresh()
    assert json.loads(first)["status"] == "OK"
    assert json.loads(second)["status"] == "Fail"


@pytest.mark.parametrize("request_", [b"garbage\n", b'{"command":"nosuch"}', b"[1]", b"{" * 64])
def test_what_is_no_request_ends_the_connection(verdictd: Running, request_: bytes) -> None:
    assert _ask(verdictd, request_) == [b""]


def test_a_peer_that_proves_nothing_is_not_served(verdictd: Running) -> None:
    with pytest.raises(EAAError):
        _ask(verdictd, {"command": "version"}, config=_config(HARDWARE, mutual=False, attests=False))


def test_nor_one_that_shows_the_evidence_of_nothing(verdictd: Running) -> None:
    nothing = ChannelConfig(
        attester=NullAttester(), verifier=_verifier(HARDWARE.source()), mutual=True, handshake_seconds=5.0
    )
    with pytest.raises(EAAError):
        _ask(verdictd, {"command": "version"}, config=nothing)


def test_one_way_channels_release_nothing(tmp_path: Path) -> None:
    one_way = ChannelConfig(attester=Enclave(HARDWARE), verifier=None, mutual=False)
    with running(tmp_path, HARDWARE.source(), channel=one_way) as served:
        client = _config(HARDWARE, mutual=False, attests=False)
        version, reply = _ask(
            served, {"command": "version"}, {"command": "Get KEK", "kids": ["k1"]}, config=client
        )
    assert json.loads(version)["status"] == "OK"
    assert "access_denied.not_attested" in json.loads(reply)["error"]


def test_what_breaks_inside_is_logged_without_its_message(
    verdictd: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> bytes:
        raise ValueError(f"not a key: {KEY!r}")

    monkeypatch.setattr(verdictd.service.core.database.keys, "read", broken)
    assert _ask(verdictd, {"command": "Get KEK", "kids": ["k1"]}) == [b""]
    deadline = time.monotonic() + 10
    while "unexpected ValueError in an attested channel" not in caplog.text:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert repr(KEY) not in caplog.text


def test_a_peer_that_only_looks_in_does_not_keep_http_open(tmp_path: Path) -> None:
    with running(tmp_path, HARDWARE.source(), channel=_config(HARDWARE)) as served:
        host, _, port = served.channel_address.removeprefix("tcp://").rpartition(":")
        listener, deadline = served.service._channel, time.monotonic() + 10
        assert listener is not None
        with socket.create_connection((host, int(port)), timeout=10) as idle:
            while not listener._live:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            draining = asyncio.run_coroutine_threadsafe(served.service.drain(4), served.loop)
            while served.service._inputs.http_socket.fileno() >= 0:
                assert not draining.done()
                time.sleep(0.02)
            idle.setblocking(False)
            with pytest.raises(BlockingIOError):
                idle.recv(1)
            draining.result(30)
