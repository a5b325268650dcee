"""Processes that are measured: started, waited for until they serve, always ended, each by its own id."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Process", "Ready", "connects", "free_port", "python", "running", "says"]

_START_SECONDS, _END_SECONDS = 60.0, 3.0
_PAGE = os.sysconf("SC_PAGE_SIZE")
_CPU_CLOCK = 2  # CPUCLOCK_SCHED of a process, clock_getcpuclockid(3)
_REPOSITORY = Path(__file__).resolve().parents[1]

Ready = Callable[[str], str]


class Process:
    """One process, and those that it started. ``address`` is where it serves."""

    def __init__(self, process: subprocess.Popen[bytes], address: str) -> None:
        self._process = process
        self.address = address

    def cpu_seconds(self) -> float:
        """Spent so far, in user and kernel, by those that run now."""
        return sum(time.clock_gettime((~pid << 3) | _CPU_CLOCK) for pid in self._ids())

    def resident_kib(self) -> int:
        pages = (int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self._ids())
        return sum(pages) * _PAGE // 1024

    def _ids(self) -> list[int]:
        return [self._process.pid, *_children(self._process.pid)]


@contextmanager
def running(command: Sequence[str], folder: Path, ready: Ready, **environment: str) -> Iterator[Process]:
    """``command`` for as long as the block lasts.

    Args:
        command: what to run.
        folder: where its output goes.
        ready: called with what it said so far; returns its address, empty as long as it does not serve.
        environment: added to this process's.
    """
    output = folder / f"{Path(command[0]).name}-{time.monotonic_ns()}.log"
    with (
        output.open("wb") as sink,
        subprocess.Popen(
            command, cwd=_REPOSITORY, env=_environment(environment), stdin=subprocess.PIPE, stdout=sink,
            stderr=sink,
        ) as process,
    ):  # fmt: skip
        try:
            yield Process(process, _wait(process, output, ready))
        finally:
            _end(process)


def python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def says(pattern: str) -> Ready:
    """Ready as soon as it says ``pattern``, whose first group is the address."""
    expression = re.compile(pattern)

    def ready(said: str) -> str:
        found = expression.search(said)
        return found[1] if found else ""

    return ready


def connects(port: int) -> Ready:
    """Ready as soon as somebody listens on ``port``."""

    def ready(_said: str) -> str:
        with socket.socket() as probe:
            return "" if probe.connect_ex(("127.0.0.1", port)) else f"127.0.0.1:{port}"

    return ready


def free_port() -> int:
    """A port that nobody had a moment ago, for programs that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], output: Path, ready: Ready) -> str:
    until = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        if address := ready(output.read_text(errors="replace")):
            return address
        time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} does not serve: {output.read_text(errors='replace')[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    children = _children(process.pid)
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        for pid in children:
            if pid in _children(process.pid):
                os.kill(pid, signal.SIGKILL)
        process.kill()


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it ended meanwhile
            if int(fields[1]) == parent:
                found.append(int(entry.name))
    return found


def _environment(own: dict[str, str]) -> dict[str, str]:
    paths = (str(_REPOSITORY / "src"), str(_REPOSITORY), os.environ.get("PYTHONPATH"))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **own}
