"""A fault run: the workload killed again and again under load, among peers that do all they should not.

EAA_FAULT_RESTARTS=50 makes the full run of it.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import os
import random
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from itertools import count
from pathlib import Path

import pytest

from eaa.errors import EAAError
from eaa.services import inclavared_metrics as names
from eaa.services.inclavared import Configs, Inclavared
from eaa.transport.config import ChannelConfig
from eaa.transport.protocol import ChannelProtocol
from tests.service.fault_peers import PEERS, Case, connect, exchange_all
from tests.service.services import NONCE, Vendor, inclavared, request, until

RESTARTS = int(os.environ.get("EAA_FAULT_RESTARTS", "10"))
SECONDS = 60 + 8 * RESTARTS
CLIENTS = 3
#: Of the addresses that the peers connect from, one each.
FIRST_SOURCE = IPv4Address("127.1.0.1")
#: Of a client that fails, before it tries again.
PAUSE_SECONDS = 0.05
#: Served after a restart before the next one.
SERVED = 3
MORE_DESCRIPTORS, MORE_CHANNELS, MORE_MEMORY_KIB = 4, 4, 32 * 1024
RANDOM = random.Random(os.getpid())  # noqa: S311 - ports that other runs do not choose
SECRET = b"only for who is attested "
SOURCES = Path(__file__).parents[2] / "src"
LOGGED = re.compile(
    r"attested channel, server of \('(127\.[0-9.]+)', \d+\): ([a-z_]+\.[a-z0-9_.]+): (.+)", re.S
)


@dataclass
class Run:
    """What goes on around one inclavared at ``where``, and what was seen."""

    service: Inclavared
    where: str
    config: ChannelConfig
    done: asyncio.Event = field(default_factory=asyncio.Event)
    served: int = 0
    failed: dict[str, str] = field(default_factory=dict)  # by address, what the peer was told
    cases: list[Case] = field(default_factory=list)
    _serial: Iterator[int] = field(default_factory=count)

    def source(self) -> str:
        """An address of 127.0.0.0/8 that no other connection of the run has."""
        return str(FIRST_SOURCE + next(self._serial))

    async def exchange(self, data: bytes) -> None:
        """One exchange, complete or failed; raises if it failed."""
        source = self.source()
        try:
            stream = await connect(self.where, self.config, source)
            assert await exchange_all(stream, data) == data
        except EAAError as error:
            self.failed[source] = error.fields.get("peer_code") or error.code
            raise
        self.served += 1

    async def load(self) -> None:
        """One exchange after the other."""
        while not self.done.is_set():
            try:
                await self.exchange(SECRET + RANDOM.randbytes(RANDOM.randrange(1, 300_000)))
            except EAAError:
                await asyncio.sleep(PAUSE_SECONDS)

    async def misbehave(self) -> None:
        """Each of the peers, over and over, and each at least once."""
        waiting = list(PEERS)
        while waiting or not self.done.is_set():
            peer, source = waiting.pop() if waiting else RANDOM.choice(PEERS), self.source()
            try:
                self.cases.append(await peer(self.where, self.config, source))
            except EAAError as error:  # those that are attested meet a bound or a restart, too
                self.failed[source] = error.fields.get("peer_code") or error.code


@pytest.fixture
def vendor(tmp_path: Path) -> Vendor:
    return Vendor(tmp_path / "vendor")


@dataclass(frozen=True)
class Line:
    """Of a record, what does not keep an error and its frames in memory."""

    name: str
    text: str
    traceback: bool


class Lines(logging.Handler):
    """Warnings and worse of this package and of asyncio; nobody else gets them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[Line] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        self.lines.append(Line(record.name, text, bool(record.exc_info) or "  File " in text))


@pytest.fixture
def log() -> Iterator[Lines]:
    lines, loggers = Lines(), [logging.getLogger(name) for name in ("eaa", "asyncio")]
    for logger in loggers:
        logger.addHandler(lines)
        logger.propagate = False
    yield lines
    for logger in loggers:
        logger.removeHandler(lines)
        logger.propagate = True


def test_fault_run(vendor: Vendor, tmp_path: Path, log: Lines) -> None:
    run = asyncio.run(asyncio.wait_for(_scenario(vendor, tmp_path), SECONDS))
    gc.collect()  # a task whose failure nobody saw says so now
    assert run.served >= RESTARTS * SERVED
    assert {case.what for case in run.cases} >= {"half-open", "garbage", "mid-gate", "no gate", "slow reader"}
    assert [case for case in run.cases if case.got] == []
    _require_logged_once(run, log.lines)
    assert [item.text for item in log.lines if item.name == "asyncio" or item.traceback] == []


def _require_logged_once(run: Run, said: list[Line]) -> None:
    """One line for each connection that failed, none for another, and the code that its peer was told."""
    lines = [item.text for item in said if item.text.startswith("attested channel, server of ")]
    logged = [(found[1], found[2]) for line in lines if (found := LOGGED.fullmatch(line))]
    assert len(logged) == len(lines)
    what = {case.source: case.what for case in run.cases if not case.lucky} | run.failed
    times = Counter(source for source, _ in logged)
    wrong = {source: times[source] for source in times | what if times[source] != (source in what)}
    assert {source: (n, what.get(source), _of(source, said)) for source, n in wrong.items()} == {}
    codes = dict(logged)
    may = {case.source: tuple(case.codes) for case in run.cases if not case.lucky}
    # A peer that still sends may be reset before it reads why.
    told = {source: code for source, code in run.failed.items() if code != "remote_protocol.truncated"}
    assert {
        source: (codes[source], expected)
        for source, expected in (may | told).items()
        if not codes[source].startswith(expected)
    } == {}


