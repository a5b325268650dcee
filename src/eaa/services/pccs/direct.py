"""Answers whose bytes were made before: what most requests get, without an application in between.

A request for the same target, in the same spelling, gets the same bytes but for ``Request-ID`` and
``Date``, until the document expires or another process says that something changed. Whatever is not a plain
GET goes the long way.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from email.utils import formatdate

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from eaa.services.http_protocol import HttpBounds, Refusal, bounded_protocol
from eaa.services.pccs.answers import Answer

__all__ = ["Direct", "direct_protocol", "plain_target"]

_MAX_TARGETS, _MAX_BYTES = 16384, 64 * 1024 * 1024
_MAX_TARGET_BYTES = 2048
_MAX_REQUEST_BYTES = 4096
_END = b"\r\n\r\n"
#: A request with one of these is not plain: a body, another protocol, conditions, ranges, the connection's
#: end.
_SPECIAL = (
    b"\ncontent-length:", b"\ntransfer-encoding:", b"\nconnection:", b"\nupgrade:", b"\nexpect:", b"\nif-",
    b"\nrange:",
)  # fmt: skip


class Direct:
    """Responses by target. The oldest goes when there are too many, or too many bytes."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._made: OrderedDict[bytes, tuple[float, bytes, bytes]] = OrderedDict()
        self._bytes = 0
        self._prefix, self._count = secrets.token_hex(8), 0
        self.served = 0
        self.cleared = 0  # how often

    def __len__(self) -> int:
        return len(self._made)

    @property
    def size(self) -> int:
        """Bytes of all responses."""
        return self._bytes

    def put(self, target: bytes, answer: Answer) -> None:
        """Answer GET ``target`` so, as long as the answer is good for."""
        if answer.status != 200 or answer.until is None or len(target) > _MAX_TARGET_BYTES:
            return
        lines = [f"{name}: {value}\r\n" for name, value in answer.headers]
        head = "".join(["HTTP/1.1 200 OK\r\n", *lines, f"Content-Length: {len(answer.body)}\r\n"])
        self._drop(target)
        made = (answer.until.timestamp(), head.encode("latin-1"), answer.body)
        self._made[target] = made
        self._bytes += _size(target, made)
        while len(self._made) > _MAX_TARGETS or self._bytes > _MAX_BYTES:
            self._drop(next(iter(self._made)))

    def response(self, target: bytes) -> bytes | None:
        """All bytes of the response to GET ``target``, if they were made and hold."""
        made = self._made.get(target)
        if made is None:
            return None
        until, head, body = made
        now = self._clock().timestamp()
        if now > until:
            self._drop(target)
            return None
        self._count += 1
        self.served += 1
        return b"%bDate: %b\r\nRequest-ID: %b\r\n\r\n%b" % (
            head, _date(int(now)), b"%s%016x" % (self._prefix.encode(), self._count), body
        )  # fmt: skip

    def clear(self) -> None:
        """Something changed."""
        self._made.clear()
        self._bytes = 0
        self.cleared += 1

    def _drop(self, target: bytes) -> None:
        made = self._made.pop(target, None)
        if made is not None:
            self._bytes -= _size(target, made)


def direct_protocol(bounds: HttpBounds, refusal: Refusal, direct: Direct) -> type[HttpToolsProtocol]:
    """The bounded protocol, which answers from ``direct`` what it can."""
    bounded = bounded_protocol(bounds, refusal)

    class WithDirect(bounded):  # type: ignore[misc, valid-type]  # a class that is a value
        def data_received(self, data: bytes) -> None:
            if self._in_head and not self._head and self._is_idle():
                target = plain_target(data)
                response = None if target is None else direct.response(target)
                if response is not None and not self.transport.is_closing():
                    self._cancel()
                    self._unset_keepalive_if_required()
                    self.transport.write(response)
                    self.timeout_keep_alive_task = self.loop.call_later(
                        self.timeout_keep_alive, self.timeout_keep_alive_handler
                    )
                    return
            super().data_received(data)

        def _is_idle(self) -> bool:
            """Whether nothing is under way on the connection, and the peer reads."""
            ended = self.cycle is None or self.cycle.response_complete
            return ended and not self.pipeline and not self.flow.write_paused

    return WithDirect


def plain_target(data: bytes) -> bytes | None:
    """The target of a request that is whole, and plain; ``None`` of any other."""
    if not data.startswith(b"GET ") or not data.endswith(_END) or len(data) > _MAX_REQUEST_BYTES:
        return None
    end = data.find(b" ", 4)
    if data[end : end + 11] != b" HTTP/1.1\r\n" or data.find(_END) != len(data) - 4:
        return None
    head = data[end:].lower().replace(b"\nconnection: keep-alive\r", b"\r", 1)
    if any(special in head for special in _SPECIAL) or head.count(b"\nhost:") != 1:
        return None
    return data[4:end]


_DATES: dict[int, bytes] = {}


def _date(second: int) -> bytes:
    """Made once a second."""
    found = _DATES.get(second)
    if found is None:
        _DATES.clear()
        found = _DATES[second] = formatdate(second, usegmt=True).encode()
    return found


def _size(target: bytes, made: tuple[float, bytes, bytes]) -> int:
    return len(target) + len(made[1]) + len(made[2])
