"""One end of one attested channel, without a socket: TLS and the gate of its profile, joined.

Ciphertext in (``feed``), ciphertext out (``take``), events in between. The drivers move bytes and do the
work that events ask for; every decision is in here or below.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from OpenSSL import SSL

from eaa.appraisal.result import AttestationResult
from eaa.errors import EAAError, LocalProtocolError, RemoteProtocolError
from eaa.tls.certificate import read_certificate
from eaa.tls.certificate_gate import CertificateGate
from eaa.tls.frames import HEADER_BYTES, NONCE_BYTES
from eaa.tls.gate import Gate
from eaa.tls.gate_events import Appraise, Event, Opened, Refused
from eaa.tls.peer import AttachedEvidence, PeerIdentity, Profile, Role
from eaa.transport.config import ChannelConfig
from eaa.transport.engine import TlsEngine

__all__ = ["Channel", "Credentials"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an end authenticates itself with: TLS settings, and the key that is in the certificate."""

    context: SSL.Context
    spki: bytes  # in DER; empty without a certificate


class Channel:
    """One end. Not thread-safe. After any call, ``take`` may have something to send."""

    def __init__(self, role: Role, config: ChannelConfig, credentials: Credentials) -> None:
        self._role, self._config = role, config
        self._terms = config.terms(role)
        self._spki = credentials.spki
        self._engine = TlsEngine(credentials.context, role, config.profile)
        self._gate: Gate | CertificateGate | None = None
        self._peer: PeerIdentity | None = None
        self._stream_ended = self._failed = False

    # State.

    @property
    def open(self) -> bool:
        """Whether application bytes may flow."""
        return self._gate is not None and self._gate.open

    @property
    def renewing(self) -> bool:
        """Whether evidence is being exchanged anew on the open channel."""
        return self._gate is not None and self._gate.renewing

    @property
    def peer(self) -> PeerIdentity:
        """Who is at the other end, as proven last.

        Raises:
            LocalProtocolError: the channel never opened.
        """
        if self._peer is None:
            raise LocalProtocolError("nothing is known of the peer yet", detail="not_open")
        return self._peer

    # Bytes.

    def feed(self, ciphertext: bytes | memoryview) -> None:
        """Take in what came from the network."""
        self._engine.feed(ciphertext)

    def lend(self, ciphertext: memoryview, use: Callable[[], None]) -> None:
        """As :meth:`feed`, for ``use`` to ask for what came: ``ciphertext`` may change when this returns."""
        self._engine.lend(ciphertext, use)

    def take(self) -> bytes:
        """What is to be sent to the network; each byte is returned once."""
        return bytes(self.take_buffer())

    def take_buffer(self) -> bytes | memoryview:
        """As :meth:`take`, in a buffer of its own."""
        if not self._failed:
            self._flush()
        return self._engine.take_buffer()

    def next_event(self) -> Event | None:
        """What has happened next, ``None`` if more bytes are needed.

        Raises:
            EAAError: the channel cannot go on; call :meth:`fail` with it.
        """
        while not self._failed:
            gate = self._gate or self._settle()
            event = gate.next_event() if gate else None
            if isinstance(event, Refused):
                raise RemoteProtocolError(
                    f"the peer closed the channel: {event.code}", detail="refused", peer_code=event.code
                )
            if isinstance(event, Opened) and self._peer is None:
                self._peer = self._identity(None)
            if event is not None or gate is None or not self._read(gate):
                return event
        return None

    def pass_on(self, send: Callable[[memoryview, int], None]) -> bool:
        """Give ``send`` the DATA frames that have come, for :meth:`send_frames` of another channel.

        Only on an open channel of profile ``exporter-v1``, and only when there are no events before them.
        It is the gate that admits frames here too.

        Args:
            send: called with frames and how many bytes their bodies have.

        Returns:
            whether nothing came besides: else there are events.

        Raises:
            EAAError: as :meth:`next_event`.
        """
        gate = self._gate
        if not isinstance(gate, Gate) or not gate.open or self._failed:
            return False
        buffer = self._engine.room(HEADER_BYTES)
        while len(buffer) > HEADER_BYTES:
            count = self._engine.read_into(buffer[HEADER_BYTES:])
            frames, size, rest = gate.pass_on(buffer[: HEADER_BYTES + count])
            if size:
                send(frames, size)
            if rest:
                gate.feed(bytes(rest))
                return False
            if HEADER_BYTES + count < len(buffer):
                break
        return not self._engine.peer_closed

    def end_of_network(self) -> None:
        """The connection was closed by the peer.

        Raises:
            RemoteProtocolError: without saying so inside TLS, which anybody on the way can do.
        """
        if not (self._stream_ended or self._failed):
            raise RemoteProtocolError("the connection ended without close_notify", detail="truncated")

    # What the driver does.

    def start(self) -> None:
        """Begin the handshake."""
        self._engine.handshake()

    def accepted(self, result: AttestationResult | None) -> None:
        """The verdict that an ``Appraise`` asked for."""
        gate = self._require_gate()
        self._peer = self._identity(result)
        gate.accept()

    def provide(self, attached: AttachedEvidence) -> None:
        """The evidence that a ``Collect`` asked for."""
        self._require_gate().provide(attached)

    def answer(self, attached: AttachedEvidence) -> None:
        """The evidence that a ``CollectAnswer`` asked for."""
        self._require_gate().answer(attached)

    def send(self, data: bytes) -> None:
        """Application bytes to the peer."""
        self._require_gate().send(data)

    def send_frames(self, frames: memoryview, socket: int = -1) -> bool:
        """Application bytes to the peer, in whole DATA frames.

        Args:
            frames: encrypted at once.
            socket: where all went that was taken, a descriptor that does not block: they go there too, and
                what it does not take is there to :meth:`take_buffer`.

        Returns:
            whether there is something to take.

        Raises:
            LocalProtocolError: the channel is not open.
            OSError: of the socket.
        """
        gate = self._require_gate()
        if not gate.sends_at_once:
            gate.send(b"")  # refused if no application bytes may be sent
            self._flush()  # what was to be sent before
        return self._engine.write_to(socket, frames)

    def renew(self) -> None:
        """Begin a new exchange of evidence."""
        self._require_gate().renew()

    def challenge(self, nonce: bytes) -> None:
        """Ask the peer for evidence of its key for ``nonce``, 32 bytes."""
        self._require_gate().challenge(nonce)

    def finish(self) -> None:
        """No more application bytes are sent; the peer's may still come."""
        if self.open:
            self._require_gate().finish()
            if self._config.profile is Profile.RATLS_CERT:
                self._close()

    def close(self) -> None:
        """End in good order: nothing more is sent."""
        self.finish()
        self._close()

    def fail(self, error: EAAError) -> None:
        """End because of ``error``. The peer learns its code, where the profile has a way to tell it."""
        if self._failed:
            return
        self._failed = True
        if self._gate is not None:
            self._gate.fail(error.code)
        # Without a way to tell, the end must look like the truncation that it is.
        if self._config.profile is Profile.EXPORTER_V1:
            with suppress(RemoteProtocolError):
                self._close()

    # Inside.

    def _settle(self) -> Gate | CertificateGate | None:
        """The gate, as soon as the handshake is complete."""
        if not self._engine.handshake():
            return None
        peer_spki = self._engine.peer_spki()
        if self._terms.demands and not peer_spki:
            raise RemoteProtocolError("the peer shows no certificate", detail="no_certificate")
        self._gate = self._make_gate(peer_spki)
        self._gate.start()
        return self._gate

    def _make_gate(self, peer_spki: bytes) -> Gate | CertificateGate:
        if self._config.profile is Profile.RATLS_CERT:
            return CertificateGate(self._certificate_evidence(peer_spki) if self._terms.demands else None)
        return Gate(
            self._role,
            self._terms,
            spki=self._spki,
            peer_spki=peer_spki,
            export=self._engine.export,
            new_nonce=lambda: secrets.token_bytes(NONCE_BYTES),
        )

    def _certificate_evidence(self, peer_spki: bytes) -> Appraise:
        found = read_certificate(self._engine.peer_certificate())
        if found.spki != peer_spki:
            raise RemoteProtocolError("two readers find two keys in the certificate", detail="peer_key")
        return Appraise(found.attached, found.report_data)

    def _read(self, gate: Gate | CertificateGate) -> bool:
        """Move bytes from TLS to the gate; whether there was anything."""
        data = self._engine.read()
        if data:
            gate.feed(data)
            return True
        if self._engine.peer_closed and not self._stream_ended:
            self._stream_ended = True
            gate.end_of_stream()
            return True
        return False

    def _flush(self) -> None:
        if self._gate is not None and (out := self._gate.take()):
            self._engine.write(out)

    def _close(self) -> None:
        self._flush()
        self._engine.close()

    def _identity(self, result: AttestationResult | None) -> PeerIdentity:
        asked = self._config.verifier is not None and (self._role is Role.CLIENT or self._config.mutual)
        return PeerIdentity(
            role=self._role.other,
            profile=self._config.profile,
            spki=self._engine.peer_spki(),
            result=result,
            verifier=self._config.verifier.name if asked and self._config.verifier else "",
            verified_at=self._config.clock() if result is not None else None,
        )

    def _require_gate(self) -> Gate | CertificateGate:
        if self._gate is None or self._failed:
            raise LocalProtocolError("the channel is not open", detail="not_open")
        return self._gate
