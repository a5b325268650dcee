"""How bytes get in and out of a connection of pyOpenSSL that has no socket.

pyOpenSSL's interface makes a buffer for each record, and copies out of it. Where it shows OpenSSL's own
functions, which it does not promise, bytes are moved by them instead: ciphertext is read where it was
received, and written to the socket as far as that takes it. In between the connection has memory BIOs again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol, cast

from OpenSSL import SSL

__all__ = ["MAX_RECORDS_BYTES", "DirectMover", "Mover", "PublicMover", "make_mover"]

#: What is moved at a time: more does not stay in the processor's cache on its way through OpenSSL, and
#: with less the interpreter costs more than the encryption.
MAX_RECORDS_BYTES = 256 * 1024
#: Less is sooner copied than lent.
_MIN_LENT_BYTES = 16 * 1024


class Mover(Protocol):
    """Moves bytes between a connection and buffers."""

    def lend(self, connection: SSL.Connection, ciphertext: memoryview, use: Callable[[], None]) -> None:
        """What came from the network, for ``use``, which reads; it may change when this returns."""

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
        """Bytes for the peer, to the descriptor ``socket`` that does not block; what it does not take is
        there to :meth:`take`, as is all if something was before.

        Returns:
            whether there is something to take.

        Raises:
            SSL.Error: the connection has failed.
            OSError: the socket has.
        """


class PublicMover:
    """By pyOpenSSL's interface."""

    def lend(self, connection: SSL.Connection, ciphertext: memoryview, use: Callable[[], None]) -> None:
        feed(connection, ciphertext)
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
        self._read, self._pending, self._get_error = lib.SSL_read, lib.SSL_pending, lib.SSL_get_error
        self._write, self._clear_errors = lib.SSL_write, lib.ERR_clear_error
        self._want_read, self._want_write = lib.SSL_ERROR_WANT_READ, lib.SSL_ERROR_WANT_WRITE
        self._syscall, self._ffi = lib.SSL_ERROR_SYSCALL, ffi
        self._bio_read, self._bio_write, self._bio_data = lib.BIO_read, lib.BIO_write, lib.BIO_get_mem_data
        self._bio_new, self._bio_memory, self._bio_of = lib.BIO_new, lib.BIO_s_mem(), lib.BIO_new_mem_buf
        self._bio_no_end, self._set_bio, self._set_fd = lib.BIO_set_mem_eof_return, lib.SSL_set_bio, lib.SSL_set_fd
        self._null = ffi.NULL
        self._pointer, self._view = ffi.from_buffer, ffi.buffer
        self._new = ffi.new_allocator(should_clear_after_alloc=False)
        for name in ("_ssl", "_into_ssl", "_from_ssl", "_raise_ssl_error"):
            getattr(SSL.Connection(SSL.Context(SSL.TLS_METHOD)), name)

    def lend(self, connection: Any, ciphertext: memoryview, use: Callable[[], None]) -> None:
        size = len(ciphertext)
        if size < _MIN_LENT_BYTES or self._bio_data(connection._into_ssl, self._null):
            feed(connection, ciphertext)
            use()
            return
        with self._pointer(ciphertext) as start:
            lent = self._bio_of(start, size)
            self._bio_no_end(lent, -1)
            self._set_bio(connection._ssl, lent, connection._from_ssl)
            connection._into_ssl = lent
            try:
                use()
            finally:
                if connection._into_ssl == lent:
                    self._take_back(connection)

    def _take_back(self, connection: Any) -> None:
        memory = self._bio_new(self._bio_memory)
        where = self._ffi.new("char **")
        size = self._bio_data(connection._into_ssl, where)
        if size:
            self._bio_write(memory, where[0], size)
        self._set_bio(connection._ssl, memory, connection._from_ssl)
        connection._into_ssl = memory

    def waiting(self, connection: Any) -> int:
        return cast("int", self._bio_data(connection._into_ssl, self._null) + self._pending(connection._ssl))

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
        waits = self._bio_data(connection._into_ssl, self._null) or self._bio_data(connection._from_ssl, self._null)
        if socket < 0 or waits:
            connection.sendall(data)
            return True
        ssl, size = connection._ssl, len(data)
        with self._pointer(data) as start:
            into, out = self._bio_new(self._bio_memory), self._bio_new(self._bio_memory)
            self._set_fd(ssl, socket)
            done = self._write(ssl, start, size)
            number = self._ffi.errno
            failed = self._get_error(ssl, done) if done <= 0 else 0
            self._set_bio(ssl, into, out)
            connection._into_ssl, connection._from_ssl = into, out
            if failed == self._want_write:
                connection._raise_ssl_error(ssl, self._write(ssl, start, size))
            elif failed == self._syscall:
                self._clear_errors()
                raise OSError(number, os.strerror(number))
            elif failed:
                connection._raise_ssl_error(ssl, done)
            return bool(failed)

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
