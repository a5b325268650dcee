"""Frames of ttrpc: ten bytes of header, then data [TTRPC Message Frame].

Data length (u32) and stream id (u32), big-endian; message type (u8); flags (u8).
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, field
from enum import IntEnum

from eaa.errors import LocalProtocolError, RemoteProtocolError

__all__ = ["HEADER_BYTES", "MAX_DATA_BYTES", "Frame", "MessageType", "read_frame"]

HEADER_BYTES = 10
#: More is to be rejected [TTRPC Message Frame].
MAX_DATA_BYTES = 4 * 1024 * 1024
_HEADER = struct.Struct(">IIBB")


class MessageType(IntEnum):
    """[TTRPC Message Types]; others are to come, and are passed over."""

    REQUEST = 1
    RESPONSE = 2
    DATA = 3


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. ``kind`` is a number of :class:`MessageType`, or one that is not known."""

    stream_id: int
    kind: int
    data: bytes = field(repr=False)
    flags: int = 0

    def encode(self) -> bytes:
        """Raises: LocalProtocolError: ``local_protocol.too_large``."""
        if len(self.data) > MAX_DATA_BYTES:
            raise LocalProtocolError(
                f"ttrpc: {len(self.data)} bytes do not fit a message of {MAX_DATA_BYTES}", detail="too_large"
            )
        return _HEADER.pack(len(self.data), self.stream_id, self.kind, self.flags) + self.data


async def read_frame(reader: asyncio.StreamReader) -> Frame | None:
    """The next frame; ``None`` where the peer ended between two.

    Raises:
        RemoteProtocolError: ``remote_protocol.too_large``: more than :data:`MAX_DATA_BYTES` are announced on
            the stream ``fields["stream"]``, and nothing can be read any more; ``remote_protocol.truncated``:
            the peer ended within a frame.
    """
    try:
        header = await reader.readexactly(HEADER_BYTES)
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise _truncated() from None
    length, stream_id, kind, flags = _HEADER.unpack(header)
    if length > MAX_DATA_BYTES:
        raise RemoteProtocolError(
            f"ttrpc: message length {length} exceeds {MAX_DATA_BYTES}", detail="too_large", stream=stream_id
        )
    try:
        data = await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        raise _truncated() from None
    return Frame(stream_id, kind, data, flags)


def _truncated() -> RemoteProtocolError:
    return RemoteProtocolError("ttrpc: the peer ended within a message", detail="truncated")
