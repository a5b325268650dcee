"""Replicas of verdictd, processes of the real command on one PostgreSQL, and guests that use them in turn."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from eaa.attester.simulated_attester import StoredSimulatedAttester
from eaa.attester.simulated_store import SimulatedStore
from eaa.broker.admin_token import issue_admin_token
from eaa.services.verdictd.admin_key import load_admin_key
from tests.fakes.kbs_client import Guest, KbsClientError, TeeKey

__all__ = ["ALLOW", "ATTEMPTS", "Fleet", "Load", "Replica", "eventually", "fleet", "full_round"]

#: Grants whatever was attested, also by a TD without reference values.
ALLOW = "package policy\nimport rego.v1\ndefault allow := true\n"
#: How often a client tries a whole round.
ATTEMPTS = 3
_REPOSITORY = Path(__file__).resolve().parents[2]
_START_SECONDS = 30.0
#: How long a client does not ask a replica again that did not answer.
_AVOIDED_SECONDS = 0.5
_LISTENING = re.compile(r"listening on http://127\.0\.0\.1:(\d+)")


@dataclass(slots=True)
class Replica:
    """One process, which can be killed and started again at the same port."""

    name: str
    folder: Path
    arguments: Sequence[str]
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns as soon as it serves."""
        log = self.folder / f"log-{time.monotonic_ns()}"
        command = [sys.executable, "-m", "eaa.cli.verdictd", "--http", f"127.0.0.1:{self.port}"]
        paths = (str(_REPOSITORY / "src"), os.environ.get("PYTHONPATH"))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        with log.open("wb") as sink:
            self._process = subprocess.Popen(
                [*command, "--state-directory", str(self.folder), *self.arguments],
                stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=environment,
            )  # fmt: skip
        process = self._process

        def port() -> int:
            said = log.read_text()
            assert process.poll() is None, said
            found = _LISTENING.search(said)
            return int(found[1]) if found else 0

        self.port = eventually(port, _START_SECONDS)

    def kill(self) -> None:
        """As a machine that fails does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def admin(self) -> httpx.Client:
        """An administrator's client; close it."""
        key = load_admin_key(self.folder / "admin" / "admin-key.pem")
        token = issue_admin_token(
            key.private, key.kid, name="test", role="admin", now=datetime.now(UTC), seconds=600
        )
        return httpx.Client(base_url=self.url, timeout=20, headers={"authorization": f"Bearer {token}"})

    def put_policy(self, text: str) -> None:
        """The resource policy for everything."""
        with self.admin() as client:
            answer = client.put("/eaa/v1/policies/resource/document", params={"id": ""}, content=text)
        assert answer.status_code == 200, answer.text

    def put_resource(self, path: str, content: bytes) -> None:
        with self.admin() as client:
            answer = client.post(f"/kbs/v0/resource/{path}", content=content)
        assert answer.status_code == 200, answer.text

    def ready(self) -> tuple[int, str]:
        """What ``/readyz`` says."""
        answer = httpx.get(f"{self.url}/readyz", timeout=20)
        return answer.status_code, answer.text.strip()


@dataclass(frozen=True, slots=True)
class Fleet:
    """Replicas that share a database, a master key and a simulated vendor, but no state directory."""

    replicas: tuple[Replica, ...]
    attester: StoredSimulatedAttester

    def guest(self) -> Guest:
        return Guest("tdx", lambda data: self.attester.collect(data).evidence, TeeKey("ECDH-ES+A256KW-P256"))


@contextmanager
def fleet(folder: Path, database_url: str, count: int) -> Iterator[Fleet]:
    """``count`` replicas, started one after the other."""
    vendor = folder / "vendor"
    shared = [
        "--simulated", "--simulated-dir", str(vendor), "--storage", database_url,
        "--master-key", f"file:{folder / 'master.key'}",
        "--listen", "", "--client-api", "", "--metrics", "", "--drain-seconds", "1",
    ]  # fmt: skip
    attester = StoredSimulatedAttester(
        "simulated",
        "tdx",
        store=SimulatedStore(vendor),
        now=lambda: datetime.now(UTC),
        fields={},
        debug=False,
    )
    with ExitStack() as stack:
        replicas = []
        for name in "ABCDEFGH"[:count]:
            (folder / name).mkdir()
            replica = Replica(name, folder / name, shared)
            stack.callback(replica.end)
            replica.start()
            replicas.append(replica)
        yield Fleet(tuple(replicas), attester)


def full_round(guest: Guest, http: httpx.Client, urls: Sequence[str], path: str) -> bytes:
    """The secret at ``path``: challenge, attestation and release at each of three ``urls``."""
    auth, attest, resource = urls
    http.cookies.clear()
    challenge = _json(http.post(f"{auth}/kbs/v0/auth", json=guest.request()))
    _json(http.post(f"{attest}/kbs/v0/attest", json=guest.attestation(challenge)))
    return guest.decrypt(_json(http.get(f"{resource}/kbs/v0/resource/{path}")))


@dataclass(slots=True)
class Load:
    """Guests in threads that ask for ``secrets`` round after round until :meth:`stop`.

    Each step goes to the next replica in turn, but to one that did not answer not again for a moment, as
    behind a balancer. A round that fails is tried again as a whole, at most :data:`ATTEMPTS` times.
    """

    fleet: Fleet
    secrets: Mapping[str, bytes]
    guests: int
    rounds: int = 0
    healed: int = 0
    #: Of rounds that failed for good; :attr:`attempts` has those of every try.
    failures: list[Exception] = field(default_factory=list)
    attempts: list[Exception] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._guest, args=(n,)) for n in range(self.guests)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def more_rounds(self, count: int, seconds: float = 20.0) -> None:
        """Wait until ``count`` more are done."""
        wanted = self.rounds + count
        eventually(lambda: self.rounds >= wanted, seconds)

    def _guest(self, number: int) -> None:
        guest, turn = self.fleet.guest(), number
        paths = list(self.secrets)
        avoided: dict[str, float] = {}
        with httpx.Client(timeout=30) as http:
            while not self._stopping.is_set():
                turn += 1
                self._round(guest, http, paths[turn % len(paths)], turn, avoided)

    def _round(
        self, guest: Guest, http: httpx.Client, path: str, turn: int, avoided: dict[str, float]
    ) -> None:
        failed: Exception | None = None
        for attempt in range(ATTEMPTS):
            try:
                came = full_round(guest, http, self._urls(turn + attempt, avoided), path)
            except httpx.TransportError as error:
                failed = error
                avoided[_origin(error.request.url)] = time.monotonic() + _AVOIDED_SECONDS
            except KbsClientError as error:
                failed = error
            else:
                with self._lock:
                    self.rounds += 1
                    self.healed += attempt > 0
                    if came != self.secrets[path]:
                        self.wrong.append(path)
                return
            with self._lock:
                self.attempts.append(failed)
        assert failed is not None
        with self._lock:
            self.failures.append(failed)

    def _urls(self, turn: int, avoided: Mapping[str, float]) -> list[str]:
        now = time.monotonic()
        urls = [item.url for item in self.fleet.replicas]
        asked = [url for url in urls if avoided.get(url, 0.0) <= now] or urls
        return [asked[(turn + step) % len(asked)] for step in range(3)]


def eventually(found: Callable[[], Any], seconds: float) -> Any:
    """What ``found`` returns as soon as that is true."""
    until = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.02)
    return value


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.host}:{url.port}"


def _json(response: httpx.Response) -> Any:
    if response.status_code != 200:
        raise KbsClientError(response.status_code, response.content)
    return response.json()
