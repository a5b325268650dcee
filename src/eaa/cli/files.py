"""Files and standard input, read within bounds; what cannot be read is the caller's error."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from eaa.errors import FormatError, UsageError

__all__ = ["MAX_INPUT_BYTES", "load_collateral", "load_input"]

#: Far above any evidence, endorsement or event log seen.
MAX_INPUT_BYTES = 16 * 1024 * 1024
#: A folder of all collateral of one platform has about ten.
_MAX_FILES = 1024


def load_input(name: str) -> bytes:
    """The bytes of the file ``name``, or of standard input for ``-``.

    Raises:
        UsageError: it cannot be read.
        FormatError: more than 16 MiB; no more than that is read.
    """
    try:
        if name == "-":
            return _bounded(sys.stdin.buffer, "standard input", MAX_INPUT_BYTES)
        with Path(name).open("rb") as stream:
            return _bounded(stream, name, MAX_INPUT_BYTES)
    except OSError as error:
        raise _unreadable(name, error) from None
    except ValueError:  # a NUL in the name
        raise UsageError(f"cannot read {name!r}: not a file name", detail="unreadable") from None


def load_collateral(names: Iterable[str]) -> dict[str, bytes]:
    """Each file of ``names``, and each file directly in a folder of ``names``, by its path.

    Hidden files and folders inside folders are left out. All together have at most 16 MiB.
    """
    files: dict[str, bytes] = {}
    left = MAX_INPUT_BYTES
    for name in names:
        for path in _members(name):
            if len(files) == _MAX_FILES:
                raise UsageError(f"more than {_MAX_FILES} files of collateral", detail="too_many_files")
            try:
                with path.open("rb") as stream:
                    data = _bounded(stream, "collateral", left)
            except OSError as error:
                raise _unreadable(str(path), error) from None
            files[str(path)] = data
            left -= len(data)
    return files


def _members(name: str) -> list[Path]:
    path = Path(name)
    try:
        if not path.is_dir():
            return [path]
        return sorted(item for item in path.iterdir() if item.is_file() and not item.name.startswith("."))
    except OSError as error:
        raise _unreadable(name, error) from None
    except ValueError:
        raise UsageError(f"cannot read {name!r}: not a file name", detail="unreadable") from None


def _bounded(stream: BinaryIO, what: str, limit: int) -> bytes:
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise FormatError(
            f"more than {limit} bytes", what=what, field="length", offset=limit, detail="too_large"
        )
    return data


def _unreadable(name: str, error: OSError) -> UsageError:
    return UsageError(f"cannot read {name!r}: {error.strerror or error}", detail="unreadable")
