"""Entries of the Attestation Agent's event log, byte for byte [COCO-AAEL].

All numbers are little-endian: register (u32), ``EV_EVENT_TAG`` (u32), one digest (u32 1, u16 algorithm,
digest), length of the event (u32), and the event: the tag ``AAEL`` (u32), a length (u32), and the text
``<domain> <operation> <content>``. The digest is over the whole event.
"""

from __future__ import annotations

from dataclasses import dataclass

from eaa.errors import FormatError, UsageError
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_log import Digest, Event, parse_event_log
from eaa.evidence.event_payload import AAEL_TAG
from eaa.evidence.event_type import EventType

__all__ = ["AaelEntry", "merged_log", "parse_entry", "tdx_register"]

_MAX_WORD, _MAX_CONTENT = 1024, 64 * 1024
_WHAT = "AAEL entry"
_SPEC = "[COCO-AAEL]"
_END = b"\xff" * 8


@dataclass(frozen=True, slots=True)
class AaelEntry:
    """``domain`` and ``operation`` are words, ``content`` is one line; all are printable."""

    domain: str
    operation: str
    content: str

    def __post_init__(self) -> None:
        for name, text, most in (
            ("domain", self.domain, _MAX_WORD),
            ("operation", self.operation, _MAX_WORD),
            ("content", self.content, _MAX_CONTENT),
        ):
            if not 0 < len(text) <= most or not text.isprintable():
                raise _error(name, f"expected 1 to {most} printable characters on one line")
            if name != "content" and " " in text:
                raise _error(name, "expected a word without spaces")

    def __str__(self) -> str:
        return f"{self.domain} {self.operation} {self.content}"

    def event(self, register: int, algorithm: HashAlgorithm) -> Event:
        """As it stands in the log: ``register`` is the one that was extended."""
        text = str(self).encode()
        data = AAEL_TAG.to_bytes(4, "little") + len(text).to_bytes(4, "little") + text
        digest = Digest(algorithm, algorithm.hash(data))
        return Event(0, 0, register, EventType.EV_EVENT_TAG, (digest,), data)


def parse_entry(text: str) -> AaelEntry:
    """The entry that ``str()`` gives.

    Raises:
        FormatError: it is none.
    """
    domain, _, rest = text.partition(" ")
    operation, _, content = rest.partition(" ")
    return AaelEntry(domain, operation, content)


def tdx_register(pcr: int) -> int:
    """The register, 1 to 4 for RTMR0 to RTMR3, that stands for the PCR ``pcr`` [UEFI-CC §38.4.1].

    Raises:
        UsageError: ``usage.register``: there is no such PCR.
    """
    if not 0 <= pcr < 24:
        raise UsageError(f"expected a PCR from 0 to 23, got {pcr}", detail="register")
    match pcr:
        case 1 | 7:
            return 1
        case 2 | 3 | 4 | 5 | 6:
            return 2
        case 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15:
            return 3
        case _:
            return 4


def merged_log(firmware: bytes, entries: bytes) -> bytes:
    """The firmware's log without its filler, then ``entries`` as they are, then the end mark.

    Raises:
        FormatError: the two make no log.
    """
    merged = parse_event_log(firmware).encode() + entries + _END
    parse_event_log(merged)
    return merged


def _error(field: str, message: str) -> FormatError:
    return FormatError(message, what=_WHAT, field=field, spec=_SPEC)
