"""TLS without a socket: pyOpenSSL between two memory BIOs. No other module but the mover calls a connection
of it.
"""

from __future__ import annotations

from collections.abc import Callable

from OpenSSL import SSL, crypto

from eaa.errors import InternalError, RemoteProtocolError
from eaa.tls.gate import ALPN, BINDER_BYTES, EXPORTER_LABEL
from eaa.tls.key import require_key
from eaa.tls.peer import Profile, Role
from eaa.transport.mover import MAX_RECORDS_BYTES, feed, make_mover

__all__ = ["TlsEngine"]

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
        feed(self._connection, ciphertext)

    def lend(self, ciphertext: memoryview, use: Callable[[], None]) -> None:
        """As :meth:`feed`, for ``use`` to read: ``ciphertext`` may change when this returns."""
        self._mover.lend(self._connection, ciphertext, use)

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
        """Bytes of the peer, at most 272 KiB; empty if more must come first, or the peer closed.

        Raises:
            RemoteProtocolError: a record is not the peer's.
        """
        room = self.room()
        return bytes(room[: self.read_into(room)]) if room else b""

    def room(self, free: int = 0) -> memoryview:
        """A new buffer for :meth:`read_into`, behind ``free`` bytes for whoever uses it.

        As long as nothing has come that could be read, it is of those alone.
        """
        waiting = self._mover.waiting(self._connection)
        more = min(waiting, MAX_RECORDS_BYTES) + _RECORD_BYTES if waiting else 0
        return self._mover.buffer(free + more)

    def read_into(self, room: memoryview) -> int:
        """As :meth:`read`, into ``room``: how many bytes. It was all for now if they do not fill it.

        Of what came with a record that is refused nothing is returned: somebody is on the way.
        """
        try:
            count, closed = self._mover.read(self._connection, room)
        except SSL.Error as error:
            raise _tls_error("a record was refused", error) from error
        if closed:
            self.peer_closed = True
        return count

    def write(self, data: bytes | memoryview) -> None:
        """Bytes for the peer, encrypted at once; :meth:`take` has them."""
        try:
            self._connection.sendall(data)
        except SSL.Error as error:
            raise _tls_error("nothing can be sent", error) from error

    def write_to(self, socket: int, data: memoryview) -> bool:
        """As :meth:`write`, to a socket; what it does not take is there to :meth:`take`.

        Args:
            socket: a descriptor that does not block, and all that was taken is written to; -1 for none.
            data: bytes for the peer.

        Returns:
            whether there is something to take.

        Raises:
            RemoteProtocolError: as :meth:`write`.
            OSError: of the socket.
        """
        try:
            return self._mover.write(self._connection, data, socket)
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
