"""What :mod:`tarfile` reads a stream through: forward only, and never much for one header."""

from __future__ import annotations

from collections.abc import Iterator

from eaa.errors import FormatError, LimitExceeded

__all__ = ["BLOCK_BYTES", "ForwardReader"]

BLOCK_BYTES = 512
#: Of one entry: its headers, with long names, extended attributes and the map of a sparse file.
_MAX_HEADER_BYTES = 1024 * 1024


class ForwardReader:
    """A file as far as ``tarfile`` needs one; ``pieces`` are its content."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = memoryview(b"")
        self._behind = memoryview(b"")
        self._position = 0
        self._header_bytes = 0
        #: What was read last for a header.
        self.block = b""

    def begin_header(self) -> None:
        """What :meth:`read` returns from now on is one entry's headers."""
        self._header_bytes = 0

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> int:
        """Go on to ``position``."""
        if position < self._position:
            raise FormatError("an entry lies before its header", what="image layer", field="tar")
        while self._position < position and self._fill():
            self._take(position - self._position)
        return self._position

    def read(self, size: int) -> bytes:
        """Bytes of headers."""
        self._header_bytes += size
        if not 0 <= size <= _MAX_HEADER_BYTES or self._header_bytes > _MAX_HEADER_BYTES:
            raise LimitExceeded(
                f"the headers of an entry have more than {_MAX_HEADER_BYTES} bytes", detail="size"
            )
        self.block = b"".join(self.content(size))
        return self.block

    def peek(self, size: int) -> bytes:
        """Bytes of headers, which :meth:`read` is to return next."""
        data = self.read(size)
        rest = memoryview(b"".join((self._piece, self._behind))) if self._behind else self._piece
        self._piece, self._behind = memoryview(data), rest
        self._position -= len(data)
        self._header_bytes -= size
        return data

    def content(self, size: int) -> Iterator[bytes | memoryview]:
        """The next ``size`` bytes in pieces; fewer at the end."""
        while size > 0 and self._fill():
            piece = self._take(size)
            size -= len(piece)
            yield piece

    def drain(self) -> None:
        """Read to the end, which lets whoever makes the pieces see all of them."""
        while self._fill():
            self._take(len(self._piece))

    def _fill(self) -> bool:
        while not self._piece:
            if self._behind:
                self._piece, self._behind = self._behind, memoryview(b"")
                continue
            piece = next(self._pieces, None)
            if piece is None:
                return False
            self._piece = memoryview(piece)
        return True

    def _take(self, size: int) -> memoryview:
        taken, self._piece = self._piece[:size], self._piece[size:]
        self._position += len(taken)
        return taken
