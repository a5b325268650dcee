"""Commands that serve, as processes that are waited for and always ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.running import Run, process_env

_SECONDS = 30


@dataclass(slots=True)
class Serving:
    """A process that said it is ready. ``lines`` are what stderr had so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    ready: threading.Event = field(default_factory=threading.Event)
    reading: threading.Thread | None = None

    @property
    def address(self) -> str:
        return self.said(r"listening on (\S+)")

    @property
    def port(self) -> str:
        return self.address.rpartition(":")[2]

    def said(self, pattern: str) -> str:
        found = [match[1] for line in self.lines if (match := re.search(pattern, line))]
        assert found, self.lines
        return found[0]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """The exit code after ``number``; everything it wrote is in ``lines`` then."""
        self.process.send_signal(number)
        code = self.process.wait(_SECONDS)
        if self.reading is not None:
            self.reading.join(_SECONDS)
        return code

    def read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))
            if "listening on" in line:
                self.ready.set()
        self.ready.set()


def argv(module: str, *args: object) -> list[str]:
    return [sys.executable, "-m", f"eaa.cli.{module}", *(str(arg) for arg in args)]


@contextmanager
def serving(module: str, *args: object, env: Mapping[str, str] | None = None) -> Iterator[Serving]:
    process = subprocess.Popen(argv(module, *args), stderr=subprocess.PIPE, text=True, env=process_env(env))
    service = Serving(process)
    service.reading = threading.Thread(target=service.read)
    service.reading.start()
    try:
        assert service.ready.wait(_SECONDS)
        yield service
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_SECONDS)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
        service.reading.join()
        assert process.stderr is not None
        process.stderr.close()


def finish(module: str, *args: object, env: Mapping[str, str] | None = None) -> Run:
    """A command that ends by itself."""
    done = subprocess.run(
        argv(module, *args), capture_output=True, timeout=_SECONDS, check=False, env=process_env(env)
    )
    return Run(done.returncode, done.stdout.decode(), done.stderr.decode())


def until(holds: Callable[[], object], seconds: float = _SECONDS) -> None:
    """Wait for ``holds``."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    """The processes that ``pid`` started and that are not over."""
    return [int(item) for item in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
