"""A real registry on loopback: Debian's ``docker-registry``."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

import httpx
import pytest

__all__ = ["Registry"]

_SECONDS = 30.0
_CONFIG = """
version: 0.1
log:
  level: error
storage:
  filesystem:
    rootdirectory: {root}
http:
  addr: {address}
"""


class Registry:
    """A registry with its files in ``folder``, over HTTP, for everyone. ``address`` is ``host:port``."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("docker-registry") is None:
            pytest.fail("docker-registry is not installed: apt-get install docker-registry")
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.address = f"127.0.0.1:{_free_port()}"
        self._process: subprocess.Popen[bytes] | None = None

    def image(self, name: str) -> str:
        """The reference of the image ``name:tag`` as skopeo has it."""
        return f"docker://{self.address}/{name}"

    def __enter__(self) -> Registry:
        config = self._folder / "config.yml"
        config.write_text(_CONFIG.format(root=self._folder / "data", address=self.address))
        with open(self._folder / "log", "wb") as log:
            self._process = subprocess.Popen(
                ["docker-registry", "serve", str(config)], stdout=log, stderr=log
            )
        try:
            self._wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(_SECONDS)

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if httpx.get(f"http://{self.address}/v2/", trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        pytest.fail(f"docker-registry does not start: {(self._folder / 'log').read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
