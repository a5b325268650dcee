"""Runtime measurement: what happened in the guest, in a register and in a log that replays to it. In order:

 1. What is about to happen is written down, on disk: register, offset, the value to come, the entry.
 2. The register is extended.
 3. The entry is appended to the log, on disk.
 4. The note is removed.

A note that is found, at the start or before the next entry, tells how far it had come: the register has the
value to come, or the one before; the log is cut to the offset and the rest is done. Anything else is an
error: the log is not believed, and nothing is measured.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from eaa.codec.strict_json import parse_json
from eaa.errors import AttesterError, ConfigError, FormatError, UsageError
from eaa.services.attestation_agent.aael import AaelEntry, merged_log, parse_entry
from eaa.services.attestation_agent.registers import Extender
from eaa.storage.private_folder import sync_folder

__all__ = ["EventLogTerms", "Measured", "RuntimeMeasurement"]

_LOG, _NOTE = "eventlog", ".pending"
_MAX_BYTES = 4 * 1024 * 1024
#: Of our entries: also of the smallest, with a firmware's log before them, fewer than a log may have, and in
#: base64 within what verdictd takes as a request.
_MAX_ENTRIES_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class EventLogTerms:
    """Where the log is, and which PCR an entry without one is for. ``firmware`` is the ACPI CCEL."""

    enabled: bool = False
    init_pcr: int = 17
    folder: Path = Path("/run/attestation-agent")
    firmware: Path = Path("/sys/firmware/acpi/tables/data/CCEL")


class Measured(IntEnum):
    """What came of it, by the numbers of guest components."""

    OK = 0
    NOT_SUPPORTED = 1
    NOT_ENABLED = 2


class RuntimeMeasurement:
    """Of ``extender``, ``None`` on a TEE that has no such registers.

    Raises:
        ConfigError: ``config.event_log``: log and register do not belong together, or cannot be written.
    """

    def __init__(self, extender: Extender | None, terms: EventLogTerms) -> None:
        self._extender, self._terms = extender, terms
        self._extending = asyncio.Lock()
        self._whole = threading.Lock()
        if extender is not None and terms.enabled:
            _make(terms.folder)
            with _alone(terms.folder):
                self._recover(extender)

    async def extend(self, domain: str, operation: str, content: str, pcr: int | None) -> Measured:
        """Measure an entry into the register that stands for ``pcr``.

        Raises:
            FormatError: the entry is none.
            UsageError: no such PCR; ``usage.event_log_full``.
            AttesterError: the register cannot be extended.
            ConfigError: the log cannot be written.
        """
        entry = AaelEntry(domain, operation, content)
        if not self._terms.enabled:
            return Measured.NOT_ENABLED
        if self._extender is None:
            return Measured.NOT_SUPPORTED
        register = self._extender.register_of(self._terms.init_pcr if pcr is None else pcr)
        # Not given up half-way, whoever waits for it.
        await asyncio.shield(self._in_turn(self._extender, register, entry))
        return Measured.OK

    def log(self) -> bytes | None:
        """The firmware's log with ours behind it; ``None`` if the firmware left none.

        Waits for an entry that is under way.

        Raises:
            ConfigError: a log cannot be read, or is none.
        """
        firmware = _load(self._terms.firmware)
        if firmware is None:
            return None
        try:
            with self._whole, _alone(self._terms.folder):
                entries = _load(self._log) or b""
            return merged_log(firmware, entries)
        except FormatError as error:
            raise _error(self._log, str(error)) from None

    @property
    def _log(self) -> Path:
        return self._terms.folder / _LOG

    @property
    def _note(self) -> Path:
        return self._terms.folder / _NOTE

    async def _in_turn(self, extender: Extender, register: int, entry: AaelEntry) -> None:
        async with self._extending:
            await asyncio.to_thread(self._extend_whole, extender, register, entry)

    def _extend_whole(self, extender: Extender, register: int, entry: AaelEntry) -> None:
        with self._whole, _alone(self._terms.folder):
            self._extend(extender, register, entry)

    def _extend(self, extender: Extender, register: int, entry: AaelEntry) -> None:
        # Of an entry before, which could not be ended.
        self._recover(extender)
        event = entry.event(register, extender.algorithm)
        digest, offset = event.digests[0].value, _size(self._log)
        if offset + len(event.encode()) > _MAX_ENTRIES_BYTES:
            raise UsageError(f"{self._log} is full", detail="event_log_full")
        before = extender.read(register)
        expected = extender.algorithm.hash(before + digest)
        # 1.
        note = {"register": register, "offset": offset, "expected": expected.hex(), "entry": str(entry)}
        _write(self._note, 0, json.dumps(note).encode())
        # 2.
        try:
            extender.extend(register, digest)
        except AttesterError:
            if extender.read(register) == before:  # refused, and so it did not happen
                _remove(self._note)
            raise
        # 3.
        _write(self._log, offset, event.encode())
        # 4.
        _remove(self._note)

    def _recover(self, extender: Extender) -> None:
        data = _load(self._note)
        if data is None:
            return
        try:
            note = parse_json(data, "note")
            register, offset = int(note["register"]), int(note["offset"])
            expected, entry = bytes.fromhex(note["expected"]), parse_entry(note["entry"])
        except (FormatError, KeyError, TypeError, ValueError):
            # It was not whole: nothing had been extended yet.
            _remove(self._note)
            return
        event = entry.event(register, extender.algorithm)
        value, digest = extender.read(register), event.digests[0].value
        if value != expected:
            if extender.algorithm.hash(value + digest) != expected or offset > _size(self._log):
                raise _error(
                    self._note,
                    f"register {register} is neither what it was nor what it was to become: somebody else"
                    " has extended it, and the log cannot be completed",
                )
            extender.extend(register, digest)
        _write(self._log, offset, event.encode())
        _remove(self._note)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other process, such as a command beside the service, is at the log; it is waited for."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield  # there is no log
        return
    except OSError as error:
        raise _error(folder, f"cannot be read: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _error(folder, f"cannot be made: {error.strerror}") from None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise _error(path, f"cannot be read: {error.strerror}") from None


def _load(path: Path) -> bytes | None:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _error(path, f"cannot be read: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise _error(path, f"more than {_MAX_BYTES} bytes")
    return data


def _write(path: Path, offset: int, data: bytes) -> None:
    """``data`` at ``offset`` and nothing behind it, on disk when this returns."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as stream:
            stream.truncate(offset)
            stream.seek(offset)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        sync_folder(path.parent)
    except OSError as error:
        raise _error(path, f"cannot be written: {error.strerror}") from None


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()
    sync_folder(path.parent)


def _error(path: Path, message: str) -> ConfigError:
    return ConfigError(f"event log: {path} {message}", detail="event_log", file=str(path))
