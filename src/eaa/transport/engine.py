"""TLS without a socket: pyOpenSSL between two memory BIOs. No other module calls a connection of it.

pyOpenSSL's interface makes a buffer for each record, and copies out of it. Where it shows OpenSSL's own
functions, which it does not promise, bytes are moved by them instead.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

from OpenSSL import SSL, crypto

from eaa.errors import InternalError, RemoteProtocolError
from eaa.tls.gate import ALPN, BINDER_BYTES, EXPORTER_LABEL
from eaa.tls.key import require_key
from eaa.tls.peer import Profile, Role

__all__ = ["MAX_RECORDS_BYTES", "DirectMover", "Mover", "PublicMover", "TlsEngine", "make_mover"]

#: What is moved at a time: more does not stay in the processor's cache on its way through OpenSSL, and
#: with less the interpreter costs more than the encryption.
MAX_RECORDS_BYTES = 128 * 1024
#: What one record can hold, of which OpenSSL may have had all but the end before.
_RECORD_BYTES = 16 * 1024
_TLS13 = "TLSv1.3"


class TlsEngine:
    """One end of one TLS connection. Not thread-safe: nor is a connection of OpenSSL."""

    def __init__(self, context: SSL.Context, role: Role, profile: Profile) -> None:
        self._connection = SSL.Connection(context, None)
        self._profile = profile
        self._mover = _MOVER
        self._established = False
        #: Whether the peer closed in good order, so that what follows is its end and no truncation.
        self.peer_closed = False
        if role is Role.CLIENT:
            self._connection.set_connect_state()
        else:
            self._connection.set_accept_state()

    def feed(self, ciphertext: bytes | memoryview) -> None:
        """Take in what came from the network."""
        view = memoryview(ciphertext)
        while view:
            view = view[self._connection.bio_write(view) :]

    def take(self) -> bytes:
        """What is to be sent to the network; each byte is returned once."""
        return bytes(self.take_buffer())

    def take_buffer(self) -> bytes | memoryview:
        """As :meth:`take`, in a buffer of its own and uncopied."""
        return self._mover.take(self._connection)

    def handshake(self) -> bool:
        """Go on with the handshake; whether it is complete, and all that it must have led to holds.

        Raises:
            RemoteProtocolError: refused by either end, or the peer is not what it must be.
        """
        if not self._established:
            try:
                self._connection.do_handshake()
            except SSL.WantReadError:
                return False
            except SSL.Error as error:
                raise _tls_error("the handshake failed", error) from error
            self._require_settled()
            self._established = True
        return True

    def read(self) -> bytes:
        """Bytes of the peer, at most 144 KiB; empty if more must come first, or the peer closed.

        Raises:
            RemoteProtocolError: a record is not the peer's.
        """
        return bytes(self.read_behind(0))

    def read_behind(self, free: int) -> memoryview:
        """As :meth:`read`, in a buffer of its own behind ``free`` bytes for whoever uses it.

        Of what came with a record that is refused nothing is returned: somebody is on the way.
        """
        waiting = self._mover.waiting(self._connection)
        if not waiting:
            return memoryview(bytes(free))
        buffer = self._mover.buffer(free + min(waiting, MAX_RECORDS_BYTES) + _RECORD_BYTES)
        try:
            count, closed = self._mover.read(self._connection, buffer[free:])
        except SSL.Error as error:
            raise _tls_error("a record was refused", error) from error
        if closed:
            self.peer_closed = True
        return buffer[: free + count]

    def write(self, data: bytes | memoryview) -> None:
        """Bytes for the peer, encrypted at once; :meth:`take` has them."""
        try:
            self._connection.sendall(data)
        except SSL.Error as error:
            raise _tls_error("nothing can be sent", error) from error

    def close(self) -> None:
        """Say that nothing more will be sent (close_notify)."""
        try:
            self._connection.shutdown()
        except SSL.Error:
            return  # of no use to a connection that has failed

    def export(self, context: bytes) -> bytes:
        """32 bytes that both ends of this connection know, and nobody else [RFC5705 §4], [RFC8446 §7.5]."""
        return self._connection.export_keying_material(EXPORTER_LABEL, BINDER_BYTES, context)

    def peer_certificate(self) -> bytes:
        """The peer's leaf in DER, empty without one."""
        certificate = self._connection.get_peer_certificate()
        return b"" if certificate is None else crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)

    def peer_spki(self) -> bytes:
        """SubjectPublicKeyInfo of the key that the peer authenticated with, empty without a certificate.

        Raises:
            UnsupportedError: a key of a kind or size that is not allowed.
            RemoteProtocolError: encoded otherwise in the certificate: what is hashed is what was used.
        """
        certificate = self._connection.get_peer_certificate()
        if certificate is None:
            return b""
        spki = crypto.dump_publickey(crypto.FILETYPE_ASN1, certificate.get_pubkey())
        require_key(spki)
        if spki not in crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate):
            raise RemoteProtocolError("the peer's key is not encoded in DER", detail="peer_key")
        return spki

    def _require_settled(self) -> None:
        if self._connection.get_protocol_version_name() != _TLS13:
            raise InternalError("TLS of another version than 1.3", detail="tls_version")
        if _session_reused(self._connection):
            raise InternalError("a TLS session was resumed", detail="tls_resumed")
        negotiated = self._connection.get_alpn_proto_negotiated()
        if negotiated != (ALPN if self._profile is Profile.EXPORTER_V1 else b""):
            raise RemoteProtocolError(
                f"the peer does not speak the gate: ALPN is {negotiated!r}", detail="alpn"
            )


