"""Reports from configfs-tsm: ``/sys/kernel/config/tsm/report``, Linux 6.7 and later [LINUX-TSM].

Each report gets an entry of its own, so that writers do not meet. The kernel counts writes to an entry in
``generation`` and drops, without telling the writer, what it could not take over: the report is believed
to be of our bytes only if the count is exactly what we wrote.

Emulated, not proven on hardware.
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from eaa.attester.answers import attached_report, own_quote, snp_report
from eaa.attester.device import device_errors, require_report_data
from eaa.attester.retry import while_busy
from eaa.attester.sources import CONFIGFS_TSM, why_not
from eaa.attester.tsm_files import KernelFiles, TsmFiles
from eaa.errors import AttesterError, UsageError
from eaa.tls.peer import AttachedEvidence, EvidenceKind

__all__ = ["PROVIDERS", "ConfigfsTsmAttester", "TsmReport"]

#: What the reports of each provider are. Others there are none that could be used here.
PROVIDERS: Mapping[str, EvidenceKind] = {
    "tdx_guest": EvidenceKind.TDX_QUOTE,
    "sev_guest": EvidenceKind.SNP_REPORT,
}
_DEVICE = f"/{CONFIGFS_TSM.paths[0]}"
_MAX_ATTRIBUTE_BYTES = 4096
_MAX_BLOB_BYTES = 1024 * 1024
_MAX_PRIVLEVEL = 3
_NO_PROVIDER = {errno.ENXIO: "no provider is registered: load the module tdx_guest or sev-guest"}
_READING = {
    errno.ENXIO: "no provider is registered, or the firmware reported a status: see the kernel's log",
    errno.EINVAL: "the provider refused the request's values, e.g. the privilege level",
    errno.ENOTTY: "the guest's message key was disabled after an earlier failure: restart the guest",
    errno.EFBIG: "the report exceeds the kernel's maximum",
}


@dataclass(frozen=True, slots=True)
class TsmReport:
    """What one request gave: ``auxblob`` is the certificate table of SEV-SNP, often empty."""

    provider: str
    outblob: bytes
    auxblob: bytes


class ConfigfsTsmAttester:
    """Quotes of a TDX guest, or reports of an SEV-SNP guest.

    Args:
        name: of the instance.
        provider: ``"tdx_guest"`` or ``"sev_guest"``; another one at hand is an error, not a substitute.
        root: where ``sys/kernel/config`` is.
        privlevel: VMPL that an SEV-SNP report speaks for; by default the lowest that is permitted.
        files, pause: for emulations.
    """

    def __init__(
        self,
        name: str,
        provider: str,
        *,
        root: Path = Path("/"),
        privlevel: int | None = None,
        files: TsmFiles | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        if privlevel is not None and not 0 <= privlevel <= _MAX_PRIVLEVEL:
            raise UsageError(f"privlevel is 0 to {_MAX_PRIVLEVEL}, came {privlevel}", detail="privlevel")
        self.name = name
        self.device = _DEVICE
        self._provider = provider
        self._root = root
        self._folder = root / CONFIGFS_TSM.paths[0]
        self._privlevel = privlevel
        self._files = files or KernelFiles()
        self._pause = pause

    def probe(self) -> str | None:
        """Why it does not work here, or ``None``. Makes and removes an entry: only there the provider is."""
        if reason := why_not(self._root, CONFIGFS_TSM):
            return reason
        try:
            with self._entry() as entry:
                self._require_provider(entry)
        except AttesterError as error:
            return str(error)
        return None

    def collect(self, report_data: bytes) -> AttachedEvidence:
        """A quote or report with ``report_data``, 64 bytes; with a report, the host's endorsements.

        The kernel has none for quotes.

        Raises:
            AttesterError, UsageError
        """
        require_report_data(report_data)
        report = while_busy(lambda: self.report(report_data), self._pause)
        kind = PROVIDERS[report.provider]
        if kind is EvidenceKind.SNP_REPORT:
            return attached_report(report.outblob, report.auxblob, device=self.device)
        return AttachedEvidence(kind, report.outblob)

    def report(self, report_data: bytes) -> TsmReport:
        """As :meth:`collect`, once, with what came beside the report.

        Raises:
            AttesterError
        """
        with self._entry() as entry:
            provider = self._require_provider(entry)
            before = self._generation(entry)
            writes = self._write(entry, report_data)
            with device_errors(self.device, "reading outblob", _READING):
                outblob = self._read(entry, "outblob", _MAX_BLOB_BYTES)
            auxblob = self._auxblob(entry)
            if self._generation(entry) - before != writes:
                raise AttesterError(
                    f"{self.device}: the generation does not count exactly our writes: another writer, "
                    "or the kernel did not take over ours; try again",
                    detail="busy", device=self.device,
                )  # fmt: skip
        return TsmReport(provider, self._own(outblob, report_data), auxblob)

    def _own(self, outblob: bytes, report_data: bytes) -> bytes:
        if PROVIDERS[self._provider] is EvidenceKind.SNP_REPORT:
            return snp_report(outblob, report_data=report_data, device=self.device)
        return own_quote(outblob, tee="tdx", report_data=report_data, device=self.device)

    @contextmanager
    def _entry(self) -> Iterator[Path]:
        entry = self._folder / f"eaa-{os.getpid()}-{secrets.token_hex(8)}"
        with device_errors(self.device, "making an entry", _NO_PROVIDER):
            self._files.make(entry)
        try:
            yield entry
        finally:
            with suppress(OSError):
                self._files.remove(entry)

    def _require_provider(self, entry: Path) -> str:
        with device_errors(self.device, "reading provider", _NO_PROVIDER):
            came = self._text(entry, "provider")
        if came != self._provider:
            raise AttesterError(
                f"{self.device}: its provider is {came!r}, {self.name} needs {self._provider!r}",
                detail="provider", device=self.device, provider=came,
            )  # fmt: skip
        return came

    def _generation(self, entry: Path) -> int:
        with device_errors(self.device, "reading generation"):
            text = self._text(entry, "generation")
        if not (text.isascii() and text.isdigit()):
            raise AttesterError(
                f"{self.device}: generation is not a number: {text!r}", detail="answer", device=self.device
            )
        return int(text)

    def _write(self, entry: Path, report_data: bytes) -> int:
        """How often it wrote."""
        level = self._level(entry)
        values = [] if level is None else [("privlevel", b"%d" % level)]
        values.append(("inblob", report_data))
        for attribute, value in values:
            with device_errors(self.device, f"writing {attribute}"):
                self._files.write(entry / attribute, value)
        return len(values)

    def _level(self, entry: Path) -> int | None:
        """What was asked for, else the floor, else nothing: TDX has no privilege levels."""
        if self._privlevel is not None:
            return self._privlevel
        try:
            return int(self._text(entry, "privlevel_floor"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise AttesterError(
                f"{self.device}: privlevel_floor cannot be read: {error}", detail="answer", device=self.device
            ) from None

    def _auxblob(self, entry: Path) -> bytes:
        with device_errors(self.device, "reading auxblob", _READING):
            try:
                return self._read(entry, "auxblob", _MAX_BLOB_BYTES)
            except FileNotFoundError:
                return b""

    def _text(self, entry: Path, attribute: str) -> str:
        return self._read(entry, attribute, _MAX_ATTRIBUTE_BYTES).decode("ascii", "replace").strip()

    def _read(self, entry: Path, attribute: str, limit: int) -> bytes:
        data = self._files.read(entry / attribute, limit)
        if len(data) > limit:
            raise AttesterError(
                f"{self.device}: {attribute} has more than {limit} bytes",
                detail="too_large", device=self.device,
            )  # fmt: skip
        return data
