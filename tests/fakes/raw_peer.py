"""A peer that speaks TLS and frames by hand, to do what no driver here would."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from eaa.errors import EAAError, RemoteProtocolError
from eaa.tls.claims import gate_claims, gate_report_data
from eaa.tls.frames import Frame, FrameReader, FrameType, encode_frame
from eaa.tls.gate_state import Hello, Terms
from eaa.tls.mint import public_key_info
from eaa.tls.peer import Profile, Role
from eaa.transport.address import TcpAddress, parse_address
from eaa.transport.context import make_context
from eaa.transport.engine import TlsEngine
from eaa.transport.identity import plain_certificate

__all__ = ["RawPeer", "certificate_of", "connect_raw", "own_certificate", "raw_server"]

#: A nonce of a peer that does not care.
NONCE = bytes(range(1, 33))


def certificate_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A certificate for ``key`` without evidence, valid now."""
    now = datetime.now(UTC).replace(microsecond=0)
    return plain_certificate(key, not_before=now - timedelta(hours=1), not_after=now + timedelta(hours=1))


class RawPeer:
    """One end on ``sock``. Everything is done as it is asked for, in order, and nothing else."""

    def __init__(
        self,
        sock: socket.socket,
        role: Role,
        *,
        profile: Profile = Profile.EXPORTER_V1,
        certificate: bytes | None = None,
        key: ec.EllipticCurvePrivateKey | None = None,
        seconds: float = 10.0,
    ) -> None:
        self.sock, self.role = sock, role
        sock.settimeout(seconds)
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        context = make_context(
            role, profile, certificate=certificate, key=self.key, demand_certificate=role is Role.CLIENT
        )
        self.engine = TlsEngine(context, role, profile)
        self._frames = FrameReader(lambda kind: None)
        self.hello: Hello | None = None
        self._lock = threading.RLock()  # a relay reads and writes in two threads

    @property
    def spki(self) -> bytes:
        return public_key_info(self.key)

    def handshake(self) -> RawPeer:
        while not self._handshaken():
            self._receive()
        return self

    def _handshaken(self) -> bool:
        try:
            return self.engine.handshake()
        finally:
            self._flush()

    def write(self, data: bytes) -> None:
        """Bytes inside TLS."""
        with self._lock:
            self.engine.write(data)
            self._flush()

    def frame(self, kind: FrameType, body: bytes = b"") -> None:
        self.write(encode_frame(kind, body))

    def read(self) -> bytes:
        """Bytes from inside TLS; empty at close_notify or at the end of the connection."""
        while True:
            with self._lock:
                data = self.engine.read()
                self._flush()
            if data or self.engine.peer_closed:
                return data
            if not self._receive():
                return b""

    def read_frame(self) -> Frame | None:
        """The next frame, ``None`` at the end."""
        while (frame := self._frames.next()) is None:
            data = self.read()
            if not data:
                return None
            self._frames.feed(data)
        return frame

    def expect(self, kind: FrameType) -> bytes:
        frame = self.read_frame()
        assert frame is not None
        assert frame.type is kind, frame
        return frame.body

    def refusal(self) -> str:
        """The code that the other end closes with, whatever it sends before."""
        while (frame := self.read_frame()) is not None:
            if frame.type is FrameType.CLOSE:
                return frame.body.decode()
        return ""

    def say_hello(self, *, demands: bool, provides: bool, nonce: bytes = NONCE) -> Hello:
        """Both HELLOs; returns the other's."""
        self.write(Hello(Terms(demands, provides), nonce).encode())
        self.hello = Hello.decode(self.expect(FrameType.HELLO))
        return self.hello

    def report_data(self, **changes: Any) -> bytes:
        """The report data that evidence of this end must have here, or that of ``changes`` to the claims."""
        assert self.hello is not None
        nonces = (NONCE, self.hello.nonce) if self.role is Role.CLIENT else (self.hello.nonce, NONCE)
        binder = self.engine.export(hashlib.sha256(b"".join(nonces)).digest())
        claims = {
            "spki": self.spki, "nonce": self.hello.nonce, "binder": binder, "role": self.role,
            "profile": Profile.EXPORTER_V1,
        }  # fmt: skip
        return gate_report_data(gate_claims(**(claims | changes)))

    def close(self) -> None:
        self.sock.close()

    def __enter__(self) -> RawPeer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self) -> bool:
        data = self.sock.recv(65536)
        if not data:
            if not self.engine._established:
                raise RemoteProtocolError("the other end hung up in the handshake", detail="truncated")
            return False
        with self._lock:
            self.engine.feed(data)
        return True

    def _flush(self) -> None:
        out = self.engine.take()
        if out:
            self.sock.sendall(out)


def connect_raw(address: str, source: str = "", **options: Any) -> RawPeer:
    """A raw client of the server at ``address``, before the handshake; ``source`` is its own address."""
    target = parse_address(address)
    assert isinstance(target, TcpAddress)
    sock = socket.create_connection((target.host, target.port), 10, (source, 0) if source else None)
    return RawPeer(sock, Role.CLIENT, **options)


@contextlib.contextmanager
def raw_server(step: Callable[[RawPeer], object], **options: Any) -> Iterator[str]:
    """The address of a server that accepts one connection and does ``step`` with it after the handshake."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError, EAAError, AssertionError):
            sock, _ = listener.accept()
            with RawPeer(sock, Role.SERVER, **options) as peer:
                step(peer.handshake())

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()
        thread.join(10)


def own_certificate(**options: Any) -> dict[str, Any]:
    """Options of a raw end with a key and a certificate without evidence."""
    key = ec.generate_private_key(ec.SECP256R1())
    return {"key": key, "certificate": certificate_of(key)} | options
