"""An asyncio transport over an open channel, for protocols that know nothing of channels."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from eaa.errors import EAAError
from eaa.transport.protocol import ChannelProtocol

__all__ = ["FacadeTransport"]


class FacadeTransport(asyncio.Transport):
    """What ``inner`` takes for its transport: cleartext above, ``below`` the ciphertext."""

    def __init__(
        self, channel: ChannelProtocol, below: asyncio.Transport, inner: asyncio.BaseProtocol
    ) -> None:
        super().__init__()
        self._channel, self._below = channel, below
        self._inner = inner
        self._closing = False

    def received(self, data: bytes) -> None:
        """Hand on the peer's bytes."""
        if not self._closing:
            self.get_protocol().data_received(data)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As of the connection below; ``sslcontext`` is true, and ``attestation`` the peer's identity."""
        if name == "sslcontext":
            return True
        if name == "attestation":
            return self._channel.peer
        return self._below.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing:
            return  # as of a socket transport that is gone
        try:
            self._channel.send(bytes(data))
        except EAAError as error:
            self._channel.abort(error)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._channel.finish()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._channel.close()

    def abort(self) -> None:
        self._closing = True
        self._below.abort()

    def is_closing(self) -> bool:
        return self._closing or self._below.is_closing()

    def is_reading(self) -> bool:
        return self._below.is_reading()

    def pause_reading(self) -> None:
        self._below.pause_reading()

    def resume_reading(self) -> None:
        self._below.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._below.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._below.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._below.get_write_buffer_limits()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._inner = protocol

    def get_protocol(self) -> Any:
        return self._inner
