"""Frames of the gate: ``type u8 ‖ length u32 big-endian ‖ body``, inside TLS [docs/adr/0010].

The header alone decides whether a frame is known, may come now and is not too long, so that nothing
of a refused frame is ever kept. The body of DATA is handed on as it comes and never collected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from eaa.errors import RemoteProtocolError

__all__ = [
    "HEADER_BYTES",
    "MAX_DATA_BYTES",
    "MAX_EVIDENCE_BYTES",
    "Frame",
    "FrameReader",
    "FrameType",
    "encode_frame",
]

HEADER_BYTES = 5
NONCE_BYTES = 32
MAX_EVIDENCE_BYTES = 128 * 1024
MAX_DATA_BYTES = 256 * 1024
#: A stable code of an error: lower case, at most this long.
MAX_CODE_BYTES = 64


class FrameType(IntEnum):
    """What a frame is; the value is its first byte."""

    HELLO = 1  # version u8 ‖ flags u8 ‖ nonce 32
    EVIDENCE = 2  # see eaa.tls.attached
    ACCEPT = 3  # empty
    DATA = 4  # application bytes, at least one
    CHALLENGE = 5  # nonce 32
    ANSWER = 6  # length u32 ‖ evidence ‖ claims buffer
    CLOSE = 7  # the code of an error, empty at the end of the data


#: Shortest and longest body.
_SIZES: Mapping[FrameType, tuple[int, int]] = MappingProxyType(
    {
        FrameType.HELLO: (2 + NONCE_BYTES, 2 + NONCE_BYTES),
        FrameType.EVIDENCE: (1, MAX_EVIDENCE_BYTES),
        FrameType.ACCEPT: (0, 0),
        FrameType.DATA: (1, MAX_DATA_BYTES),
        FrameType.CHALLENGE: (NONCE_BYTES, NONCE_BYTES),
        FrameType.ANSWER: (1, MAX_EVIDENCE_BYTES),
        FrameType.CLOSE: (0, MAX_CODE_BYTES),
    }
)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame, or as much of a DATA frame as has come."""

    type: FrameType
    body: bytes


def encode_frame(kind: FrameType, body: bytes = b"") -> bytes:
    """``body`` as a frame; its length is the caller's to keep."""
    return b"".join((bytes((kind,)), len(body).to_bytes(4, "big"), body))


class FrameReader:
    """Frames out of bytes. ``admit`` is called with each type as soon as its header is there, and raises
    if such a frame may not come now."""

    __slots__ = ("_admit", "_buffer", "_left", "_type")

    def __init__(self, admit: Callable[[FrameType], None]) -> None:
        self._admit = admit
        self._buffer = bytearray()
        self._type: FrameType | None = None
        self._left = 0  # bytes of the body that are still to come

    @property
    def at_boundary(self) -> bool:
        """Whether no frame has begun that has not ended."""
        return self._type is None and not self._buffer

    def feed(self, data: bytes) -> None:
        """Take in what came."""
        self._buffer += data

    def next(self) -> Frame | None:
        """The next frame, ``None`` if more bytes are needed.

        Raises:
            RemoteProtocolError: an unknown type, a length out of bounds, or whatever ``admit`` raises.
        """
        if self._type is None and not self._header():
            return None
        if self._type is FrameType.DATA:
            return self._data()
        return self._whole() if len(self._buffer) >= self._left else None

    def _header(self) -> bool:
        if len(self._buffer) < HEADER_BYTES:
            return False
        number, length = self._buffer[0], int.from_bytes(self._buffer[1:HEADER_BYTES], "big")
        try:
            kind = FrameType(number)
        except ValueError:
            raise RemoteProtocolError(f"frame of unknown type {number}", detail="frame_type") from None
        self._admit(kind)
        shortest, longest = _SIZES[kind]
        if not shortest <= length <= longest:
            raise RemoteProtocolError(
                f"{kind.name} frame of {length} bytes, expected {shortest} to {longest}",
                detail="frame_length",
            )
        del self._buffer[:HEADER_BYTES]
        self._type, self._left = kind, length
        return True

    def _whole(self) -> Frame:
        return self._taken(FrameType(self._type or 0), self._left)

    def _data(self) -> Frame | None:
        count = min(self._left, len(self._buffer))
        return self._taken(FrameType.DATA, count) if count else None

    def _taken(self, kind: FrameType, count: int) -> Frame:
        with memoryview(self._buffer) as view:
            body = view[:count].tobytes()
        del self._buffer[:count]
        self._left -= count
        if not self._left:
            self._type = None
        return Frame(kind, body)
