"""Input within bounds, where what cannot be read is the caller's error; and files that are written whole."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from eaa.errors import FormatError, UsageError

__all__ = [
    "MAX_INPUT_BYTES",
    "CollateralFiles",
    "create_file",
    "load_collateral",
    "load_input",
    "replace_file",
]

#: Far above any evidence, endorsement or event log seen.
MAX_INPUT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class CollateralFiles:
    """Files by path: those that were ``named`` must be endorsements, those ``found`` in a folder may be."""

    named: dict[str, bytes]
    found: dict[str, bytes]

    def __bool__(self) -> bool:
        return bool(self.named or self.found)


def load_input(name: str) -> bytes:
    """The bytes of the file ``name``, or of standard input for ``-``.

    Raises:
        UsageError: it cannot be read.
        FormatError: more than 16 MiB; no more than that is read.
    """
    try:
        if name == "-":
            if sys.stdin is None:
                raise UsageError("there is no standard input", detail="unreadable")
            return _bounded(sys.stdin.buffer, "standard input", MAX_INPUT_BYTES)
        with Path(name).open("rb") as stream:
            return _bounded(stream, name, MAX_INPUT_BYTES)
    except OSError as error:
        raise _unreadable(name, error) from None
    except ValueError:
        raise _no_name(name) from None


def load_collateral(names: Iterable[str]) -> CollateralFiles:
    """Each file of ``names``, and each file directly in a folder of ``names``.

    Hidden files and folders inside folders are left out. All together have at most 16 MiB.

    Raises:
        UsageError: one cannot be read.
        FormatError: more than 16 MiB.
    """
    files = CollateralFiles({}, {})
    left = MAX_INPUT_BYTES
    for name in names:
        if not name:  # pathlib takes it for the working directory
            raise _no_name(name)
        try:
            folder = Path(name).is_dir()
            paths = _members(Path(name)) if folder else [Path(name)]
            for path in paths:
                with path.open("rb") as stream:
                    data = _bounded(stream, "collateral", left)
                (files.found if folder else files.named)[str(path)] = data
                left -= len(data)
        except OSError as error:
            raise _unreadable(error.filename or name, error) from None
        except ValueError:
            raise _no_name(name) from None
    return files


def create_file(name: str, data: bytes, mode: int = 0o666) -> None:
    """The new file ``name`` has ``data``, and is on disk; if it cannot be written whole, there is none.

    Raises:
        FileExistsError: there is one already, or a link of that name.
        OSError: it cannot be written.
        ValueError: no file name.
    """
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_EXCL, mode)
    try:
        with open(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(descriptor)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def replace_file(name: str, data: bytes, mode: int = 0o666) -> None:
    """The file ``name`` has ``data``; the old one is there until the new one is whole.

    Raises:
        UsageError: there is a device, a pipe or a folder of that name, which nobody means to replace.
        OSError: it cannot be written.
        ValueError: no file name.
    """
    path = Path(name)
    with suppress(FileNotFoundError):
        found = path.lstat().st_mode
        if not (stat.S_ISREG(found) or stat.S_ISLNK(found)):
            raise UsageError(f"cannot write {path}: not a file", detail="unwritable")
    temporary = path.with_name(f".eaa-{secrets.token_hex(8)}")
    create_file(str(temporary), data, mode)
    try:
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _members(folder: Path) -> list[Path]:
    return sorted(item for item in folder.iterdir() if item.is_file() and not item.name.startswith("."))


def _bounded(stream: BinaryIO, what: str, limit: int) -> bytes:
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise FormatError(
            f"more than {limit} bytes", what=what, field="length", offset=limit, detail="too_large"
        )
    return data


def _unreadable(name: str, error: OSError) -> UsageError:
    return UsageError(f"cannot read {name!r}: {error.strerror or error}", detail="unreadable")


def _no_name(name: str) -> UsageError:
    """Python raises ValueError for a NUL in a name."""
    return UsageError(f"cannot read {name!r}: not a file name", detail="unreadable")
