"""Frames of the gate: ``type u8 ‖ length u32 big-endian ‖ body``, inside TLS [docs/adr/0010].

The header alone decides whether a frame is known, may come now and is not too long, so that nothing
of a refused frame is ever kept. The body of DATA is handed on as it comes and never collected.

A forwarder hands on DATA as frames, in the buffer that they came in (:meth:`FrameReader.pass_on`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from types import MappingProxyType

from eaa.errors import EAAError, RemoteProtocolError

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


_HEADER, _DATA = Struct(">BI"), int(FrameType.DATA)
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

    __slots__ = ("_admit", "_at", "_came", "_kept", "_left", "_type")

    def __init__(self, admit: Callable[[FrameType], None]) -> None:
        self._admit = admit
        self._came, self._at = b"", 0  # what came last, and how much of it was used
        self._kept = bytearray()  # of a header, or of a body that is collected
        self._type: FrameType | None = None
        self._left = 0  # bytes of a DATA body that are still to come, or of all of another

    @property
    def at_boundary(self) -> bool:
        """Whether no frame has begun that has not ended."""
        return self._type is None and not self._kept and self._at == len(self._came)

    def feed(self, data: bytes) -> None:
        """Take in what came."""
        self._came = self._came[self._at :] + data if self._at < len(self._came) else data
        self._at = 0

    def pass_on(self, buffer: memoryview) -> tuple[memoryview, int, memoryview]:
        """The DATA frames that ``buffer`` begins with, as whole frames, in place.

        The first :data:`HEADER_BYTES` bytes of ``buffer`` are free. A frame that goes on gets a header of
        its own; one whose body is not all here is cut, and goes on with what comes next. A frame that is
        refused is left in the rest: :meth:`next` refuses it, when what came before it has gone on.

        Returns:
            the frames; how many bytes their bodies have; the rest of ``buffer``, which is to be fed.
        """
        begin = at = HEADER_BYTES
        unused = self._kept or self._at < len(self._came)
        if len(buffer) == at or unused or self._type not in (None, FrameType.DATA):
            return buffer[:0], 0, buffer[at:]
        size = 0
        if self._type is FrameType.DATA:
            begin, size = 0, self._take(len(buffer) - at)
            _put_header(buffer, size)
            at += size
        end, admitted = len(buffer), False
        while at + HEADER_BYTES < end:
            kind, length = _HEADER.unpack_from(buffer, at)
            if kind != _DATA or not 0 < length <= MAX_DATA_BYTES:
                break
            # What may come does not change between one frame of DATA and the next.
            if not (admitted := admitted or self._admits_data()):
                break
            at += HEADER_BYTES
            if length > end - at:
                self._type, self._left = FrameType.DATA, length
                length = self._take(end - at)
                _put_header(buffer[at - HEADER_BYTES :], length)
            at, size = at + length, size + length
        return buffer[begin:at], size, buffer[at:]

    def next(self) -> Frame | None:
        """The next frame, ``None`` if more bytes are needed.

        Raises:
            RemoteProtocolError: an unknown type, a length out of bounds, or whatever ``admit`` raises.
        """
        if self._type is None and not self._header():
            return None
        if self._type is FrameType.DATA:
            return self._data()
        return self._whole()

    def _header(self) -> bool:
        if not self._gather(HEADER_BYTES):
            return False
        header = bytes(self._kept)
        self._kept.clear()
        self._begin(header)
        return True

    def _begin(self, header: bytes | memoryview) -> None:
        number, length = header[0], int.from_bytes(header[1:], "big")
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
        self._type, self._left = kind, length

    def _admits_data(self) -> bool:
        try:
            self._admit(FrameType.DATA)
        except EAAError:
            return False
        return True

    def _whole(self) -> Frame | None:
        if not self._gather(self._left):
            return None
        frame = Frame(FrameType(self._type or 0), bytes(self._kept))
        self._kept.clear()
        self._type = None
        return frame

    def _data(self) -> Frame | None:
        count = self._take(len(self._came) - self._at)
        if not count:
            return None
        self._at += count
        return Frame(FrameType.DATA, self._came[self._at - count : self._at])

    def _take(self, most: int) -> int:
        """How much of ``most`` bytes is of this body, which ends if that was all of it."""
        count = min(self._left, most)
        self._left -= count
        if not self._left:
            self._type = None
        return count

    def _gather(self, size: int) -> bool:
        """Keep what is there of ``size`` bytes; whether that is all of them."""
        more = self._came[self._at : self._at + size - len(self._kept)]
        self._kept += more
        self._at += len(more)
        return len(self._kept) == size


def _put_header(buffer: memoryview, size: int) -> None:
    _HEADER.pack_into(buffer, 0, FrameType.DATA, size)
