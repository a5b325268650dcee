"""HTTP responses as people store them: what ``curl -i`` writes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from eaa.errors import FormatError

__all__ = ["HttpResponse", "is_http_response", "parse_http_response"]

_SPEC = "[RFC9112 §2.1]"
_MAX_HEAD_BYTES = 256 * 1024
#: A tunnel's answer and an interim answer may come before the response.
_MAX_RESPONSES = 8
_STATUS = re.compile(rb"HTTP/[0-9.]{1,3} ([0-9]{3})(?: [^\r\n]*)?\r?\n")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\r\n]*)\r?\n")


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The last response of a dump. Names of ``headers`` are in lower case; the first of a name counts."""

    status: int
    headers: Mapping[str, bytes]
    body: bytes


def is_http_response(data: bytes) -> bool:
    return data[:5] == b"HTTP/"


def parse_http_response(data: bytes, what: str) -> HttpResponse:
    """The response in ``data``: status line, headers, blank line, body; lines end in LF or CRLF.

    Raises:
        FormatError: anything else, or a head of more than 256 KiB.
    """
    position = 0
    for _ in range(_MAX_RESPONSES):
        match = _STATUS.match(data, position, position + _MAX_HEAD_BYTES)
        if match is None:
            raise _error(what, "status line", position, "expected HTTP/1.1 and a status")
        status = int(match[1])
        headers, position = _headers(data, match.end(), what)
        if not is_http_response(data[position : position + 5]):
            return HttpResponse(status, headers, data[position:])
    raise _error(what, "status line", position, f"more than {_MAX_RESPONSES} responses")


def _headers(data: bytes, position: int, what: str) -> tuple[dict[str, bytes], int]:
    headers: dict[str, bytes] = {}
    end = position + _MAX_HEAD_BYTES
    while True:
        for blank in (b"\r\n", b"\n"):
            if data.startswith(blank, position):
                return headers, position + len(blank)
        match = _HEADER.match(data, position, end)
        if match is None:
            raise _error(what, "headers", position, "expected a header or a blank line")
        headers.setdefault(match[1].decode().lower(), match[2].strip())
        position = match.end()


def _error(what: str, field: str, offset: int, message: str) -> FormatError:
    return FormatError(message, what=what, field=field, offset=offset, spec=_SPEC, detail="not_http")
