"""How bytes get into a connection of pyOpenSSL that has no socket, and out of it.

pyOpenSSL's interface makes a buffer for each record, and copies ciphertext into OpenSSL's memory and out of
it. Where it shows OpenSSL's own functions, which it does not promise, they move bytes instead: ciphertext
is read in the buffer that it was received in, and can be written to a socket as far as that takes it. The
connection has OpenSSL's memory on both sides before each call here and after it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

from OpenSSL import SSL

__all__ = ["MAX_RECORDS_BYTES", "DirectMover", "Mover", "PublicMover", "feed", "make_mover"]

#: What is moved at a time. With less, the interpreter's own way between two calls of OpenSSL counts.
MAX_RECORDS_BYTES = 256 * 1024
#: Less is sooner copied than lent.
_MIN_LENT_BYTES = 16 * 1024


class Mover(Protocol):
    """Moves bytes between a connection and buffers."""

    def lend(self, connection: SSL.Connection, ciphertext: memoryview, use: Callable[[], None]) -> None:
        """What came from the network, for ``use``, which reads. ``ciphertext`` may change afterwards."""

    def waiting(self, connection: SSL.Connection) -> int:
        """How many bytes there are to be read, of records or out of them."""

    def buffer(self, size: int) -> memoryview:
        """``size`` bytes to write to, whatever they are."""

    def read(self, connection: SSL.Connection, buffer: memoryview) -> tuple[int, bool]:
        """Bytes of the peer into ``buffer``: how many, and whether the peer closed after them.

        Raises:
            SSL.Error: a record is not the peer's.
        """

    def take(self, connection: SSL.Connection) -> bytes | memoryview:
        """What is to be sent."""

    def write(self, connection: SSL.Connection, data: memoryview, socket: int) -> bool:
        """Bytes for the peer to ``socket``, a descriptor that does not block, or -1 for none.

        Returns:
            whether there is something to :meth:`take`: what the socket did not take, or all.

        Raises:
            SSL.Error: the connection has failed.
            OSError: the socket has.
        """


class PublicMover:
    """By pyOpenSSL's interface."""

    def lend(self, connection: SSL.Connection, ciphertext: memoryview, use: Callable[[], None]) -> None:
        for start in range(0, len(ciphertext), MAX_RECORDS_BYTES):
            feed(connection, ciphertext[start : start + MAX_RECORDS_BYTES])
            use()

    def waiting(self, connection: SSL.Connection) -> int:
        return MAX_RECORDS_BYTES

    def buffer(self, size: int) -> memoryview:
        return memoryview(bytearray(size))

    def read(self, connection: SSL.Connection, buffer: memoryview) -> tuple[int, bool]:
        count = 0
        try:
            while count < len(buffer):
                count += connection.recv_into(buffer[count:])
        except SSL.ZeroReturnError:
            return count, True
        except SSL.WantReadError:
            pass
        return count, False

    def take(self, connection: SSL.Connection) -> bytes | memoryview:
        chunks: list[bytes] = []
        try:
            while True:
                chunks.append(connection.bio_read(MAX_RECORDS_BYTES))
        except SSL.WantReadError:
            return b"".join(chunks)

    def write(self, connection: SSL.Connection, data: memoryview, socket: int) -> bool:
        connection.sendall(data)
        return True


