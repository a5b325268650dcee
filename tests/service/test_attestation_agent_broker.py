"""The agent and its broker: one attestation for many secrets, refusals, and a broker that comes and goes."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from eaa.attester.null import NullAttester
from eaa.broker.names import ResourcePath
from eaa.services.attestation_agent.cache import CacheTerms
from eaa.services.attestation_agent.cc_kbc import CcKbc
from eaa.services.attestation_agent.evidence import GuestEvidence
from eaa.services.attestation_agent.patience import Patience
from eaa.tls.peer import AttachedEvidence, EvidenceKind
from eaa.transport.config import ChannelConfig
from tests.cli.serving import until
from tests.fakes.agent_clients import AgentRefusal
from tests.service.attestation_agents import Guest, RunningAgent, channel_of, running_agent
from tests.service.verdictds import Hardware, Running, running

HARDWARE = Hardware()
RESOURCE = "api.GetResourceService/GetResource"
DENY = "package policy\nimport rego.v1\ndefault allow := false\n"
MODULES = ("cc_kbc", "eaa_kbc")
SECRET = b"\x42topmost secret\x43"
SOON = 20.0


@contextmanager
def serving(state: Path, **sections: Any) -> Iterator[Running]:
    channel = channel_of(Guest(HARDWARE), HARDWARE)
    with running(state, HARDWARE.source(), channel=channel, **sections) as served:
        served.trust(HARDWARE)
        yield served


@pytest.fixture
def verdictd(tmp_path: Path) -> Iterator[Running]:
    with serving(tmp_path / "state") as served:
        served.put_resource("default/key/1", SECRET)
        yield served


@contextmanager
def agent_of(folder: Path, params: str, guest: Guest | None = None, **options: Any) -> Iterator[RunningAgent]:
    attester = guest or Guest(HARDWARE)
    options.setdefault("channel", channel_of(attester, HARDWARE))
    with running_agent(folder, params, attester, **options) as served:
        yield served


def fetch(agent: RunningAgent, path: str = "default/key/1") -> bytes:
    content: bytes = agent.grpc().call(RESOURCE, ResourcePath=path).Resource
    return content


def refused(agent: RunningAgent, path: str = "default/key/1") -> AgentRefusal:
    with pytest.raises(AgentRefusal) as caught:
        fetch(agent, path)
    return caught.value


def counted(served: Running, name: str) -> int:
    """What verdictd has counted of ``name``, all labels together."""
    lines = served.service.metrics_text().splitlines()
    return sum(int(float(line.rpartition(" ")[2])) for line in lines if line.startswith(f"kbs_{name}"))


def put_many(served: Running) -> list[str]:
    """A hundred paths whose content is the path."""
    admin = served.admin()
    paths = [f"default/many/{number}" for number in range(100)]
    for path in paths:
        assert admin.post(f"/kbs/v0/resource/{path}", content=path.encode()).status_code == 200
    return paths


# ── one attestation ──


@pytest.mark.parametrize("kind", [EvidenceKind.TDX_QUOTE, EvidenceKind.SGX_QUOTE])
def test_a_hundred_secrets_with_one_attestation(
    verdictd: Running, tmp_path: Path, kind: EvidenceKind
) -> None:
    paths = put_many(verdictd)
    guest = Guest(HARDWARE, kind)
    with agent_of(tmp_path, verdictd.kbc_params("cc_kbc"), guest) as agent, ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda path: fetch(agent, path), paths)) == [path.encode() for path in paths]
    assert counted(verdictd, "auth_requests") == 1
    assert counted(verdictd, "attestation_requests") == 1
    assert guest.collected == 2  # the first says of which kind its evidence is


def test_a_hundred_secrets_over_one_channel(verdictd: Running, tmp_path: Path) -> None:
    paths = put_many(verdictd)
    guest = Guest(HARDWARE)
    with agent_of(tmp_path, verdictd.kbc_params("eaa_kbc"), guest) as agent, ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda path: fetch(agent, path), paths)) == [path.encode() for path in paths]
    assert guest.collected == 1


@pytest.mark.parametrize("module", MODULES)
def test_a_secret_is_fetched_once_and_kept(verdictd: Running, tmp_path: Path, module: str) -> None:
    with agent_of(tmp_path, verdictd.kbc_params(module)) as agent:
        with ThreadPoolExecutor(16) as pool:
            assert set(pool.map(lambda _: fetch(agent), range(64))) == {SECRET}
        released = counted(verdictd, "policy_evaluations")
        assert fetch(agent) == SECRET
        assert counted(verdictd, "policy_evaluations") == released
    # The EAA protocol asks for the size first, which is a decision as well.
    assert released == (1 if module == "cc_kbc" else 2)


def test_a_secret_is_fetched_anew_after_its_time(verdictd: Running, tmp_path: Path) -> None:
    cache = CacheTerms(seconds=0.2, refused_seconds=0)
    with agent_of(tmp_path, verdictd.kbc_params("cc_kbc"), cache=cache) as agent:
        assert fetch(agent) == SECRET
        verdictd.put_resource("default/key/1", b"another")
        assert fetch(agent) == SECRET
        until(lambda: fetch(agent) == b"another")
    assert counted(verdictd, "auth_requests") == 1


def test_without_a_cache_each_question_is_passed_on(verdictd: Running, tmp_path: Path) -> None:
    with agent_of(tmp_path, verdictd.kbc_params("cc_kbc"), cache=CacheTerms(0, 0, 0)) as agent:
        assert [fetch(agent) for _ in range(3)] == [SECRET] * 3
    assert counted(verdictd, "resource_reads") == 3
    assert counted(verdictd, "auth_requests") == 1


# ── refused ──


@pytest.mark.parametrize("module", MODULES)
def test_a_refused_policy_names_the_decision(verdictd: Running, tmp_path: Path, module: str) -> None:
    verdictd.put_policy(DENY, "resource")
    with agent_of(tmp_path, verdictd.kbc_params(module)) as agent:
        caught = refused(agent)
        assert (caught.status, caught.code) == ("PERMISSION_DENIED", "access_denied.refused")
        assert "fetching default/key/1" in caught.text
        decision = caught.text.partition("verdict explain ")[2].partition(" ")[0]
        found = verdictd.decision(f"id {decision}")
        assert (found["granted"], found["target"]) == (False, "resource/default/key/1")
        assert verdictd.admin().delete("/kbs/v0/resource-policy/resource").status_code == 200
        verdictd.refresh()
        assert fetch(agent) == SECRET


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("path", ["default/key/none", "default/key/1"])
def test_a_refused_secret_is_not_asked_for_in_a_storm(
    verdictd: Running, tmp_path: Path, module: str, path: str
) -> None:
    verdictd.put_policy(DENY, "resource")
    cache = CacheTerms(refused_seconds=60)
    with agent_of(tmp_path, verdictd.kbc_params(module), cache=cache) as agent:
        first = refused(agent, path)
        asked = counted(verdictd, "plugin_requests")
        with ThreadPoolExecutor(16) as pool:
            again = list(pool.map(lambda _: refused(agent, path).text, range(64)))
        assert set(again) == {first.text}
        assert counted(verdictd, "plugin_requests") == asked
        assert refused(agent, "default/key/2").text != first.text  # of its own, and asked for


@pytest.mark.parametrize("module", MODULES)
def test_a_refused_guest_does_not_attest_in_a_storm(verdictd: Running, tmp_path: Path, module: str) -> None:
    stranger = Guest(Hardware())  # of another vendor
    channel = channel_of(stranger, HARDWARE)
    cache = CacheTerms(refused_seconds=60)
    with agent_of(tmp_path, verdictd.kbc_params(module), stranger, channel=channel, cache=cache) as agent:
        first = refused(agent)
        assert (first.status, first.code.partition(".")[0]) == ("PERMISSION_DENIED", "access_denied")
        doing = "attesting to " if module == "cc_kbc" else "opening an attested channel to "
        assert f"{module}: {doing}" in first.text
        assert "chain.untrusted_root" in first.text
        collected = stranger.collected
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda number: refused(agent, f"default/key/{number}"), range(64)))
        assert stranger.collected == collected
    assert counted(verdictd, "auth_requests") <= 1


def test_verdictd_that_is_not_believed_gets_no_question(verdictd: Running, tmp_path: Path) -> None:
    guest = Guest(HARDWARE)
    channel = channel_of(guest, Hardware())  # believes another vendor
    with agent_of(tmp_path, verdictd.kbc_params("eaa_kbc"), guest, channel=channel) as agent:
        caught = refused(agent)
    assert (caught.status, caught.code) == ("PERMISSION_DENIED", "chain.untrusted_root")
    assert "--trust-anchor" in caught.text
    assert counted(verdictd, "plugin_requests") == 0


def test_verdictd_that_shows_nothing_is_not_believed(tmp_path: Path) -> None:
    nothing = ChannelConfig(attester=NullAttester(), verifier=HARDWARE.source().verifier, mutual=True)
    with running(tmp_path / "state", HARDWARE.source(), channel=nothing) as served:
        served.trust(HARDWARE)
        served.put_resource("default/key/1", SECRET)
        with agent_of(tmp_path, served.kbc_params("eaa_kbc")) as agent:
            assert "opening an attested channel" in refused(agent).text
        assert counted(served, "plugin_requests") == 0


# ── gone and back ──


@pytest.mark.parametrize("module", MODULES)
def test_verdictd_is_killed_and_comes_back(tmp_path: Path, module: str) -> None:
    """At the same address, as a service does; in between the agent says what is wrong."""
    with Relay() as relay:
        params = f"cc_kbc::http://{relay.address}" if module == "cc_kbc" else f"eaa_kbc::{relay.address}"
        with agent_of(tmp_path, params, cache=CacheTerms(0, 0, 0)) as agent:
            for content in (b"before", b"after"):
                caught = refused(agent)
                assert (caught.status, caught.code.partition(".")[0]) == ("UNAVAILABLE", "remote_protocol")
                assert f"see whether the broker at {params.partition('::')[2]} runs" in caught.text
                with serving(tmp_path / "state") as served:
                    served.put_resource("default/key/1", content)
                    relay.target = served.channel_address if module == "eaa_kbc" else served.url
                    assert fetch(agent) == content
                    relay.cut()  # the agent's connections break, and verdictd still runs
                    assert fetch(agent) == content
                relay.target = ""
                relay.cut()


@pytest.mark.parametrize("module", MODULES)
def test_a_broker_that_answers_at_the_third_attempt(verdictd: Running, tmp_path: Path, module: str) -> None:
    """What may pass is asked again at once, however long refusals are remembered."""
    with Relay() as relay:
        params = f"cc_kbc::http://{relay.address}" if module == "cc_kbc" else f"eaa_kbc::{relay.address}"
        relay.target = verdictd.channel_address if module == "eaa_kbc" else verdictd.url
        relay.closing = 2
        with agent_of(tmp_path, params, cache=CacheTerms(refused_seconds=60)) as agent:
            assert fetch(agent) == SECRET


@pytest.mark.parametrize("module", MODULES)
def test_a_broker_that_never_answers(tmp_path: Path, module: str) -> None:
    patience = Patience(attempts=3, request_seconds=0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        params = f"cc_kbc::http://{address}" if module == "cc_kbc" else f"eaa_kbc::{address}"
        with agent_of(tmp_path, params, patience=patience) as agent:
            started = time.monotonic()
            assert refused(agent).status == "UNAVAILABLE"
            assert time.monotonic() - started < 5


def test_a_token_that_ended_is_had_anew(tmp_path: Path) -> None:
    with serving(tmp_path / "state", tokens={"seconds": 10}) as served:
        served.put_resource("default/key/1", SECRET)
        with agent_of(tmp_path, served.kbc_params("cc_kbc"), cache=CacheTerms(0, 0, 0)) as agent:
            assert fetch(agent) == SECRET
            assert counted(served, "auth_requests") == 1
            # Handed out, it would end before it is of use.
            agent.grpc().call("attestation_agent.AttestationAgentService/GetToken", TokenType="kbs")
            assert counted(served, "auth_requests") == 2
            assert fetch(agent) == SECRET
            assert counted(served, "auth_requests") == 2


class SlowGuest(Guest):
    """Whose evidence takes until ``go`` is set."""

    def __init__(self) -> None:
        super().__init__(HARDWARE)
        self.asked, self.go = threading.Event(), threading.Event()

    def collect(self, report_data: bytes) -> AttachedEvidence:
        self.asked.set()
        assert self.go.wait(SOON)
        return super().collect(report_data)


def test_who_asks_while_an_ended_session_is_begun_again_waits_for_it(verdictd: Running) -> None:
    """A second attestation would take the session away from the first, whose secret were refused then."""
    guest = SlowGuest()
    guest.go.set()

    async def run() -> tuple[bytes, bytes]:
        kbc = CcKbc(
            verdictd.url, GuestEvidence(guest, lambda: None), event_log=lambda: None, certificate=None,
            patience=Patience(), refused_seconds=5,
        )  # fmt: skip
        path = ResourcePath.parse("default/key/1")
        await kbc.resource(path)
        kbc._http.cookies.clear()  # as if the broker had started anew
        guest.asked.clear()
        guest.go.clear()
        first = asyncio.create_task(kbc.resource(path))
        assert await asyncio.to_thread(guest.asked.wait, SOON)
        second = asyncio.create_task(kbc.resource(path))
        await asyncio.sleep(0.05)
        guest.go.set()
        found = await asyncio.gather(first, second)
        await kbc.close()
        return found[0], found[1]

    assert asyncio.run(run()) == (SECRET, SECRET)
    assert counted(verdictd, "auth_requests") == 2


# ── nothing said that is secret ──


@pytest.mark.parametrize("module", MODULES)
def test_no_secret_is_in_a_log(
    verdictd: Running, tmp_path: Path, module: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = os.urandom(24).hex().encode()
    verdictd.put_resource("default/key/2", secret)
    with agent_of(tmp_path, verdictd.kbc_params(module)) as agent:
        assert fetch(agent, "default/key/2") == secret
        refused(agent, "default/key/none")
        assert secret.decode() not in repr(agent.agent)
    assert secret.decode() not in caplog.text
    assert "resource_not_found.refused" in caplog.text


class Relay:
    """Passes on connections to ``target``; closes those while that is empty, and the next ``closing``."""

    def __init__(self) -> None:
        self.target = ""
        self.closing = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    def __enter__(self) -> Relay:
        self._thread.start()
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(SOON)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SOON)
        self._loop.close()

    def cut(self) -> None:
        self._run(self._cut())

    def _run(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(SOON)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        if not self.target or self.closing:
            self.closing = max(0, self.closing - 1)
            writer.close()
            return
        url = httpx.URL(self.target.replace("tcp://", "http://"))
        onward = await asyncio.open_connection(url.host, url.port)
        self._writers.add(onward[1])
        for source, sink in ((reader, onward[1]), (onward[0], writer)):
            task = asyncio.create_task(_pass_on(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _end(self) -> None:
        self._server.close()
        await self._cut()
        await self._server.wait_closed()


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()
