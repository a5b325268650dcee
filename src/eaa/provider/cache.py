"""Endorsements on disk, by their content, shared by any number of processes.

::

    FOLDER/objects/ab/ab12…   length of the body (8 bytes, big-endian) ‖ body ‖ chain; named by its SHA-256
    FOLDER/subjects/….json    which object a subject has, whence, since when; named by the key's SHA-256
    FOLDER/lock               held by whoever writes

What is read is held to its digest: an object that is damaged, cut short or missing counts as absent. It is
not believed either: whoever reads verifies it (:mod:`eaa.verify.fetched`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from eaa.codec.strict_json import parse_json
from eaa.endorsements.fetched import MAX_FETCHED_BYTES, Fetched
from eaa.endorsements.subject import Subject, parse_subject
from eaa.errors import FormatError, StorageError
from eaa.provider.files import load_bounded, locked, replace_file
from eaa.provider.kept import Kept

__all__ = ["EndorsementCache"]

#: 10,000 platforms have some 60 MiB.
DEFAULT_MAX_BYTES = 256 * 1024 * 1024
_MAX_OBJECT_BYTES = 8 + 2 * MAX_FETCHED_BYTES
_MAX_POINTER_BYTES = 4096
_MAX_SOURCE = 512
_FORMAT = "eaa-endorsement-cache/1"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
#: Stores, and the part of the bound in bytes, after which it is looked whether there is too much.
_SWEEP_STORES, _SWEEP_PART = 256, 16
#: What is left after there was too much.
_KEPT_PART = 0.9


class EndorsementCache:
    """The cache in ``folder``, which is made when something is first stored.

    ``max_bytes`` bounds the objects, which may exceed it by a sixteenth for each process that writes; those
    fetched longest ago go first.
    """

    def __init__(self, folder: Path, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._stores_since, self._bytes_since = _SWEEP_STORES, 0

    def load(self, subject: Subject) -> Kept | None:
        """What is kept of ``subject``; ``None`` if there is nothing, or it is damaged.

        Raises:
            StorageError: the folder cannot be read.
        """
        return self._load(self._pointer(subject.key))

    def store(self, new: Kept, *, accept: Callable[[Kept | None], None]) -> None:
        """Keep ``new``, if ``accept`` takes it in the face of what is there; it raises what is wrong.

        No other writer comes between.

        Raises:
            StorageError: it cannot be written; what was there before is still there.
            Exception: what ``accept`` raises.
        """
        with locked(self.folder / "lock"):
            accept(self.load(new.subject))
            data = _encode(new.fetched)
            if len(data) > self._max_bytes:
                raise StorageError(f"{new.subject.key}: larger than the whole cache", detail="endorsements")
            path = self._object(new.fetched.digest.hex())
            replace_file(path, data)
            replace_file(self._pointer(new.subject.key), _encode_pointer(new))
            self._sweep(new)

    def discard(self, subject: Subject) -> None:
        """Nothing of ``subject`` is kept any more."""
        with locked(self.folder / "lock"):
            self._pointer(subject.key).unlink(missing_ok=True)
            self._remove(None)

    def entries(self) -> Iterator[Kept]:
        """All that is kept and not damaged, in no order."""
        for pointer in self._pointers():
            kept = self._load(pointer)
            if kept is not None:
                yield kept

    def _load(self, pointer: Path) -> Kept | None:
        found = _parse_pointer(load_bounded(pointer, _MAX_POINTER_BYTES))
        if found is None or self._pointer(found[0].key) != pointer:
            return None
        subject, digest, source, fetched_at = found
        fetched = _decode(load_bounded(self._object(digest), _MAX_OBJECT_BYTES), digest)
        return None if fetched is None else Kept(subject, fetched, source, fetched_at)

    def _sweep(self, newest: Kept) -> None:
        """:meth:`_remove`, at the first and then after some number of stores or bytes. The lock is held."""
        self._bytes_since += len(newest.fetched.body) + len(newest.fetched.issuer_chain)
        self._stores_since += 1
        if self._stores_since >= _SWEEP_STORES or self._bytes_since * _SWEEP_PART > self._max_bytes:
            self._stores_since = self._bytes_since = 0
            self._remove(newest)

    def _remove(self, newest: Kept | None) -> None:
        """Remove objects that no subject has, then, if there is too much, what was fetched longest ago."""
        sizes = self._sizes()
        pointed = [
            (found[3], path, found[1])
            for path in self._pointers()
            if (found := _parse_pointer(load_bounded(path, _MAX_POINTER_BYTES))) is not None
        ]
        used = {digest for _, _, digest in pointed}
        total = sum(size for name, size in sizes.items() if name in used)
        most = self._max_bytes * _KEPT_PART if total > self._max_bytes else self._max_bytes
        for _, path, digest in sorted(pointed, key=lambda item: item[0]):
            if total <= most:
                break
            if newest is not None and digest == newest.fetched.digest.hex():
                continue
            path.unlink(missing_ok=True)
            used.discard(digest)
            total -= sizes.get(digest, 0)
        for name in sizes.keys() - used:
            self._object(name).unlink(missing_ok=True)

    def _sizes(self) -> dict[str, int]:
        try:
            return {path.name: path.stat().st_size for path in (self.folder / "objects").glob("*/[!.]*")}
        except OSError as error:
            raise StorageError(f"{self.folder}: {error.strerror}", detail="endorsements") from None

    def _pointers(self) -> list[Path]:
        try:
            return [path for path in (self.folder / "subjects").glob("*.json") if path.name[0] != "."]
        except OSError as error:
            raise StorageError(f"{self.folder}: {error.strerror}", detail="endorsements") from None

    def _pointer(self, key: str) -> Path:
        return self.folder / "subjects" / f"{hashlib.sha256(key.encode()).hexdigest()}.json"

    def _object(self, digest: str) -> Path:
        return self.folder / "objects" / digest[:2] / digest


def _encode(fetched: Fetched) -> bytes:
    return len(fetched.body).to_bytes(8, "big") + fetched.body + fetched.issuer_chain


def _decode(data: bytes | None, digest: str) -> Fetched | None:
    if data is None or len(data) < 8 or hashlib.sha256(data).hexdigest() != digest:
        return None
    size = int.from_bytes(data[:8], "big")
    return Fetched(data[8 : 8 + size], data[8 + size :])


def _encode_pointer(kept: Kept) -> bytes:
    document = {
        "format": _FORMAT,
        "subject": kept.subject.key,
        "object": kept.fetched.digest.hex(),
        "source": kept.source[:_MAX_SOURCE],
        "fetched_at": kept.fetched_at.strftime(_TIME),
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def _parse_pointer(data: bytes | None) -> tuple[Subject, str, str, datetime] | None:
    try:
        document = parse_json(data or b"", "cache entry")
        if document["format"] != _FORMAT:
            return None
        digest, source = document["object"], document["source"]
        at = datetime.strptime(document["fetched_at"], _TIME).replace(tzinfo=UTC)
        if len(bytes.fromhex(digest)) != 32 or not isinstance(source, str):
            return None
        return parse_subject(document["subject"]), digest.lower(), source, at
    except (FormatError, ValueError, TypeError, LookupError, AttributeError):
        return None
