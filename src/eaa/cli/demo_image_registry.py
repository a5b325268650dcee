"""The demo's registry: Debian's docker-registry, or a folder that is handed out where that is not there."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from eaa.cli.demo_image_layout import MANIFEST_TYPE, Layout
from eaa.errors import InternalError

__all__ = ["docker_registry", "handed_out"]

_START_SECONDS, _END_SECONDS = 20.0, 5.0
_OK = 200


@contextmanager
def docker_registry(program: str, folder: Path) -> Iterator[str]:
    """``host:port`` of a registry that keeps its files in ``folder``, over HTTP on loopback.

    Raises:
        InternalError: it does not start.
    """
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    config = folder / "config.yml"
    # JSON is YAML.
    settings = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": address},
    }
    config.write_text(json.dumps(settings))
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(  # noqa: S603 - the program that was found, no shell
            [program, "serve", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        ) as process,
    ):
        try:
            if not _answers(process, address):
                said = (folder / "log").read_text(errors="replace")[-500:]
                raise InternalError(f"docker-registry does not start: {said}", detail="demo")
            yield address
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)
            process.kill()


def _answers(process: subprocess.Popen[bytes], address: str) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection(address, timeout=1)
        try:
            connection.request("GET", "/v2/")
            if connection.getresponse().status == _OK:
                return True
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    return False


@contextmanager
def handed_out(layout: Layout) -> Iterator[str]:
    """``host:port`` where the image of ``layout`` can be pulled, under every name. Nothing can be pushed."""

    class Handler(_Pull):
        served = layout

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join(_END_SECONDS)
        server.server_close()


class _Pull(BaseHTTPRequestHandler):
    """``GET`` and ``HEAD`` of a manifest and of blobs [OCI-DISTRIBUTION]."""

    served: Layout

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        media_type, body = self._found()
        self.send_response(_OK if media_type else 404)
        self.send_header("Content-Type", media_type or "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def _found(self) -> tuple[str, bytes]:
        """Type and bytes of what is asked for; no type if there is none."""
        path = self.path.partition("?")[0]
        if path == "/v2/":
            return "application/json", b"{}"
        manifest = self.served.manifest
        if "/manifests/" in path:
            return MANIFEST_TYPE, manifest
        document = json.loads(manifest)
        known = {item["digest"] for item in (document["config"], *document["layers"])}
        digest = path.rpartition("/blobs/")[2]
        return ("application/octet-stream", self.served.blob(digest)) if digest in known else ("", b"{}")

    def log_message(self, *_: object) -> None:
        """Nothing: the demo's output is its own."""
