"""A man in the middle with the server's TLS key: terminates TLS and carries what is inside both ways."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType

from cryptography.hazmat.primitives.asymmetric import ec

from eaa.errors import EAAError
from eaa.tls.peer import Profile, Role
from tests.fakes.raw_peer import RawPeer, connect_raw

__all__ = ["Relay"]


class Relay:
    """Listens at ``address`` as the server at ``upstream``, whose ``key`` and ``certificate`` it has.

    ``seen`` is all that it read in the clear, from both ends.
    """

    def __init__(
        self, upstream: str, *, profile: Profile, key: ec.EllipticCurvePrivateKey, certificate: bytes
    ) -> None:
        self._upstream, self._profile = upstream, profile
        self._key, self._certificate = key, certificate
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self.seen = bytearray()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        with contextlib.suppress(OSError, EAAError):
            sock, _ = self._listener.accept()
            victim = RawPeer(
                sock, Role.SERVER, profile=self._profile, certificate=self._certificate, key=self._key
            )
            with victim, connect_raw(self._upstream, profile=self._profile) as server:
                victim.handshake()
                server.handshake()
                back = threading.Thread(target=self._carry, args=(server, victim))
                back.start()
                self._carry(victim, server)
                back.join(10)

    def _carry(self, source: RawPeer, sink: RawPeer) -> None:
        with contextlib.suppress(OSError, EAAError):
            while data := source.read():
                self.seen += data
                sink.write(data)
        with contextlib.suppress(OSError):
            source.sock.shutdown(socket.SHUT_RDWR)
            sink.sock.shutdown(socket.SHUT_RDWR)
