"""Two gates with a wire between them that a test can cut into, and no TLS."""

from __future__ import annotations

import hashlib
from typing import Any

from eaa.tls.frames import FrameType, encode_frame
from eaa.tls.gate import Gate
from eaa.tls.gate_events import Event
from eaa.tls.gate_state import Hello, Terms
from eaa.tls.peer import AttachedEvidence, EvidenceKind, Role

__all__ = [
    "ASKS",
    "BOTH",
    "CLIENT_KEY",
    "NEITHER",
    "SERVER_KEY",
    "SHOWS",
    "client_gate",
    "events",
    "evidence",
    "export",
    "frame",
    "hello",
    "server_gate",
]

CLIENT_KEY, SERVER_KEY = b"key of the client", b"key of the server"
ASKS, SHOWS, BOTH, NEITHER = Terms(True, False), Terms(False, True), Terms(True, True), Terms(False, False)


def export(context: bytes) -> bytes:
    """Stands for the exporter of one connection."""
    return hashlib.sha256(b"connection" + context).digest()


class Nonces:
    """Nonces that are told apart by eye."""

    def __init__(self, first: int) -> None:
        self.last = first

    def __call__(self) -> bytes:
        self.last += 1
        return bytes((self.last,)) * 32


def _gate(role: Role, options: dict[str, Any], defaults: dict[str, Any]) -> Gate:
    options = defaults | {"export": export} | options
    return Gate(role, options.pop("terms"), **options)


def client_gate(**options: Any) -> Gate:
    """A client that demands, unless ``terms`` says otherwise."""
    keys = {"spki": CLIENT_KEY, "peer_spki": SERVER_KEY, "terms": ASKS, "new_nonce": Nonces(0xC0)}
    return _gate(Role.CLIENT, options, keys)


def server_gate(**options: Any) -> Gate:
    """A server that provides, unless ``terms`` says otherwise."""
    keys = {"spki": SERVER_KEY, "peer_spki": CLIENT_KEY, "terms": SHOWS, "new_nonce": Nonces(0x50)}
    return _gate(Role.SERVER, options, keys)


def evidence(data: bytes = b"quote") -> AttachedEvidence:
    return AttachedEvidence(EvidenceKind.SGX_QUOTE, data)


def frame(kind: FrameType, body: bytes = b"") -> bytes:
    return encode_frame(kind, body)


def hello(terms: Terms, nonce: bytes = b"\x77" * 32) -> bytes:
    return Hello(terms, nonce).encode()


def events(gate: Gate, data: bytes = b"") -> list[Event]:
    """All that ``data`` leads to."""
    if data:
        gate.feed(data)
    found = []
    while (event := gate.next_event()) is not None:
        found.append(event)
    return found
