"""Replay of an event log, and what a quote's registers say about the log.

A register is a hash chain: ``value = H(value ‖ digest)`` for each event, from zeros. A replayed value
that equals the quoted one establishes that exactly the log's *digests* of that register, in that
order, were extended. It establishes nothing about

- event types, which are hashed nowhere;
- event data, unless :func:`~eaa.evidence.event_digest.check_digest` finds that the digest is a hash of it;
- events of other registers, and the order of events of different registers.

A replayed value that differs tells less than one would like, since only the end of the chain was
quoted. :func:`compare_with_rtmrs` says what can be known, in :class:`Parting`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from eaa.errors import FormatError, UsageError
from eaa.evidence.event_digest import DigestCheck, check_digest, preimages
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_log import Event, EventLog
from eaa.evidence.event_type import EventType

__all__ = [
    "MAX_LOCALISED_EVENTS",
    "Parting",
    "PartingKind",
    "RtmrComparison",
    "compare_with_rtmrs",
    "replay",
    "startup_locality",
]

#: In a register with more events a difference is looked for among prefixes only, since leaving out
#: each event in turn costs the square of their number. The longest register of the vectors has 71.
MAX_LOCALISED_EVENTS = 256

_LOCALITY_SIGNATURE = b"StartupLocality\0"
_LOCALITIES = (0, 3, 4)


class PartingKind(StrEnum):
    """Where a log and a quoted register part. The first three are established, the others are not."""

    #: The quoted value is the replay of the events before this one. The register had not been
    #: extended with this event, nor with any after it, when it was quoted.
    NOT_IN_QUOTE = "not-in-quote"
    #: With the hash of this event's own data in place of its digest the replay is the quoted value,
    #: for event types whose data is what is hashed.
    DIGEST_ALTERED = "digest-altered"
    #: Without this event the replay is the quoted value. If several equal digests follow each other,
    #: any of them may be the one.
    EXTRA_EVENT = "extra-event"
    #: No single change makes the replay the quoted value. This is the first event whose data and
    #: digest do not belong together: it was tampered with, or its firmware deviates from the
    #: specification. It need not be where the log and the quote part.
    DATA_MISMATCH = "data-mismatch"
    #: No event is singled out. Any may differ, be missing, extra or out of place; or the register
    #: was extended after the last event of the log, which is the one named.
    NOT_LOCALISED = "not-localised"
    #: The log has no event for this register, and the register had been extended.
    NO_EVENTS = "no-events"


_SENTENCES: Mapping[PartingKind, str] = MappingProxyType(
    {
        PartingKind.NOT_IN_QUOTE: "the quote covers the log up to here; this event is not in the quote",
        PartingKind.DIGEST_ALTERED: "the quote has the digest of this event's data, the log another",
        PartingKind.EXTRA_EVENT: "without this event the log replays to the quote",
        PartingKind.DATA_MISMATCH: "cannot be localised; the first event whose data and digest disagree",
        PartingKind.NOT_LOCALISED: "cannot be localised; the last event of the register",
        PartingKind.NO_EVENTS: "the register was extended and the log has no event for it",
    }
)


@dataclass(frozen=True, slots=True)
class Parting:
    """Where log and quote part; ``event`` is ``None`` for :attr:`PartingKind.NO_EVENTS` only."""

    kind: PartingKind
    event: Event | None

    @property
    def established(self) -> bool:
        """True if nothing but a hash collision could make it otherwise."""
        return self.kind in (PartingKind.NOT_IN_QUOTE, PartingKind.DIGEST_ALTERED, PartingKind.EXTRA_EVENT)

    def describe(self) -> str:
        """One sentence for the operator."""
        if self.event is None:
            return _SENTENCES[self.kind]
        event = self.event
        return (
            f"event {event.index} ({event.type_name}) of register {event.register}: {_SENTENCES[self.kind]}"
        )


@dataclass(frozen=True, slots=True)
class RtmrComparison:
    """One RTMR of a quote against the log.

    ``rtmr`` is 0 to 3 and ``register`` the log's index of it, 1 to 4. ``replayed`` and ``quoted`` have
    48 bytes. ``events`` are the indices of the events that extend it. ``inconsistent`` are those whose
    digest differs from what their data says, also where the register matches: their data must not be
    believed. ``parting`` is ``None`` exactly where ``matches``.
    """

    rtmr: int
    register: int
    matches: bool
    replayed: bytes
    quoted: bytes
    events: tuple[int, ...]
    inconsistent: tuple[int, ...]
    parting: Parting | None

    def describe(self) -> dict[str, object]:
        """A JSON-ready form; byte strings are hex."""
        return {
            "rtmr": self.rtmr,
            "register": self.register,
            "matches": self.matches,
            "replayed": self.replayed.hex(),
            "quoted": self.quoted.hex(),
            "events": list(self.events),
            "inconsistent": list(self.inconsistent),
            "parting": None if self.parting is None else self.parting.describe(),
        }


def replay(log: EventLog, algorithm: HashAlgorithm) -> Mapping[int, bytes]:
    """The value of each register that ``log`` extends, in the bank of ``algorithm``.

    Registers begin as zeros, except PCR 0 of a TPM that was started from another locality
    ``[TCG-PFP §10.4.5.3]``; ``EV_NO_ACTION`` extends nothing. A register without extended events is
    not in the result.

    Raises:
        FormatError: the log has no bank of ``algorithm``, an extended event lacks its digest, or a
            startup locality is not one.
    """
    _require_bank(log, algorithm)
    values: dict[int, bytes] = {}
    pcr0 = bytes(algorithm.digest_size)
    for event in log.events:
        if event.event_type == EventType.EV_NO_ACTION:
            locality = startup_locality(event)
            if locality is not None:
                pcr0 = bytes(algorithm.digest_size - 1) + bytes((locality,))
            continue
        start = pcr0 if event.register == 0 else bytes(algorithm.digest_size)
        value = values.get(event.register, start)
        values[event.register] = algorithm.hash(value + event.digest(algorithm))
    return MappingProxyType(values)


def startup_locality(event: Event) -> int | None:
    """The locality that PCR 0 starts from, if ``event`` says so; else ``None``.

    Raises:
        FormatError: the event has the signature and no locality that the specification allows.
    """
    if event.register != 0 or not event.data.startswith(_LOCALITY_SIGNATURE):
        return None
    locality = event.data[len(_LOCALITY_SIGNATURE) :]
    if len(locality) != 1 or locality[0] not in _LOCALITIES:
        raise FormatError(
            f"expected one byte, one of {_LOCALITIES}",
            what="event log",
            field=f"events[{event.index}].StartupLocality",
            offset=event.offset,
            spec="[TCG-PFP §10.4.5.3]",
        )
    return locality[0]


def compare_with_rtmrs(
    log: EventLog,
    rtmrs: tuple[bytes, bytes, bytes, bytes],
    *,
    algorithm: HashAlgorithm = HashAlgorithm.SHA384,
    first: int = 0,
) -> tuple[RtmrComparison, ...]:
    """Compare registers 1 to 4 of ``log`` with four RTMRs, the first of which is number ``first``.

    Those of a TDX quote are RTMR0 to RTMR3, 48 bytes each ``[UEFI-CC §38.4.1]``; those of a CSV report of
    version 2 are RTMR1 to RTMR4, 32 bytes each, in SM3. That the evidence is genuine and fresh is the
    caller's business. Register 0, which module or firmware measure themselves (MRTD, RTMR0 of CSV), is not
    compared.

    Raises:
        UsageError: ``rtmrs`` is not four values of ``algorithm``.
        FormatError: the log has no bank of ``algorithm``, or an extended event lacks its digest.
    """
    size = algorithm.digest_size
    if len(rtmrs) != 4 or any(len(value) != size for value in rtmrs):
        raise UsageError(f"four RTMRs of {size} bytes each are needed", detail="rtmr_size")
    _require_bank(log, algorithm)
    return tuple(
        _compare(log, first + index, index + 1, quoted, algorithm) for index, quoted in enumerate(rtmrs)
    )


def _require_bank(log: EventLog, algorithm: HashAlgorithm) -> None:
    if algorithm not in log.algorithms:
        raise FormatError(
            f"no {algorithm.label} bank",
            what="event log",
            field="spec_id.digest_sizes",
            spec="[TCG-PFP §10.4.5.1]",
            detail="missing_algorithm",
        )


def _compare(
    log: EventLog, rtmr: int, register: int, quoted: bytes, algorithm: HashAlgorithm
) -> RtmrComparison:
    events = tuple(
        event
        for event in log.events
        if event.register == register and event.event_type != EventType.EV_NO_ACTION
    )
    states = [bytes(algorithm.digest_size)]
    for event in events:
        states.append(algorithm.hash(states[-1] + event.digest(algorithm)))
    inconsistent = tuple(event for event in events if check_digest(event, algorithm) is DigestCheck.DIFFERS)
    matches = states[-1] == quoted
    return RtmrComparison(
        rtmr=rtmr,
        register=register,
        matches=matches,
        replayed=states[-1],
        quoted=quoted,
        events=tuple(event.index for event in events),
        inconsistent=tuple(event.index for event in inconsistent),
        parting=None if matches else _part(events, states, inconsistent, quoted, algorithm),
    )


def _part(
    events: tuple[Event, ...],
    states: list[bytes],
    inconsistent: tuple[Event, ...],
    quoted: bytes,
    algorithm: HashAlgorithm,
) -> Parting:
    """The strongest statement first: ``states[i]`` is the replay of ``events[:i]``."""
    if not events:
        return Parting(PartingKind.NO_EVENTS, None)
    if quoted in states:
        return Parting(PartingKind.NOT_IN_QUOTE, events[states.index(quoted)])
    if len(events) <= MAX_LOCALISED_EVENTS:
        digests = [event.digest(algorithm) for event in events]
        suspects = {event.index for event in inconsistent}
        for at, event in enumerate(events):
            tail = digests[at + 1 :]
            if event.index in suspects:
                for preimage in preimages(event):
                    if _extend(states[at], [algorithm.hash(preimage), *tail], algorithm) == quoted:
                        return Parting(PartingKind.DIGEST_ALTERED, event)
            if _extend(states[at], tail, algorithm) == quoted:
                return Parting(PartingKind.EXTRA_EVENT, event)
    if inconsistent:
        return Parting(PartingKind.DATA_MISMATCH, inconsistent[0])
    return Parting(PartingKind.NOT_LOCALISED, events[-1])


def _extend(value: bytes, digests: Iterable[bytes], algorithm: HashAlgorithm) -> bytes:
    for digest in digests:
        value = algorithm.hash(value + digest)
    return value
