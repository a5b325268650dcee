"""attestation-agent by its command, in a simulated TD, beside a verdictd that affirms it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import Process, free_port, python, running, says
from benchmarks.verdictd_guests import Guests
from benchmarks.verdictd_service import SQLITE, Storage, service, storage

__all__ = ["KEK", "KID", "Scene", "agent", "scene"]

KEK = bytes(range(32))
_PATH = "default/image/1"
KID = f"kbs:///{_PATH}"
_SECONDS = 120
_AGENT = "eaa.cli.attestation_agent"


@dataclass(frozen=True, slots=True)
class Scene:
    """A verdictd with :data:`KEK` as the resource of :data:`KID`."""

    verdictd: Process
    guests: Guests
    where: Storage
    folder: Path

    def command(self, *arguments: str) -> list[str]:
        """``attestation-agent`` in a TD that this verdictd affirms."""
        broker = ("--aa-kbc-params", f"cc_kbc::http://{self.verdictd.address}")
        attester = ("--attester", "simulated-tdx", "--simulated-dir", str(self.guests.vendor))
        return python(_AGENT, *broker, *attester, "--log-level", "error", *arguments)

    def owner(self, *arguments: str) -> None:
        """``verdict`` of its administrator."""
        key = str(self.where.folder / "admin" / "admin-key.pem")
        asked = {"VERDICTD_URL": f"http://{self.verdictd.address}", "VERDICT_ADMIN_KEY": key}
        command = python("eaa.cli.verdict_main", *arguments)
        subprocess.run(
            command, env={**os.environ, **asked}, check=True, capture_output=True, timeout=_SECONDS
        )


@contextmanager
def scene() -> Iterator[Scene]:
    """For as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="eaa-bench-") as name, storage(SQLITE) as where:
        folder = Path(name)
        guests = Guests(folder / "vendor")
        with service(where, guests) as verdictd:
            made = Scene(verdictd, guests, where, folder)
            (folder / "key").write_bytes(KEK)
            made.owner("resource", "put", _PATH, str(folder / "key"))
            yield made


@contextmanager
def agent(of: Scene, *options: str) -> Iterator[Process]:
    """One that serves keys and resources over gRPC, both at its address."""
    address = f"127.0.0.1:{free_port()}"
    silent = ("--getresource-sock", "--attestation-ttrpc-sock", "--cdh-ttrpc-sock", "--rest-sock")
    command = of.command(
        "--keyprovider-sock", address, "--attestation-sock", address,
        *(item for name in silent for item in (name, "")), "--drain-seconds", "0", *options,
    )  # fmt: skip
    with running(command, of.folder, says(r"(?s) on tcp://(\S+)\n.*ready; ")) as process:
        yield process
