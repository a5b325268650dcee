"""The gate's phases, what the peer may send in each, and what both ends owe each other in one exchange."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType

from eaa.errors import BindingError, RemoteProtocolError
from eaa.tls.frames import NONCE_BYTES, FrameType, encode_frame

__all__ = ["ADMITTED", "Exchange", "Hello", "Phase", "Terms"]

_VERSION = 1
_DEMANDS, _PROVIDES = 1, 2


class Phase(Enum):
    """Where the gate stands."""

    NEW = auto()  # nothing was sent
    HELLO = auto()  # own HELLO was sent, the peer's has not come
    EXCHANGE = auto()  # evidence and its acceptance
    OPEN = auto()  # application bytes flow
    RENEWAL = auto()  # open; own HELLO of a new exchange was sent, the peer's has not come
    RENEWING = auto()  # open; evidence and its acceptance anew
    CLOSED = auto()


_WHILE_OPEN = frozenset({FrameType.DATA, FrameType.CHALLENGE, FrameType.ANSWER, FrameType.CLOSE})
_EXCHANGED = frozenset({FrameType.EVIDENCE, FrameType.ACCEPT})

#: What the peer may send in which phase; in an exchange only what it still owes.
ADMITTED: Mapping[Phase, frozenset[FrameType]] = MappingProxyType(
    {
        Phase.NEW: frozenset(),
        Phase.HELLO: frozenset({FrameType.HELLO, FrameType.CLOSE}),
        Phase.EXCHANGE: _EXCHANGED | {FrameType.CLOSE},
        Phase.OPEN: _WHILE_OPEN | {FrameType.HELLO},
        Phase.RENEWAL: _WHILE_OPEN | {FrameType.HELLO},
        Phase.RENEWING: _WHILE_OPEN | _EXCHANGED,
        Phase.CLOSED: frozenset(),
    }
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What one end wants: whether it demands evidence of the other, and whether it can provide its own."""

    demands: bool
    provides: bool


@dataclass(frozen=True, slots=True)
class Hello:
    """The HELLO of one end."""

    terms: Terms
    nonce: bytes  # 32

    def encode(self) -> bytes:
        flags = _DEMANDS * self.terms.demands | _PROVIDES * self.terms.provides
        return encode_frame(FrameType.HELLO, bytes((_VERSION, flags)) + self.nonce)

    @classmethod
    def decode(cls, body: bytes) -> Hello:
        """The HELLO in ``body``, 34 bytes.

        Raises:
            RemoteProtocolError: another version, or flags that are not known.
            BindingError: a nonce of zeros.
        """
        version, flags, nonce = body[0], body[1], body[2:]
        if version != _VERSION:
            raise RemoteProtocolError(f"gate version {version}, expected {_VERSION}", detail="gate_version")
        if flags & ~(_DEMANDS | _PROVIDES):
            raise RemoteProtocolError(f"unknown flags {flags:#04x} in HELLO", detail="hello_flags")
        if nonce == bytes(NONCE_BYTES):
            raise BindingError("the peer's nonce is zero", detail="nonce_zero")
        return cls(Terms(bool(flags & _DEMANDS), bool(flags & _PROVIDES)), nonce)


@dataclass(slots=True)
class Exchange:
    """One exchange of evidence: the nonces, the binder, and who still owes what."""

    nonce: bytes
    peer_nonce: bytes = b""
    binder: bytes = b""
    owed: set[FrameType] = field(default_factory=set)  # by the peer
    duties: set[FrameType] = field(default_factory=set)  # by this end
    appraising: bool = False

    def begin(self, own: Terms, peer: Terms) -> None:
        """Who owes what: evidence if the other demands it, and acceptance always."""
        self.owed = {FrameType.ACCEPT} | ({FrameType.EVIDENCE} if own.demands else set())
        self.duties = {FrameType.ACCEPT} | ({FrameType.EVIDENCE} if peer.demands else set())

    @property
    def complete(self) -> bool:
        return not self.owed and not self.duties