def _of(source: str, said: list[Line]) -> list[str]:
    return [item.text for item in said if f"'{source}'" in item.text]


async def _scenario(vendor: Vendor, folder: Path) -> Run:
    before = _descriptors()
    run = await _fault_run(vendor, folder)
    await until(lambda: _descriptors() <= before)
    return run


async def _fault_run(vendor: Vendor, folder: Path) -> Run:
    port, channels = _port(), _channels()  # others of this process may have some
    configs = Configs(vendor.config(mutual=True), vendor.config(mutual=True))
    async with inclavared(f"tcp://127.0.0.1:{port}", vendor, configs) as (service, where):
        run = Run(service, where, vendor.config(mutual=True))
        with _Workload(port, vendor.folder, "--mutual") as workload:
            await _require_serves(run)
            descriptors, memory = await _at_rest(service), 0
            async with asyncio.TaskGroup() as group:
                for _ in range(CLIENTS):
                    group.create_task(run.load())
                    group.create_task(run.misbehave())
                for n in range(RESTARTS):
                    await _served_again(run)
                    workload.kill()
                    await _in_its_place(run, n, port, folder)
                    workload.start()
                    if n == RESTARTS // 3:
                        memory = _resident_kib()
                await _served_again(run)
                run.done.set()
            await _require_serves(run)
            await until(lambda: _descriptors() <= descriptors + MORE_DESCRIPTORS)
            assert await _at_rest(service) <= descriptors + MORE_DESCRIPTORS
            assert _resident_kib() - memory < MORE_MEMORY_KIB
            # Nothing that is remembered or logged of a failure may hold on to its connection.
            await until(lambda: _channels() <= channels + MORE_CHANNELS)
    return run


async def _served_again(run: Run) -> None:
    enough = run.served + SERVED
    await until(lambda: run.served >= enough, 20)


async def _require_serves(run: Run) -> None:
    async with asyncio.timeout(20):
        while not run.served:
            try:
                await run.exchange(SECRET)
            except EAAError:
                await asyncio.sleep(PAUSE_SECONDS)
        await run.exchange(SECRET)
    asked = {"type": "GETENCLAVEINFO", "nonce": NONCE.hex()}
    assert (await request(run.where, run.config, asked))["msgtype"] == "ENCLAVEINFO"


async def _in_its_place(run: Run, n: int, port: int, folder: Path) -> None:
    """What listens where the workload was: nobody, one without TLS, or one of another vendor."""
    if n % 3 == 1:
        received = await _listen_in_clear(port)
        assert received, "inclavared connected to it"
        assert SECRET not in received
    if n % 3 == 2:
        # It demands nothing, so that nothing but inclavared's own verdict is in the way.
        with _Workload(port, folder / f"stranger-{n}") as stranger:
            await until(lambda: "listening on" in stranger.said(), 10)
            refused = _refusals(run)
            await until(lambda: _refusals(run) > refused, 10)
        assert "connection open" not in stranger.said()


def _refusals(run: Run) -> float:
    """Attempts at a workload whose evidence was of another vendor."""
    return sum(
        value
        for key, value in run.service.metrics.values.items()
        if key[0] == names.UPSTREAM_FAILURES and dict(key[1])["code"].startswith("chain.")
    )


async def _listen_in_clear(port: int) -> bytes:
    received, came = bytearray(), asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            received.extend(await reader.read(10_000))
            came.set()
        finally:
            writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", port):
        await asyncio.wait_for(came.wait(), 10)
        await asyncio.sleep(0.2)
    return bytes(received)


class _Workload:
    """``enclave-tls-server`` in a process of its own, which can be killed and started again."""

    def __init__(self, port: int, vendor: Path, *options: str) -> None:
        self._command = [
            sys.executable, "-m", "eaa.cli.enclave_tls_server", "--ip", "127.0.0.1", "--port", str(port),
            "--attester", "simulated", "--verifier", "simulated", "--simulated-dir", str(vendor), *options,
        ]  # fmt: skip
        self._log = vendor.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env={**os.environ, "PYTHONPATH": str(SOURCES)}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def __enter__(self) -> _Workload:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def _port() -> int:
    """One that the kernel gives to nobody: else a client that finds nobody there may meet itself."""
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = RANDOM.randrange(low - 10_000, low)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


async def _at_rest(service: Inclavared) -> int:
    """How many descriptors there are with no connection but the kept one."""
    await until(lambda: service.not_ready == "" and service.metrics.get(names.OPEN_CONNECTIONS) == 0, 20)
    gc.collect()
    return _descriptors()


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def _channels() -> int:
    gc.collect()
    return sum(isinstance(item, ChannelProtocol) for item in gc.get_objects())


def _resident_kib() -> int:
    """Without what the allocator keeps for later, which says how much was in use at a time."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024