class DirectMover:
    """By OpenSSL's functions. ``lib`` and ``ffi`` are pyOpenSSL's.

    Raises:
        AttributeError: it does not show them.
    """

    def __init__(self, lib: Any, ffi: Any) -> None:
        self._read, self._write = lib.SSL_read, lib.SSL_write
        self._pending, self._get_error = lib.SSL_pending, lib.SSL_get_error
        self._want_read, self._want_write = lib.SSL_ERROR_WANT_READ, lib.SSL_ERROR_WANT_WRITE
        self._by_system, self._forget_errors = lib.SSL_ERROR_SYSCALL, lib.ERR_clear_error
        self._set_bio, self._set_fd, self._free = lib.SSL_set_bio, lib.SSL_set_fd, lib.BIO_free
        self._new_bio, self._memory, self._bio_of = lib.BIO_new, lib.BIO_s_mem(), lib.BIO_new_mem_buf
        self._at_end = lib.BIO_set_mem_eof_return
        self._bio_read, self._bio_write, self._bio_data = lib.BIO_read, lib.BIO_write, lib.BIO_get_mem_data
        self._ffi, self._null = ffi, ffi.NULL
        self._pointer, self._view = ffi.from_buffer, ffi.buffer
        self._new = ffi.new_allocator(should_clear_after_alloc=False)
        for name in ("_ssl", "_into_ssl", "_from_ssl", "_raise_ssl_error"):
            getattr(SSL.Connection(SSL.Context(SSL.TLS_METHOD)), name)

    def lend(self, connection: Any, ciphertext: memoryview, use: Callable[[], None]) -> None:
        if len(ciphertext) < _MIN_LENT_BYTES or self._bio_data(connection._into_ssl, self._null):
            feed(connection, ciphertext)
            use()
            return
        with self._pointer(ciphertext) as start:
            lent = self._made(self._bio_of(start, len(ciphertext)))
            self._at_end(lent, -1)  # more may come
            self._set_into(connection, lent)
            try:
                use()
            finally:
                if connection._into_ssl == lent:
                    self._take_back(connection)

    def waiting(self, connection: Any) -> int:
        found: int = self._bio_data(connection._into_ssl, self._null) + self._pending(connection._ssl)
        return found

    def buffer(self, size: int) -> memoryview:
        return memoryview(self._view(self._new("char[]", size)))

    def read(self, connection: Any, buffer: memoryview) -> tuple[int, bool]:
        read, ssl, size, count = self._read, connection._ssl, len(buffer), 0
        # Released in any case: a frame of an exception that held it would crash the garbage collector.
        with self._pointer(buffer) as start:
            while count < size:
                got = read(ssl, start + count, size - count)
                if got <= 0:
                    return count, self._ended(connection, got)
                count += got
        return count, False

    def take(self, connection: Any) -> bytes | memoryview:
        size = self._bio_data(connection._from_ssl, self._null)
        if not size:
            return b""
        memory = self._new("char[]", size)
        return memoryview(self._view(memory, self._bio_read(connection._from_ssl, memory, size)))

    def write(self, connection: Any, data: memoryview, socket: int) -> bool:
        # OpenSSL has either a socket on both sides or memory on both, and what is in the memory is lost.
        into, out = connection._into_ssl, connection._from_ssl
        if socket < 0 or self._bio_data(into, self._null) or self._bio_data(out, self._null):
            connection.sendall(data)
            return True
        ssl, size = connection._ssl, len(data)
        with self._pointer(data) as start:
            into, out = self._made(self._new_bio(self._memory)), self._made(self._new_bio(self._memory))
            if not self._set_fd(ssl, socket):
                self._free(into)
                self._free(out)
                raise MemoryError
            written = self._write(ssl, start, size)
            number = self._ffi.errno
            failed = 0 if written > 0 else self._get_error(ssl, written)
            self._set_bio(ssl, into, out)
            connection._into_ssl, connection._from_ssl = into, out
            if failed == self._want_write:
                # The same call again goes on with the records that the socket had no room for.
                written = self._write(ssl, start, size)
            elif failed == self._by_system:
                self._forget_errors()
                raise OSError(number, os.strerror(number))
            connection._raise_ssl_error(ssl, written)
        return bool(failed)

    def _take_back(self, connection: Any) -> None:
        """What was not read is copied: who lent it needs the place."""
        own, where = self._made(self._new_bio(self._memory)), self._ffi.new("char **")
        if rest := self._bio_data(connection._into_ssl, where):
            self._bio_write(own, where[0], rest)
        self._set_into(connection, own)

    def _set_into(self, connection: Any, bio: Any) -> None:
        self._set_bio(connection._ssl, bio, connection._from_ssl)  # frees what it had
        connection._into_ssl = bio

    def _made(self, bio: Any) -> Any:
        if bio == self._null:
            raise MemoryError
        return bio

    def _ended(self, connection: Any, result: int) -> bool:
        """Whether the peer closed; else more must come first."""
        if self._get_error(connection._ssl, result) == self._want_read:
            return False
        try:
            connection._raise_ssl_error(connection._ssl, result)
        except SSL.ZeroReturnError:
            return True
        return False  # pragma: no cover - it raises


def make_mover(lib: object, ffi: object) -> Mover:
    """The quickest that pyOpenSSL, which has ``lib`` and ``ffi``, allows."""
    try:
        return DirectMover(lib, ffi)
    except AttributeError:
        return PublicMover()


def feed(connection: SSL.Connection, ciphertext: bytes | memoryview) -> None:
    """What came from the network, copied."""
    view = memoryview(ciphertext)
    while view:
        view = view[connection.bio_write(view) :]
