"""Plain mutual TLS on pyOpenSSL's memory BIO and asyncio: what attested channels are measured beside.

The TLS settings are those of an attested channel, and so is the interface; nothing is asked of a peer but a
certificate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from OpenSSL import SSL

from eaa.tls.peer import Profile, Role
from eaa.transport.context import make_context
from eaa.transport.identity import plain_certificate

__all__ = ["CERTIFICATE", "KEY", "PlainIdentity", "PlainStream", "open_plain", "start_plain"]

KEY, CERTIFICATE = "plain-key.pem", "plain-certificate.pem"
_HIGH_WATER_BYTES = 1024 * 1024
_RECORDS_BYTES = 256 * 1024

Handler = Callable[["PlainStream"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class PlainIdentity:
    """A key and a self-signed certificate for it, in DER."""

    key: ec.EllipticCurvePrivateKey
    certificate: bytes

    @classmethod
    def at(cls, folder: Path) -> PlainIdentity:
        """The one in ``folder``, made if there is none: all plain ends have the same one."""
        if not (folder / KEY).exists():
            _make(folder)
        key = load_pem_private_key((folder / KEY).read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        certificate = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
        return cls(key, certificate.public_bytes(Encoding.DER))

    def context(self, role: Role) -> SSL.Context:
        return make_context(
            role, Profile.RATLS_CERT, certificate=self.certificate, key=self.key, demand_certificate=True
        )


def _make(folder: Path) -> None:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC).replace(microsecond=0)
    hour = timedelta(hours=1)
    der = plain_certificate(key, not_before=now - hour, not_after=now + hour)
    certificate = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
    (folder / CERTIFICATE).write_bytes(certificate)
    # With the certificate in it, as haproxy has it; the folder is this user's alone.
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / KEY).write_bytes(private + certificate)


class PlainStream(asyncio.Protocol):
    """One connection, with the methods of an attested stream. ``handler`` is a server's."""

    def __init__(self, context: SSL.Context, role: Role, handler: Handler | None = None) -> None:
        self._tls, self._handler = SSL.Connection(context, None), handler
        if role is Role.CLIENT:
            self._tls.set_connect_state()
        else:
            self._tls.set_accept_state()
        self._loop = asyncio.get_running_loop()
        self._reader = asyncio.StreamReader(limit=_HIGH_WATER_BYTES // 2, loop=self._loop)
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._open = False
        self._handling: asyncio.Task[None] | None = None
        self.opened: asyncio.Future[None] = self._loop.create_future()

    async def read(self, count: int) -> bytes:
        return await self._reader.read(count)

    async def readexactly(self, count: int) -> bytes:
        return await self._reader.readexactly(count)

    def write(self, data: bytes) -> None:
        self._tls.sendall(data)
        self._flush()

    async def drain(self) -> None:
        await self._writable.wait()

    def close(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._tls.shutdown()
            self._flush()
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=_HIGH_WATER_BYTES)
        self._reader.set_transport(transport)
        self._go_on()

    def data_received(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._tls.bio_write(view) :]
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()
        if not self.opened.done():
            self.opened.set_exception(exc or ConnectionResetError("closed in the handshake"))
        if not self._reader.at_eof():
            self._reader.feed_eof()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _go_on(self) -> None:
        try:
            if not self._open:
                self._tls.do_handshake()
                self._settled()
            while True:
                self._reader.feed_data(self._tls.recv(_RECORDS_BYTES))
        except SSL.WantReadError:
            self._flush()
        except SSL.ZeroReturnError:
            self._reader.feed_eof()

    def _settled(self) -> None:
        self._open = True
        self.opened.set_result(None)
        if self._handler is not None:
            self._handling = self._loop.create_task(self._handle(self._handler))

    async def _handle(self, handler: Handler) -> None:
        try:
            await handler(self)
        finally:
            self.close()

    def _flush(self) -> None:
        chunks: list[bytes] = []
        try:
            while not chunks or len(chunks[-1]) == _RECORDS_BYTES:
                chunks.append(self._tls.bio_read(_RECORDS_BYTES))
        except SSL.WantReadError:
            pass
        if chunks and self._transport is not None:
            self._transport.write(chunks[0] if len(chunks) == 1 else b"".join(chunks))


async def open_plain(address: str, context: SSL.Context) -> PlainStream:
    """An open connection to ``address``, e.g. ``127.0.0.1:1234``."""
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    _, stream = await loop.create_connection(lambda: PlainStream(context, Role.CLIENT), host, int(port))
    await stream.opened
    return stream


async def start_plain(handler: Handler, context: SSL.Context) -> tuple[asyncio.Server, str]:
    """A server on loopback, and its address."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: PlainStream(context, Role.SERVER, handler), "127.0.0.1", 0)
    return server, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
