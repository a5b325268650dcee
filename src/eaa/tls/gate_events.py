"""What the gate tells its driver: work to be done, and what has happened."""

from __future__ import annotations

from dataclasses import dataclass

from eaa.tls.peer import AttachedEvidence

__all__ = [
    "Answered",
    "Appraise",
    "Collect",
    "CollectAnswer",
    "Data",
    "Ended",
    "Event",
    "Opened",
    "Refused",
    "Renewed",
]


@dataclass(frozen=True, slots=True)
class Collect:
    """Collect own evidence with this report data, 64 bytes, then call ``provide``."""

    report_data: bytes


@dataclass(frozen=True, slots=True)
class CollectAnswer:
    """Collect own evidence for the peer's challenge, then call ``answer``."""

    report_data: bytes


@dataclass(frozen=True, slots=True)
class Appraise:
    """Verify the peer's evidence against this report data, 64 bytes, then call ``accept``, or ``fail``."""

    evidence: AttachedEvidence
    report_data: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """Both ends are satisfied: application bytes may flow."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """Both ends are satisfied again, on the same connection."""


@dataclass(frozen=True, slots=True)
class Data:
    """Application bytes of the peer, at least one."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """The peer's answer to a challenge: evidence that claims to be bound to ``claims``.

    ``claims`` are those of the peer's TLS key and the nonce asked with. The evidence is *not* verified:
    whoever's nonce it was verifies it against :func:`eaa.tls.claims.gate_report_data` of the claims.
    """

    evidence: AttachedEvidence
    claims: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The peer has sent its last application byte."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The peer closed the channel with the stable code of an error."""

    code: str


Event = Collect | CollectAnswer | Appraise | Opened | Renewed | Data | Answered | Ended | Refused
