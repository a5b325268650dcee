"""The demo's processes: started, waited for until they listen, and always ended, each by its own id."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eaa.errors import InternalError

__all__ = ["Done", "listening", "run_to_end"]

#: A process that nobody ended, because this one was killed, ends itself then.
_LIFE_SECONDS = 300
_START_SECONDS, _RUN_SECONDS, _END_SECONDS = 30.0, 60.0, 3.0
_LISTENS = re.compile(r"listening on ((?:tcp|http)://[0-9a-zA-Z.:\[\]]+)")
_SHOWN_LINES = 3
#: ``python -m``, and the alarm that ends it.
_AS_MODULE = f"""\
import runpy, signal, sys
signal.alarm({_LIFE_SECONDS})
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a process that ran to its end."""

    code: int
    out: str
    err: str


@contextmanager
def listening(module: str, *args: str, environment: Mapping[str, str]) -> Iterator[str]:
    """The address at which ``python -m module args`` listens, until the block ends.

    Raises:
        InternalError: it ended, or did not listen in time; with its last lines.
    """
    with subprocess.Popen(  # noqa: S603  # this interpreter, on modules of this package
        _command(module, args), env=_environment(environment), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
        start_new_session=True,
    ) as process:  # fmt: skip
        said = _Lines(process)
        try:
            yield _address(module, process, said)
        finally:
            _end(process)
            said.join(_END_SECONDS)


def run_to_end(module: str, *args: str, environment: Mapping[str, str]) -> Done:
    """``python -m module args``, which ends by itself.

    Raises:
        InternalError: not in time.
    """
    try:
        done = subprocess.run(  # noqa: S603  # this interpreter, on modules of this package
            _command(module, args), env=_environment(environment), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=_RUN_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise InternalError(f"{module} took longer than {_RUN_SECONDS:g} s", detail="demo") from None
    return Done(done.returncode, done.stdout, done.stderr)


class _Lines(threading.Thread):
    """What a process writes to stderr, read for as long as it writes, so that it never has to wait."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(daemon=True)
        self._stream = process.stderr
        self.lines: list[str] = []
        self.start()

    def run(self) -> None:
        for line in self._stream or ():
            self.lines.append(line.rstrip("\n"))


def _address(module: str, process: subprocess.Popen[str], said: _Lines) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        for line in tuple(said.lines):
            if found := _LISTENS.search(line):
                return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.02)
    last = " / ".join(said.lines[-_SHOWN_LINES:])
    raise InternalError(f"{module} does not listen: {last or 'it says nothing'}", detail="demo")


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        # With those that it started, which are in its own session.
        os.killpg(process.pid, signal.SIGKILL)


def _command(module: str, args: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-c", _AS_MODULE, module, *args]


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """This process's, with the sources that it runs from."""
    sources = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (sources, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, **own}
