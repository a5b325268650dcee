"""Where one JSON object of a byte stream ends and the next begins."""

from __future__ import annotations

import re
from collections.abc import Iterator

from eaa.errors import RemoteProtocolError

__all__ = ["MAX_DEPTH", "MAX_REQUEST_BYTES", "JsonFramer"]

MAX_REQUEST_BYTES = 1024 * 1024
MAX_DEPTH = 32

_NO_SPACE = re.compile(rb"[^ \t\r\n]")
#: The rest of a string; group 1 if it is not closed here, and in it the backslash that ends the data.
_REST = re.compile(rb'(?:[^"\\]++|\\.)*+(?:"|(\\?))', re.DOTALL)
#: Group 1 opens, group 2 closes; no group is a whole string, and group 3 one that is not closed here.
_SIGN = re.compile(rb'([\[{])|([\]}])|"(?:[^"\\]++|\\.)*+(?:"|(\\?))', re.DOTALL)
_OPENS, _CLOSES = 1, 2


class JsonFramer:
    """Cuts a stream into the texts of its top-level JSON objects, however the stream was split.

    Each byte is looked at once. That a text is JSON is for who parses it; what is sure is that as many
    brackets are closed as are opened. White space between objects is skipped.
    """

    def __init__(self, *, max_bytes: int = MAX_REQUEST_BYTES, max_depth: int = MAX_DEPTH) -> None:
        self._max_bytes, self._max_depth = max_bytes, max_depth
        self._text = bytearray()
        self._depth = 0  # 0 between objects
        self._in_string = self._escaped = False
        self._error: RemoteProtocolError | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The objects that ``data`` completes, in order; and then, if what follows is at fault, its error.

        ``data`` is taken in at once, also if the result is not iterated.

        Raises:
            RemoteProtocolError: from the iterator, in this and each later call: ``.not_an_object``,
                ``.too_large``, ``.too_deep``.
        """
        found: list[bytes] = []
        if self._error is None:
            try:
                self._take(data, found)
            except RemoteProtocolError as error:
                self._error = error
        return self._given(found)

    def finish(self) -> None:
        """The peer has ended the stream.

        Raises:
            RemoteProtocolError: ``.truncated``: inside an object; or as :meth:`feed`.
        """
        if self._error is not None:
            raise self._error
        if self._depth:
            raise _error(f"the stream ends after {len(self._text)} bytes of a request", "truncated")

    def _given(self, found: list[bytes]) -> Iterator[bytes]:
        yield from found
        if self._error is not None:
            raise self._error

    def _take(self, data: bytes, found: list[bytes]) -> None:
        position = 0
        while position < len(data):
            if not self._depth:
                start = _NO_SPACE.search(data, position)
                if start is None:
                    return
                position = start.start()
                if start[0] != b"{":
                    raise _error("expected a JSON object", "not_an_object")
            end = self._advance(data, position)
            self._text += data[position:end]
            if len(self._text) > self._max_bytes:
                raise _error(f"a request exceeds {self._max_bytes} bytes", "too_large")
            if not self._depth:
                found.append(bytes(self._text))
                self._text.clear()
            position = end

    def _advance(self, data: bytes, position: int) -> int:
        """Past the end of the object, or of ``data``."""
        if self._in_string:
            position = self._skip_string(data, position)
        for sign in _SIGN.finditer(data, position):
            if sign.lastindex == _OPENS:
                if self._depth == self._max_depth:
                    raise _error(f"a request is nested deeper than {self._max_depth}", "too_deep")
                self._depth += 1
            elif sign.lastindex == _CLOSES:
                self._depth -= 1
                if not self._depth:
                    return sign.end()
            elif sign.lastindex is not None:
                self._in_string, self._escaped = True, bool(sign[3])
        return len(data)

    def _skip_string(self, data: bytes, position: int) -> int:
        """Past the end of the string, or of ``data``, whose last byte may escape the next to come."""
        rest = _REST.match(data, position + self._escaped)
        assert rest is not None  # noqa: S101 - the pattern matches the empty text
        self._in_string, self._escaped = rest.lastindex is not None, bool(rest[1])
        return rest.end()


def _error(message: str, detail: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"EAA protocol: {message}", detail=detail)
