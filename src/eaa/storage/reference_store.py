"""Reference values that an owner has recorded, in one signed file.

The file is a JSON object. ``payload`` is the text of the reference values, as
:mod:`eaa.appraisal.reference_values` reads them; ``entries`` is the text of a list that says of each
alternative, in the same order, under which label it was recorded, from what and when. The signature is
over both texts, their exact bytes and lengths.

It protects against a file that was changed by who does not hold the key. It does not protect against
who can read the key beside it, nor against an older file of the same owner put back in its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from eaa.appraisal.reference_fields import FIELDS
from eaa.appraisal.reference_values import Alternative, ReferenceValues
from eaa.errors import ConfigError, FormatError, UsageError
from eaa.storage.owner_key import OwnerKey, create_owner_key, load_owner_key
from eaa.storage.private_folder import PrivateFolder
from eaa.storage.signed_references import Entry, decode_references, encode_references

__all__ = ["REFERENCE_FILE", "Entry", "Recorded", "ReferenceStore"]

REFERENCE_FILE = "reference-values.json"
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MAX_SOURCE = 512


@dataclass(frozen=True, slots=True)
class Recorded:
    """What :meth:`ReferenceStore.record` did: ``new`` is false if the same was recorded before."""

    entry: Entry
    new: bool


class ReferenceStore:
    """The recorded reference values in the folder ``path``, which need not exist.

    Each method reads anew, so that it sees what other processes have recorded.

    Raises:
        ConfigError: from each method: the file or its key is there and cannot be trusted; names the file.
        StorageError: from each method that writes: another process keeps the store locked.
    """

    def __init__(self, path: Path, *, lock_timeout_seconds: float = 10.0) -> None:
        self.path = path
        self._folder = PrivateFolder(path, lock_timeout_seconds=lock_timeout_seconds)

    @property
    def file(self) -> Path:
        return self.path / REFERENCE_FILE

    def load(self) -> ReferenceValues | None:
        """All recorded values; ``None`` if nothing is recorded."""
        entries = self.entries()
        return ReferenceValues(tuple(entry.alternative for entry in entries)) if entries else None

    def entries(self) -> tuple[Entry, ...]:
        """What is recorded, by TEE and then in the order of recording."""
        return self._read()[0]

    def record(self, alternative: Alternative, *, label: str, source: str, recorded_at: datetime) -> Recorded:
        """Accept ``alternative`` from now on. The first time, makes the folder and the owner's key.

        Args:
            label: up to 64 letters, digits, dots, hyphens and underscores; names the entry.
            source: for people: from what the values were taken.
            recorded_at: aware.

        Raises:
            UsageError: the label is not of that form, or names other values already.
        """
        if not _LABEL.fullmatch(label):
            raise UsageError(f"{label!r:.80} is no label: letters, digits, . - _, up to 64", detail="label")
        if recorded_at.tzinfo is None:
            raise UsageError("recorded_at must have a time zone", detail="naive_time")
        time = recorded_at.astimezone(UTC).replace(microsecond=0)
        entry = Entry(label, source[:_MAX_SOURCE], time, alternative)
        with self._folder.locked():
            entries, key = self._read()
            for other in entries:
                if other.label == label and other.alternative == alternative:
                    return Recorded(other, new=False)
                if other.label == label:
                    raise UsageError(
                        f"the label {label!r} names other values: remove it first, or take another",
                        detail="label_taken",
                    )
            key = key or load_owner_key(self._folder) or create_owner_key(self._folder)
            self._write(key, (*entries, entry))
        return Recorded(entry, new=True)

    def remove(self, label: str) -> Entry:
        """Accept no longer what was recorded as ``label``; returns what it was.

        Raises:
            UsageError: nothing is recorded under that label.
        """
        if not self.path.exists():
            raise _unknown(label)
        with self._folder.locked():
            entries, key = self._read()
            entry = next((item for item in entries if item.label == label), None)
            if key is None or entry is None:
                raise _unknown(label)
            self._write(key, (item for item in entries if item is not entry))
        return entry

    def _read(self) -> tuple[tuple[Entry, ...], OwnerKey | None]:
        """The entries, and the key that signed them if there is a file."""
        data = self._folder.load(REFERENCE_FILE)
        if data is None:
            return (), None
        # After the file: who records for the first time stores the key before it.
        key = load_owner_key(self._folder)
        if key is None:
            raise self._untrusted("there is no owner's key beside it that could have signed it")
        try:
            signed = decode_references(data)
        except FormatError as error:
            raise self._untrusted(str(error)) from None
        if signed.key_id != key.key_id:
            raise self._untrusted("it is signed by another key than the owner's")
        if not key.signed(signed.signature, signed.signed):
            raise self._untrusted("its signature does not verify: it was changed after it was recorded")
        try:
            return signed.entries(), key
        except FormatError as error:
            raise self._untrusted(str(error)) from None

    def _write(self, key: OwnerKey, entries: Iterable[Entry]) -> None:
        # In the order in which reference values are read: by TEE.
        order = list(FIELDS)
        kept = sorted(entries, key=lambda item: order.index(item.alternative.tee))
        if kept:
            self._folder.store(REFERENCE_FILE, encode_references(kept, key.key_id, key.sign))
        else:
            self._folder.remove(REFERENCE_FILE)

    def _untrusted(self, reason: str) -> ConfigError:
        return ConfigError(f"{self.file}: {reason}", detail="reference_store", file=str(self.file))


def _unknown(label: str) -> UsageError:
    return UsageError(f"nothing is recorded as {label!r:.80}", detail="label")
