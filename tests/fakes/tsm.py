"""configfs-tsm as Linux has it, in memory: what its files answer, and with which errno [LINUX-TSM].

From ``drivers/virt/coco/guest/report.c``: entries of their own, a generation that counts writes, a report
that is made when it is read, values that are dropped silently when they cannot be taken over.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ATTRIBUTES", "FakeTsmFiles", "TsmModel", "snp_report_of"]

#: Attributes of each provider, and which of them SEV-SNP has alone.
ATTRIBUTES = ("generation", "provider", "inblob", "outblob")
SNP_ATTRIBUTES = (*ATTRIBUTES, "auxblob", "privlevel", "privlevel_floor")


def snp_report_of(report_data: bytes, vmpl: int = 0) -> bytes:
    """1184 bytes with the report data and VMPL where SEV-SNP has them; nobody signed them."""
    report = bytearray(0x4A0)
    report[0x30:0x34] = vmpl.to_bytes(4, "little")
    report[0x50:0x90] = report_data
    return bytes(report)


@dataclass
class _Entry:
    generation: int = 0
    inblob: bytes = b""
    privlevel: int = 0


class TsmModel:
    """``interferences`` reads of outblob are each preceded by another writer; ``failures`` are raised by
    attribute, as often as they are listed. ``sign`` makes the report from the report data."""

    def __init__(self, provider: str, sign: Callable[[bytes], bytes] = snp_report_of) -> None:
        self.provider = provider
        self.sign = sign
        self.entries: dict[str, _Entry] = {}
        self.made = 0
        self.floor = 0
        self.auxblob = b""
        self.interferences = 0
        self.dropped_writes = 0
        self.failures: dict[str, list[int]] = {}
        self.answers: dict[str, bytes] = {}

    @property
    def attributes(self) -> tuple[str, ...]:
        return SNP_ATTRIBUTES if self.provider == "sev_guest" else ATTRIBUTES

    def make(self, name: str) -> None:
        self._fail("make")
        if not self.provider:
            raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))
        if name in self.entries:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        self.entries[name] = _Entry()
        self.made += 1

    def remove(self, name: str) -> None:
        self._fail("remove")
        del self.entries[name]

    def read(self, name: str, attribute: str) -> bytes:
        self._require(attribute)
        self._fail(attribute)
        if attribute in self.answers:
            return self.answers[attribute]
        entry = self.entries[name]
        if attribute == "outblob":
            return self._report(entry)
        return {
            "generation": b"%d\n" % entry.generation,
            "provider": self.provider.encode() + b"\n",
            "auxblob": self.auxblob,
            "privlevel_floor": b"%d\n" % self.floor,
        }[attribute]

    def write(self, name: str, attribute: str, data: bytes) -> None:
        self._require(attribute)
        self._fail(attribute)
        entry = self.entries[name]
        if self.dropped_writes:
            self.dropped_writes -= 1
            return
        if attribute == "privlevel":
            if not self.floor <= int(data) <= 3:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            entry.privlevel = int(data)
        else:
            entry.inblob = data
        entry.generation += 1

    def _report(self, entry: _Entry) -> bytes:
        if self.interferences:
            self.interferences -= 1
            entry.generation += 1
        if len(entry.inblob) != 64:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if self.sign is snp_report_of:
            return snp_report_of(entry.inblob, entry.privlevel)
        return self.sign(entry.inblob)

    def _require(self, attribute: str) -> None:
        if attribute not in self.attributes:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def _fail(self, what: str) -> None:
        if self.failures.get(what):
            number = self.failures[what].pop(0)
            raise OSError(number, os.strerror(number))


class FakeTsmFiles:
    """The model as the attester's files."""

    def __init__(self, model: TsmModel) -> None:
        self.model = model

    def make(self, entry: Path) -> None:
        self.model.make(entry.name)

    def remove(self, entry: Path) -> None:
        self.model.remove(entry.name)

    def read(self, attribute: Path, limit: int) -> bytes:
        return self.model.read(attribute.parent.name, attribute.name)[: limit + 1]

    def write(self, attribute: Path, data: bytes) -> None:
        self.model.write(attribute.parent.name, attribute.name, data)
