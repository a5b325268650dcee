"""The gate: evidence of both ends after the TLS handshake and before the first application byte.

Sans-IO: bytes in, events out; no socket, clock or randomness of its own. In order, all of this holds
before a byte of the peer is handed to the application, or one of the application's is sent:

1. Both ends have said HELLO, with a nonce each. Neither is zero nor the other end's own.
2. ``binder = TLS-Exporter(label, SHA-256(client nonce ‖ server nonce), 32)`` [RFC8446 §7.5]: both ends
   are ends of one TLS connection.
3. Who was asked for evidence has sent it; its signed report data is that of the claims over the sender's
   key, the receiver's nonce, the binder, the sender's role and this profile. The receiver computes them
   itself, and its verifier compares all 64 bytes.
4. Both ends have said ACCEPT, and each waits for the other's.

A new HELLO on the open channel repeats this with new nonces; application bytes go on until the driver's
deadline. The driver does the work that an event asks for, off its event loop, and ends the channel with
``fail`` if it cannot be done.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable

from eaa.errors import AttesterError, BindingError, LocalProtocolError, RemoteProtocolError, UsageError
from eaa.tls.attached import decode_answer, decode_attached, encode_answer, encode_attached
from eaa.tls.claims import gate_claims, gate_report_data
from eaa.tls.frames import (
    HEADER_BYTES,
    MAX_CODE_BYTES,
    MAX_DATA_BYTES,
    NONCE_BYTES,
    Frame,
    FrameReader,
    FrameType,
    encode_frame,
)
from eaa.tls.gate_events import (
    Answered,
    Appraise,
    Collect,
    CollectAnswer,
    Data,
    Ended,
    Event,
    Opened,
    Refused,
    Renewed,
)
from eaa.tls.gate_state import ADMITTED, Exchange, Hello, Phase, Terms
from eaa.tls.peer import AttachedEvidence, Profile, Role
from eaa.tls.relayed import relayed_claims

__all__ = ["ALPN", "BINDER_BYTES", "EXPORTER_LABEL", "Gate"]

#: Who does not speak the gate fails in the handshake already [RFC7301 §3.2].
ALPN = b"eaa-attested/1"
EXPORTER_LABEL = b"EXPORTER-EAA-Attested-Channel-v1"
BINDER_BYTES = 32

# A tuple: a member is found by what it is, without its hash, which Enum takes in Python.
_OPEN = (Phase.OPEN, Phase.RENEWAL, Phase.RENEWING)
_CODE = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_.-")


class Gate:
    """One end's gate on one TLS connection.

    Args:
        role: which end this is.
        terms: what this end demands and provides.
        spki: of the own TLS certificate, in DER; empty without one.
        peer_spki: of the peer's TLS certificate; empty without one.
        export: 32 bytes of the TLS exporter under :data:`EXPORTER_LABEL` for a context.
        new_nonce: 32 fresh random bytes at each call.

    Raises:
        UsageError: evidence is demanded or provided without a key to bind it to.
        BindingError: the peer authenticated by this end's own key.
    """

    def __init__(
        self,
        role: Role,
        terms: Terms,
        *,
        spki: bytes,
        peer_spki: bytes,
        export: Callable[[bytes], bytes],
        new_nonce: Callable[[], bytes],
    ) -> None:
        if (terms.demands and not peer_spki) or (terms.provides and not spki):
            raise UsageError("evidence cannot be bound without a TLS certificate", detail="no_key")
        if spki and spki == peer_spki:
            raise BindingError("the peer presents the own key", detail="key_reflected")
        self._role, self._terms = role, terms
        self._spki, self._peer_spki = spki, peer_spki
        self._export, self._new_nonce = export, new_nonce
        self._phase = Phase.NEW
        self._reader = FrameReader(self._admit)
        self._events: deque[Event] = deque()
        self._out: list[bytes] = []
        self._exchange = Exchange(b"")
        self._peer_terms: Terms | None = None
        self._sent: set[bytes] = set()  # digests of own evidence of this exchange and the answers since
        self._asked: bytes | None = None  # claims that the peer's answer must be bound to
        self._answering: bytes | None = None  # claims of the answer that is being collected
        self._ended = self._peer_ended = False

    # What the driver reads.

    @property
    def phase(self) -> Phase:
        return self._phase

    @property
    def open(self) -> bool:
        """Whether application bytes may flow."""
        return self._phase in _OPEN

    @property
    def sends_at_once(self) -> bool:
        """Whether application bytes may be sent, and nothing before them."""
        return self._phase in _OPEN and not self._ended and not self._out

    @property
    def renewing(self) -> bool:
        """Whether a new exchange is under way on the open channel."""
        return self._phase in (Phase.RENEWAL, Phase.RENEWING)

    def take(self) -> bytes:
        """What is to be sent now; each byte is returned once."""
        out = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out.clear()
        return out

    def feed(self, data: bytes) -> None:
        """Take in what came through TLS; then ask for events until there is none."""
        if self._phase is Phase.NEW:
            raise LocalProtocolError("the gate was not started", detail="not_started")
        self._reader.feed(data)

    def pass_on(self, buffer: memoryview) -> tuple[memoryview, int, memoryview]:
        """The DATA frames that ``buffer`` begins with, as of :meth:`FrameReader.pass_on`: admitted here too.

        None, as long as the gate is not open or there are events: they come first.
        """
        if self._phase not in _OPEN or self._events:
            return buffer[:0], 0, buffer[HEADER_BYTES:]
        return self._reader.pass_on(buffer)

    def next_event(self) -> Event | None:
        """What has happened next; ``None`` if more bytes are needed.

        Raises:
            RemoteProtocolError, BindingError, FormatError, UnsupportedError: the peer is at fault.
            AttesterError: the peer demands evidence and none can be provided.
        """
        while not self._events:
            frame = self._reader.next()
            if frame is None:
                return None
            self._received(frame)
        return self._events.popleft()

    def end_of_stream(self) -> None:
        """TLS was closed by the peer, in good order.

        Raises:
            RemoteProtocolError: before the gate opened, or inside a frame.
        """
        if self._phase is Phase.CLOSED or self._peer_ended:
            return
        if not self.open:
            raise RemoteProtocolError("the peer closed before the gate opened", detail="closed_in_gate")
        if not self._reader.at_boundary:
            raise RemoteProtocolError("the peer closed inside a frame", detail="truncated")
        self._end_of_peer()

    # What the driver does.

    def start(self) -> None:
        """Say HELLO, once, first."""
        if self._phase is not Phase.NEW:
            raise LocalProtocolError("the gate was started before", detail="started")
        self._hello(Phase.HELLO)

    def renew(self) -> None:
        """Begin a new exchange on the open channel; nothing is done while one is under way."""
        self._require_open("renew")
        if self._phase is Phase.OPEN:
            self._hello(Phase.RENEWAL)

    def provide(self, attached: AttachedEvidence) -> None:
        """The evidence that a ``Collect`` asked for."""
        if FrameType.EVIDENCE not in self._exchange.duties:
            raise LocalProtocolError("no evidence is asked for", detail="evidence_unasked")
        self._exchange.duties.discard(FrameType.EVIDENCE)
        self._sent.add(_digest(attached))
        self._out.append(encode_frame(FrameType.EVIDENCE, encode_attached(attached)))

    def accept(self) -> None:
        """The peer's evidence of the last ``Appraise`` is accepted."""
        if not self._exchange.appraising:
            raise LocalProtocolError("no evidence is being appraised", detail="accept_unasked")
        self._exchange.appraising = False
        self._accept()

    def send(self, data: bytes) -> None:
        """Application bytes to the peer."""
        self._require_open("send")
        if self._ended:
            raise LocalProtocolError("the end of the data was sent", detail="send_after_end")
        for start in range(0, len(data), MAX_DATA_BYTES):
            self._out.append(encode_frame(FrameType.DATA, data[start : start + MAX_DATA_BYTES]))

    def challenge(self, nonce: bytes) -> None:
        """Ask the open peer for evidence of its key for ``nonce``, 32 bytes; an ``Answered`` follows."""
        self._require_open("challenge")
        if self._asked is not None:
            raise LocalProtocolError("a challenge is not yet answered", detail="challenge_pending")
        if not self._peer_spki or not self._peer_terms or not self._peer_terms.provides:
            raise AttesterError("the peer provides no evidence", detail="peer_without_evidence")
        self._asked = relayed_claims(spki=self._peer_spki, nonce=nonce)
        self._out.append(encode_frame(FrameType.CHALLENGE, nonce))

    def answer(self, attached: AttachedEvidence) -> None:
        """The evidence that a ``CollectAnswer`` asked for."""
        if self._answering is None:
            raise LocalProtocolError("no challenge is to be answered", detail="answer_unasked")
        self._sent.add(_digest(attached))
        self._out.append(encode_frame(FrameType.ANSWER, encode_answer(attached, self._answering)))
        self._answering = None

    def finish(self) -> None:
        """No more application bytes are sent; the peer's may still come."""
        self._require_open("finish")
        if not self._ended:
            self._out.append(encode_frame(FrameType.CLOSE))
            self._ended = True
            self._close_if_both_ended()

    def fail(self, code: str) -> None:
        """Tell the peer the stable code of what went wrong, and close both directions."""
        if self._phase is not Phase.CLOSED:
            self._out.append(encode_frame(FrameType.CLOSE, code.encode()[:MAX_CODE_BYTES]))
            self._phase = Phase.CLOSED
            # Work that is still being done for the peer has nowhere to go.
            self._exchange, self._answering = Exchange(b""), None

    # What the peer does.

    def _admit(self, kind: FrameType) -> None:
        admitted = kind in ADMITTED[self._phase]
        if kind in (FrameType.EVIDENCE, FrameType.ACCEPT):
            admitted = admitted and kind in self._exchange.owed
        if kind is FrameType.DATA and self._peer_ended:
            admitted = False
        if not admitted:
            early = kind is FrameType.DATA and self._phase in (Phase.HELLO, Phase.EXCHANGE)
            raise RemoteProtocolError(
                f"{kind.name} may not come in phase {self._phase.name}",
                detail="early_data" if early else "out_of_order",
            )

    def _received(self, frame: Frame) -> None:
        match frame.type:
            case FrameType.HELLO:
                self._peer_hello(Hello.decode(frame.body))
            case FrameType.EVIDENCE:
                self._peer_evidence(decode_attached(frame.body))
            case FrameType.ACCEPT:
                self._peer_accept()
            case FrameType.DATA:
                self._events.append(Data(frame.body))
            case FrameType.CHALLENGE:
                self._peer_challenge(frame.body)
            case FrameType.ANSWER:
                self._peer_answer(*decode_answer(frame.body))
            case _:  # CLOSE, the last there is
                self._peer_close(frame.body)

    def _peer_hello(self, hello: Hello) -> None:
        if self._phase is Phase.OPEN:
            self._hello(Phase.RENEWAL)
        exchange = self._exchange
        if hello.nonce == exchange.nonce:
            raise BindingError("the peer's nonce is the own one", detail="nonce_reflected")
        if self._peer_terms not in (None, hello.terms):
            raise RemoteProtocolError("the peer's terms changed", detail="hello_terms")
        if hello.terms.demands and not self._terms.provides:
            raise AttesterError(
                "the peer demands evidence and no attester is configured", detail="no_attester"
            )
        if self._terms.demands and not hello.terms.provides:
            raise RemoteProtocolError("the peer provides no evidence", detail="evidence_withheld")
        self._peer_terms = hello.terms
        exchange.peer_nonce = hello.nonce
        exchange.binder = self._export(self._context())
        exchange.begin(self._terms, hello.terms)
        self._phase = Phase.EXCHANGE if self._phase is Phase.HELLO else Phase.RENEWING
        if hello.terms.demands:
            self._events.append(Collect(self._report_data(self._role, self._spki, hello.nonce)))
        if not self._terms.demands:
            self._accept()

    def _peer_evidence(self, attached: AttachedEvidence) -> None:
        self._require_not_own(attached)
        self._exchange.owed.discard(FrameType.EVIDENCE)
        self._exchange.appraising = True
        expected = self._report_data(self._role.other, self._peer_spki, self._exchange.nonce)
        self._events.append(Appraise(attached, expected))

    def _peer_accept(self) -> None:
        if FrameType.EVIDENCE in self._exchange.duties:
            raise RemoteProtocolError("evidence was accepted before it was sent", detail="accept_early")
        self._exchange.owed.discard(FrameType.ACCEPT)
        self._open_if_complete()

    def _peer_challenge(self, nonce: bytes) -> None:
        if not self._terms.provides or self._answering is not None:
            raise RemoteProtocolError("a challenge may not come now", detail="challenge_refused")
        if nonce == bytes(NONCE_BYTES):
            raise BindingError("the challenge's nonce is zero", detail="nonce_zero")
        self._answering = relayed_claims(spki=self._spki, nonce=nonce)
        self._events.append(CollectAnswer(gate_report_data(self._answering)))

    def _peer_answer(self, attached: AttachedEvidence, claims: bytes) -> None:
        if self._asked is None:
            raise RemoteProtocolError("an answer that was not asked for", detail="answer_unasked")
        if claims != self._asked:
            raise BindingError("the answer is for another key or nonce", detail="answer_claims")
        self._require_not_own(attached)
        self._asked = None
        self._events.append(Answered(attached, claims))

    def _peer_close(self, body: bytes) -> None:
        if not set(body) <= _CODE:
            raise RemoteProtocolError("CLOSE with no code of an error", detail="close_code")
        if body:
            self._phase = Phase.CLOSED
            self._exchange, self._answering = Exchange(b""), None
            self._events.append(Refused(body.decode()))
        elif not self.open:
            raise RemoteProtocolError("the peer closed before the gate opened", detail="closed_in_gate")
        elif self._peer_ended:
            raise RemoteProtocolError("a second end of the data", detail="out_of_order")
        else:
            self._end_of_peer()

    # Both.

    def _hello(self, phase: Phase) -> None:
        self._exchange = Exchange(self._new_nonce())
        self._phase = phase
        self._sent.clear()
        self._out.append(Hello(self._terms, self._exchange.nonce).encode())

    def _accept(self) -> None:
        self._exchange.duties.discard(FrameType.ACCEPT)
        self._out.append(encode_frame(FrameType.ACCEPT))
        self._open_if_complete()

    def _open_if_complete(self) -> None:
        if self._exchange.complete:
            self._events.append(Opened() if self._phase is Phase.EXCHANGE else Renewed())
            self._phase = Phase.OPEN

    def _end_of_peer(self) -> None:
        self._peer_ended = True
        self._events.append(Ended())
        self._close_if_both_ended()

    def _close_if_both_ended(self) -> None:
        if self._ended and self._peer_ended:
            self._phase = Phase.CLOSED

    def _context(self) -> bytes:
        own, peer = self._exchange.nonce, self._exchange.peer_nonce
        return hashlib.sha256(own + peer if self._role is Role.CLIENT else peer + own).digest()

    def _report_data(self, role: Role, spki: bytes, nonce: bytes) -> bytes:
        return gate_report_data(
            gate_claims(
                spki=spki,
                nonce=nonce,
                binder=self._exchange.binder,
                role=role,
                profile=Profile.EXPORTER_V1,
            )
        )

    def _require_not_own(self, attached: AttachedEvidence) -> None:
        if _digest(attached) in self._sent:
            raise BindingError("the peer sends the own evidence back", detail="evidence_reflected")

    def _require_open(self, what: str) -> None:
        if not self.open:
            raise LocalProtocolError(f"{what} in phase {self._phase.name}", detail="not_open")


def _digest(attached: AttachedEvidence) -> bytes:
    return hashlib.sha256(attached.evidence).digest()
