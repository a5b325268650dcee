"""Extended headers of a tar, looked at before :mod:`tarfile` reads them [POSIX pax].

Its patterns take time that grows with the square of a run of digits (CVE-2024-6232), and records that lie
about their length make it keep the same bytes many times.
"""

from __future__ import annotations

import re

from eaa.errors import FormatError

__all__ = ["require_records"]

_MAX_RECORDS = 8192
#: ``length keyword=value`` and a line's end, the length of all that in decimal.
_START = re.compile(rb"([0-9]{1,10}) [^=\n]{1,512}=")
#: A name of digits alone has at most 255.
_DIGITS = re.compile(rb"[0-9]{256}")


def require_records(data: bytes) -> None:
    """Holds if ``data`` is records from its beginning to its end, at most 8192.

    Raises:
        FormatError: ``format.tar``.
    """
    if _DIGITS.search(data):
        raise _error("256 digits and more follow each other")
    position = 0
    for _ in range(_MAX_RECORDS):
        if position == len(data):
            return
        start = _START.match(data, position)
        if start is None:
            raise _error("expected a length, a keyword and =")
        end = position + int(start[1])
        if not start.end() < end <= len(data) or data[end - 1 : end] != b"\n":
            raise _error("a record is not as long as it says")
        position = end
    raise _error(f"more than {_MAX_RECORDS} records")


def _error(message: str) -> FormatError:
    return FormatError(f"an extended header: {message}", what="image layer", field="tar", detail="tar")