class Mover(Protocol):
    """Moves bytes between a connection and buffers."""

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


class PublicMover:
    """By pyOpenSSL's interface."""

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


class DirectMover:
    """By OpenSSL's functions. ``lib`` and ``ffi`` are pyOpenSSL's.

    Raises:
        AttributeError: it does not show them.
    """

    def __init__(self, lib: Any, ffi: Any) -> None:
        self._read, self._pending, self._get_error = lib.SSL_read, lib.SSL_pending, lib.SSL_get_error
        self._want_read = lib.SSL_ERROR_WANT_READ
        self._bio_read, self._bio_data, self._null = lib.BIO_read, lib.BIO_get_mem_data, ffi.NULL
        self._pointer, self._view = ffi.from_buffer, ffi.buffer
        self._new = ffi.new_allocator(should_clear_after_alloc=False)
        for name in ("_ssl", "_into_ssl", "_from_ssl", "_raise_ssl_error"):
            getattr(SSL.Connection(SSL.Context(SSL.TLS_METHOD)), name)

    def waiting(self, connection: Any) -> int:
        return cast("int", self._bio_data(connection._into_ssl, self._null) + self._pending(connection._ssl))

    def buffer(self, size: int) -> memoryview:
        return memoryview(self._view(self._new("char[]", size)))

    def read(self, connection: Any, buffer: memoryview) -> tuple[int, bool]:
        ssl, size, count = connection._ssl, len(buffer), 0
        # Released in any case: a frame of an exception that held it would crash the garbage collector.
        with self._pointer(buffer) as start:
            while count < size:
                got = self._read(ssl, start + count, size - count)
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


def _session_reused(connection: SSL.Connection) -> bool:
    # Not in the public interface. Neither end ever offers a session; this is a second look.
    return bool(SSL._lib.SSL_session_reused(connection._ssl))  # type: ignore[attr-defined]  # private: pyOpenSSL offers no other way to ask


#: OpenSSL's words for the alert certificate_required [RFC8446 §6.2].
_WANTS_EVIDENCE = "alert certificate required"


def _tls_error(what: str, error: SSL.Error) -> RemoteProtocolError:
    reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
    reason = "; ".join(str(item[-1]) for item in reasons) or "the connection ended"
    message = f"TLS: {what}: {reason}"
    if _WANTS_EVIDENCE in reason:
        message += ": the peer asks for evidence of this end too, see mutual"
    return RemoteProtocolError(message, detail="tls", reason=reason)


_MOVER = make_mover(getattr(SSL, "_lib", None), getattr(SSL, "_ffi", None))
