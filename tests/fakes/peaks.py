"""Commands that run to their end: how long, and the most memory that each of their processes had."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

__all__ = ["Peak", "run_to_end"]

_SECONDS = 600
_POLL_SECONDS = 0.01
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


@dataclass(frozen=True, slots=True)
class Peak:
    """By a clock, and of CPU time; ``kib`` by the name of the program, of its largest process."""

    seconds: float
    cpu_seconds: float
    kib: Mapping[str, int]


def run_to_end(command: Sequence[str], **environment: str) -> Peak:
    """Raises ``RuntimeError`` with what it said if it fails."""
    began, cpu = perf_counter(), _children_seconds()
    with subprocess.Popen(
        command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        watch = _Watch(process.pid)
        try:
            _, said = process.communicate(timeout=_SECONDS)
        finally:
            process.kill()
            watch.end()
    if process.returncode:
        raise RuntimeError(f"{command!r}: {said.decode(errors='replace')[-2000:]}")
    return Peak(perf_counter() - began, _children_seconds() - cpu, watch.kib)


def _children_seconds() -> float:
    """Of those that ended, which nobody else may have at the same time."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class _Watch(threading.Thread):
    """The kernel keeps each process's own peak, which is read until the process has ended."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._ended = pid, threading.Event()
        self.kib: dict[str, int] = {}
        self.start()

    def run(self) -> None:
        while not self._ended.wait(_POLL_SECONDS):
            for pid in (self._pid, *self._children()):
                self._look(pid)

    def end(self) -> None:
        self._ended.set()
        self.join()

    def _look(self, pid: int) -> None:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return
        if found := _PEAK.search(status):
            name = status.partition("\t")[2].partition("\n")[0]
            self.kib[name] = max(self.kib.get(name, 0), int(found[1]))

    def _children(self) -> list[int]:
        try:
            tasks = list(Path(f"/proc/{self._pid}/task").iterdir())
            return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
        except OSError:
            return []
