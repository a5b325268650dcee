"""Files, and the reference store that ``shelter mrverify`` keeps beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eaa.storage.reference_store import ReferenceStore
from tests.cli.running import Run, run

__all__ = ["Folder"]


class Folder:
    """The files in ``path``, and ``store``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = ReferenceStore(path / "store")

    def write(self, name: str, data: bytes) -> Path:
        (self.path / name).write_bytes(data)
        return self.path / name

    def run(self, *args: object) -> Run:
        return run("mrverify", "--store", self.store.path, *args)

    def json(self, *args: object) -> dict[str, Any]:
        """What it writes to stdout; its exit code is that of the process."""
        done = self.run(*args, "-o", "json")
        assert (done.code, done.err) == (done.json["exit_code"], "")
        return done.json
