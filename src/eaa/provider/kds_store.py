"""The offline store of VCEK certificates that Trustee reads and writes [COCO-KDS-STORE].

::

    FOLDER/vcek/<hwid, lower-case hex>/bl02_tee00_snp06_ucode21_vcek.der   from Turin on _fmc01 before _vcek
    FOLDER/vcek/<hwid, lower-case hex>/vcek.der                            the older form, for one TCB
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from eaa.endorsements.amd_vek import parse_vek_extensions
from eaa.endorsements.fetched import Fetched
from eaa.endorsements.subject import Subject, VekSubject
from eaa.endorsements.x509 import MAX_CERTIFICATE_BYTES, parse_certificate
from eaa.errors import (
    EndorsementNotFound,
    EndorsementUnavailable,
    FormatError,
    StorageError,
    UnsupportedError,
)
from eaa.evidence.snp_tcb import TcbVersion
from eaa.provider.files import load_bounded, replace_file

__all__ = ["KdsStoreSource", "store_vcek", "vcek_file_name"]

_OLD_NAME = "vcek.der"


class KdsStoreSource:
    """The store in ``folder``. Only VCEK certificates are in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"store {folder}"

    async def fetch(self, subject: Subject) -> Fetched:
        """As :class:`eaa.provider.source.Source`."""
        if not isinstance(subject, VekSubject) or subject.hwid is None:
            raise EndorsementNotFound(f"{self.name} has VCEK certificates only", detail="kind")
        try:
            der = await asyncio.to_thread(self._load, subject, subject.hwid)
        except StorageError as error:
            raise EndorsementUnavailable(f"{self.name}: {error}", detail="store") from None
        if der is None:
            raise EndorsementNotFound(
                f"{self.name} has no VCEK certificate of chip {subject.hwid.hex()} at {subject.tcb}",
                detail="store",
            )
        return Fetched(der)

    def _load(self, subject: VekSubject, hwid: bytes) -> bytes | None:
        chip = self.folder / "vcek" / hwid.hex()
        der = load_bounded(chip / vcek_file_name(subject.tcb), MAX_CERTIFICATE_BYTES)
        if der is not None:
            return der
        der = load_bounded(chip / _OLD_NAME, MAX_CERTIFICATE_BYTES)
        return der if der is not None and _is_for(der, subject.tcb) else None


def vcek_file_name(tcb: TcbVersion) -> str:
    """The name of the file for ``tcb``: patch levels as decimal numbers of at least two digits."""
    fmc = "" if tcb.fmc is None else f"_fmc{tcb.fmc:02d}"
    levels = f"bl{tcb.bootloader:02d}_tee{tcb.tee:02d}_snp{tcb.snp:02d}_ucode{tcb.microcode:02d}"
    return f"{levels}{fmc}_vcek.der"


def store_vcek(folder: Path, subject: VekSubject, der: bytes) -> Path:
    """Write ``der``, which has been verified as ``subject``'s, where Trustee looks for it.

    Raises:
        StorageError: it cannot be written.
    """
    path = folder / "vcek" / (subject.hwid or b"").hex() / vcek_file_name(subject.tcb)
    replace_file(path, der)
    return path


def _is_for(der: bytes, tcb: TcbVersion) -> bool:
    """Whether the one file for a chip is for the TCB that is asked for."""
    try:
        return parse_vek_extensions(parse_certificate(der)).tcb == tcb
    except (FormatError, UnsupportedError):
        return False
