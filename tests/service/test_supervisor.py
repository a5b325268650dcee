"""A process that ends unasked is started again, also where that does not succeed at once."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from eaa.services.supervisor import Supervisor

_SECONDS = 20.0
_READY = """
import socket, sys
control = socket.socket(fileno=int(sys.argv[1]))
control.sendall(b'{"not_ready": "", "samples": []}\\n')
control.recv(1)
"""


_LATE = """
import pathlib, signal, socket, sys, time
control, folder = socket.socket(fileno=int(sys.argv[1])), pathlib.Path(sys.argv[2])
while not (folder / "go").exists():
    time.sleep(0.01)
signal.signal(signal.SIGHUP, lambda *_: (folder / "renewed").touch())
control.sendall(b'{"not_ready": "", "samples": []}\\n')
control.recv(1)
"""


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(_SECONDS):
        while not holds():
            await asyncio.sleep(0.01)


def test_a_process_that_cannot_be_started_again_is_tried_later() -> None:
    asked: list[int] = []

    def command(_: Sequence[int], control: int) -> list[str]:
        asked.append(control)
        return ["/nonexistent"] if len(asked) == 2 else [sys.executable, "-c", _READY, str(control)]

    async def serve() -> None:
        supervisor = Supervisor(command, [[socket.create_server(("127.0.0.1", 0))]])
        await supervisor.start()
        supervisor.signal(signal.SIGKILL)
        await _until(lambda: len(asked) == 3 and not supervisor.not_ready)
        assert supervisor.workers == 1
        assert await supervisor.drain(1)

    asyncio.run(serve())


def test_a_process_that_is_being_started_is_renewed_once_it_can_be(tmp_path: Path) -> None:
    def command(_: Sequence[int], control: int) -> list[str]:
        return [sys.executable, "-c", _LATE, str(control), str(tmp_path)]

    async def serve() -> None:
        supervisor = Supervisor(command, [[socket.create_server(("127.0.0.1", 0))]])
        starting = asyncio.create_task(supervisor.start())
        await _until(lambda: supervisor.workers == 1)
        supervisor.signal(signal.SIGHUP)
        (tmp_path / "go").touch()
        await starting
        await _until((tmp_path / "renewed").exists)
        assert await supervisor.drain(1)

    asyncio.run(serve())
