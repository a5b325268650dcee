"""Ciphertext on its way out, to a peer that may read slowly or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["HIGH_WATER_BYTES", "LINGER_SECONDS", "Outgoing"]

#: Ciphertext that waits for a slow peer before the application has to.
HIGH_WATER_BYTES = 1024 * 1024
_LOW_WATER_BYTES = HIGH_WATER_BYTES // 4
#: Of ciphertext that answers what the peer asks for, as long as it has not read down to the low water.
_MAX_UNREAD_BYTES = 2 * 1024 * 1024
#: How long a peer may take nothing of what was sent before the end, until it is cut off.
LINGER_SECONDS = 30.0


class Outgoing:
    """Writes to ``transport``. The application holds its own bytes back; nobody holds back an answer."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._unread = 0  # bytes of answers, which _MAX_UNREAD_BYTES bounds
        self._written = 0  # bytes in all
        self._low_water = _LOW_WATER_BYTES
        self._socket = -1
        self._lingering: asyncio.TimerHandle | None = None
        self._expecting: asyncio.TimerHandle | None = None
        transport.set_write_buffer_limits(HIGH_WATER_BYTES, _LOW_WATER_BYTES)

    def write(self, out: bytes | bytearray | memoryview, *, answer: bool) -> bool:
        """Send ``out``; false once more answers wait than a peer that reads lets wait."""
        if not out or self._transport.is_closing():
            return True
        if self._transport.get_write_buffer_size() <= _LOW_WATER_BYTES:
            self._unread = 0
        self._unread += len(out) if answer else 0
        self._written += len(out)
        self._transport.write(out)
        if self._unread <= _MAX_UNREAD_BYTES:
            return True
        self._unread = 0
        return False

    def hold_nothing(self) -> None:
        """From now on, the application waits as soon as anything does and until nothing does.

        Nothing changes on a loop other than asyncio's: there an empty buffer does not say that all that
        was written is with the kernel.
        """
        if isinstance(self._loop, asyncio.SelectorEventLoop) and not self._transport.is_closing():
            self._low_water = 0
            self._transport.set_write_buffer_limits(0)
            self._socket = self._transport.get_extra_info("socket").fileno()

    @property
    def socket(self) -> int:
        """Where the next bytes may be written past the transport, a descriptor; -1 while they may not."""
        return -1 if self._transport.get_write_buffer_size() else self._socket

    def expect_reading(self, seconds: float, unread: Callable[[], None]) -> None:
        """Call ``unread`` if nothing is taken for that long while it has to wait."""
        if self._expecting is None:
            self._expect(seconds, unread, self._taken())

    def close(self) -> None:
        """Close when all is sent: waits for a peer that takes what is left, not for one that does not."""
        self._expect_no_more()
        self._transport.close()
        self._linger(0)

    def gone(self) -> None:
        """The connection is lost, and its descriptor closed next."""
        self._socket = -1
        if self._lingering is not None:
            self._lingering.cancel()
        self._expect_no_more()

    def _taken(self) -> int:
        return self._written - self._transport.get_write_buffer_size()

    def _expect(self, seconds: float, unread: Callable[[], None], before: int) -> None:
        self._expecting = self._loop.call_later(seconds, self._look, seconds, unread, before)

    def _look(self, seconds: float, unread: Callable[[], None], before: int) -> None:
        self._expecting = None
        if self._transport.get_write_buffer_size() <= self._low_water:
            return
        taken = self._taken()
        if taken == before:
            unread()
        else:
            self._expect(seconds, unread, taken)

    def _expect_no_more(self) -> None:
        if self._expecting is not None:
            self._expecting.cancel()
            self._expecting = None

    def _linger(self, before: int) -> None:
        left = self._transport.get_write_buffer_size()
        if left and left == before:
            self._transport.abort()
        elif left:
            self._lingering = self._loop.call_later(LINGER_SECONDS, self._linger, left)
