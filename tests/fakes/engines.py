"""Two engines that are connected with each other and to nothing else."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec

from eaa.tls.peer import Profile, Role
from eaa.transport.context import make_context
from eaa.transport.engine import TlsEngine
from tests.fakes.raw_peer import certificate_of

__all__ = ["Pair", "connected", "read_all"]

_KEY = ec.generate_private_key(ec.SECP256R1())
Pair = tuple[TlsEngine, TlsEngine]


def connected() -> Pair:
    """A client and a server after the handshake."""
    certificate = certificate_of(_KEY)
    client, server = (
        TlsEngine(
            make_context(
                role, Profile.EXPORTER_V1, certificate=certificate, key=_KEY, demand_certificate=True
            ),
            role,
            Profile.EXPORTER_V1,
        )
        for role in (Role.CLIENT, Role.SERVER)
    )
    while not (client.handshake() & server.handshake()):
        server.feed(client.take())
        client.feed(server.take())
    client.feed(server.take())
    assert client.read() == b""
    return client, server


def read_all(end: TlsEngine) -> bytes:
    return b"".join(iter(end.read, b""))
