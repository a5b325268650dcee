"""The gate of profile ``ratls-cert``: evidence came in the certificate, and no frames follow.

Sans-IO, with the methods of :class:`eaa.tls.gate.Gate`. What is accepted here holds for the key only: it
can be replayed by whoever has the key, as long as the certificate is valid. There is nothing to renew and
no way to tell the peer why it was refused.
"""

from __future__ import annotations

from collections import deque

from eaa.errors import LocalProtocolError, RemoteProtocolError, UsageError
from eaa.tls.gate_events import Appraise, Data, Ended, Event, Opened
from eaa.tls.peer import AttachedEvidence

__all__ = ["MAX_EARLY_BYTES", "CertificateGate"]

#: What a peer that is satisfied sooner may have sent when this end is. Kept from the application until then.
MAX_EARLY_BYTES = 256 * 1024


class CertificateGate:
    """One end's gate on one TLS connection.

    Args:
        demanded: evidence of the peer's certificate and the report data that it must carry; ``None`` if
            nothing is demanded.
    """

    renewing = False

    def __init__(self, demanded: Appraise | None) -> None:
        self._demanded = demanded
        self._events: deque[Event] = deque()
        self._early: list[bytes] = []
        self._early_bytes = 0
        self._out: list[bytes] = []
        self._open = self._closed = self._ended = self._early_end = False

    @property
    def open(self) -> bool:
        """Whether application bytes may flow."""
        return self._open and not self._closed

    @property
    def sends_at_once(self) -> bool:
        """Whether application bytes may be sent, and nothing before them."""
        return self.open and not self._ended and not self._out

    def take(self) -> bytes:
        """What is to be sent now; each byte is returned once."""
        out = b"".join(self._out)
        self._out.clear()
        return out

    def start(self) -> None:
        """Once, first."""
        if self._demanded is None:
            self._opened()
        else:
            self._events.append(self._demanded)

    def feed(self, data: bytes) -> None:
        """Take in what came through TLS.

        Raises:
            RemoteProtocolError: more than may be kept before the gate opens.
        """
        if self._open:
            self._events.append(Data(data))
            return
        self._early.append(data)
        self._early_bytes += len(data)
        if self._early_bytes > MAX_EARLY_BYTES:
            raise RemoteProtocolError("too much came before the gate opened", detail="early_data")

    def next_event(self) -> Event | None:
        """What has happened next; ``None`` if more bytes are needed."""
        return self._events.popleft() if self._events and not self._closed else None

    def end_of_stream(self) -> None:
        """TLS was closed by the peer, in good order; it may have been satisfied sooner, sent all and gone."""
        if self._open:
            self._events.append(Ended())
        else:
            self._early_end = True

    def accept(self) -> None:
        """The peer's evidence is accepted."""
        if self._demanded is None or self._open or self._closed:
            raise LocalProtocolError("no evidence is being appraised", detail="accept_unasked")
        self._opened()

    def send(self, data: bytes) -> None:
        """Application bytes to the peer."""
        if not self.open or self._ended:
            raise LocalProtocolError("the channel is not open", detail="not_open")
        self._out.append(data)

    def finish(self) -> None:
        """No more application bytes are sent; closing TLS says so."""
        self._ended = True

    def fail(self, code: str) -> None:
        """Close both directions; ``code`` cannot be told."""
        self._closed = True
        self._early.clear()

    def renew(self) -> None:
        raise _unsupported("evidence in a certificate cannot be renewed")

    def challenge(self, nonce: bytes) -> None:
        raise _unsupported("a peer cannot be challenged")

    def provide(self, attached: AttachedEvidence) -> None:
        raise _unsupported("evidence is in the certificate")

    def answer(self, attached: AttachedEvidence) -> None:
        raise _unsupported("no challenge can have come")

    def _opened(self) -> None:
        self._open = True
        self._events.append(Opened())
        self._events.extend(Data(data) for data in self._early)
        self._early.clear()
        if self._early_end:
            self._events.append(Ended())


def _unsupported(message: str) -> UsageError:
    return UsageError(f"{message} under ratls-cert", detail="profile")
