"""TCG crypto-agile event logs, as firmware and boot loaders keep them: structure only.

The same format serves a TPM (``register`` is a PCR index) and the ACPI CCEL table of a
confidential VM (``register`` is a CC measurement register index; for TDX 0 is MRTD and 1 to 4 are
RTMR0 to RTMR3, ``[UEFI-CC §38.4.1]``).

A parsed log is well-formed and no more; what a quote says about it is in
:mod:`eaa.evidence.event_replay`, what its events mean in :mod:`eaa.evidence.event_decode`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eaa.codec.reader import Reader
from eaa.errors import FormatError
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_type import EventType, event_type_name

__all__ = [
    "MAX_EVENTS",
    "MAX_LOG_BYTES",
    "Digest",
    "Event",
    "EventLog",
    "parse_event_log",
]

_WHAT = "event log"
_SPEC = "[TCG-PFP §10.2]"

#: Sixteen times the largest log area among the vectors (1 MiB).
MAX_LOG_BYTES = 16 << 20
#: A 1 MiB area full of the smallest SHA-384 events (66 bytes) holds 15887.
MAX_EVENTS = 16384

_ALGORITHMS = frozenset(int(algorithm) for algorithm in HashAlgorithm)
_SIGNATURE = b"Spec ID Event03\0"
#: What each ends the area with: an index and type of 0xFFFFFFFF, or an entry of all zeros, which as an
#: event would have no digest.
_FILLERS = ((0xFF, 8), (0x00, 12))


@dataclass(frozen=True, slots=True)
class Digest:
    """One ``TPMT_HA``; ``value`` has ``algorithm.digest_size`` bytes."""

    algorithm: HashAlgorithm
    value: bytes


@dataclass(frozen=True, slots=True)
class Event:
    """One ``TCG_PCR_EVENT2`` ``[TCG-PFP §10.2.2]``.

    ``index`` counts from 0 at the first event after the header; ``offset`` is where the entry
    begins in the log. ``register`` is what the log says: a PCR or a CC measurement register.
    ``data`` is the event field as logged, which is not in general what was hashed.
    """

    index: int
    offset: int
    register: int
    event_type: int
    digests: tuple[Digest, ...]
    data: bytes

    @property
    def type_name(self) -> str:
        """The name in the TCG table, or the number in hex."""
        return event_type_name(self.event_type)

    def digest(self, algorithm: HashAlgorithm) -> bytes:
        """The digest of ``algorithm``; :class:`FormatError` (``format.missing_digest``) if there is none."""
        for digest in self.digests:
            if digest.algorithm == algorithm:
                return digest.value
        raise FormatError(
            f"no {algorithm.label} digest",
            what=_WHAT,
            field=f"events[{self.index}].digests",
            offset=self.offset,
            spec="[TCG-PFP §10.2.2]",
            detail="missing_digest",
        )

    def encode(self) -> bytes:
        return (
            _u32(self.register)
            + _u32(self.event_type)
            + _u32(len(self.digests))
            + b"".join(_u16(digest.algorithm) + digest.value for digest in self.digests)
            + _u32(len(self.data))
            + self.data
        )


@dataclass(frozen=True, slots=True)
class EventLog:
    """A whole log: what its header says, and the events after it.

    ``register`` is the index written in the header, which is never extended (0 by the TCG; EDK II
    writes 1 in a CCEL). ``uintn_size`` is 1 for 32 bits, 2 for 64. ``filler`` is the byte that
    fills the rest of the log area, ``None`` where nothing follows the last event.
    """

    register: int
    platform_class: int
    spec_version_major: int
    spec_version_minor: int
    spec_errata: int
    uintn_size: int
    algorithms: tuple[HashAlgorithm, ...]
    vendor_info: bytes
    events: tuple[Event, ...]
    filler: int | None
    filler_length: int

    def encode(self) -> bytes:
        """The log without the filler; for a parsed log, exactly the bytes before the filler."""
        spec_id = (
            _SIGNATURE
            + _u32(self.platform_class)
            + bytes((self.spec_version_minor, self.spec_version_major, self.spec_errata, self.uintn_size))
            + _u32(len(self.algorithms))
            + b"".join(_u16(algorithm) + _u16(algorithm.digest_size) for algorithm in self.algorithms)
            + bytes((len(self.vendor_info),))
            + self.vendor_info
        )
        header = _u32(self.register) + _u32(EventType.EV_NO_ACTION) + bytes(20) + _u32(len(spec_id)) + spec_id
        return header + b"".join(event.encode() for event in self.events)


def parse_event_log(data: bytes) -> EventLog:
    """Parse a log: a TPM's ``binary_bios_measurements``, or the area that the ACPI CCEL table points to.

    The log begins with the legacy ``TCG_PCClientPCREvent`` that carries ``Spec ID Event03``. It ends
    at the end of ``data``, or where only 0xFF or only 0x00 bytes follow.

    Raises:
        FormatError: anything else, a log of more than :data:`MAX_LOG_BYTES` or :data:`MAX_EVENTS`,
            and legacy SHA-1 logs. The field and its offset are named.
    """
    reader = Reader(data, _WHAT, _SPEC)
    if len(data) > MAX_LOG_BYTES:
        raise reader.error("log", f"{len(data)} bytes, at most {MAX_LOG_BYTES} are read", detail="too_large")
    register, spec_id = _parse_header(reader)
    platform_class, versions, algorithms, vendor_info = _parse_spec_id(spec_id)
    events: list[Event] = []
    filler = None
    while reader.remaining:
        filler = _filler(data, reader)
        if filler is not None:
            break
        if len(events) == MAX_EVENTS:
            raise reader.error("events", f"more than {MAX_EVENTS}", detail="too_many")
        events.append(_parse_event(reader, len(events), algorithms))
    return EventLog(
        register,
        platform_class,
        *versions,
        algorithms,
        vendor_info,
        tuple(events),
        filler,
        reader.remaining,
    )


def _parse_header(reader: Reader) -> tuple[int, bytes]:
    """The index in the legacy header, and its event: always 32 bytes before the latter."""
    register = reader.u32("header.pcr_index")
    at = reader.offset
    event_type = reader.u32("header.event_type")
    if event_type != EventType.EV_NO_ACTION:
        raise reader.error("header.event_type", f"{event_type_name(event_type)}, not EV_NO_ACTION", offset=at)
    at = reader.offset
    if any(reader.take(20, "header.digest")):
        raise reader.error("header.digest", "not zero", offset=at)
    return register, reader.take(reader.u32("header.event_size"), "header.event")


def _parse_spec_id(
    data: bytes,
) -> tuple[int, tuple[int, int, int, int], tuple[HashAlgorithm, ...], bytes]:
    """Platform class; major, minor, errata and UINTN size; algorithms; vendor information."""
    reader = Reader(data, _WHAT, "[TCG-PFP §10.4.5.1]", base=32)
    at = reader.offset
    if reader.take(len(_SIGNATURE), "spec_id.signature") != _SIGNATURE:
        raise reader.error("spec_id.signature", "not Spec ID Event03", offset=at)
    platform_class = reader.u32("spec_id.platform_class")
    at = reader.offset
    minor, major, errata, uintn_size = reader.take(4, "spec_id.spec_version")
    if (major, minor) != (2, 0):
        raise reader.error("spec_id.spec_version", f"{major}.{minor}, not 2.0", offset=at)
    if uintn_size not in (1, 2):
        raise reader.error("spec_id.uintn_size", f"{uintn_size}, not 1 or 2", offset=at + 3)
    algorithms = _parse_algorithms(reader)
    vendor_info = reader.take(reader.u8("spec_id.vendor_info_size"), "spec_id.vendor_info")
    reader.end("spec_id")
    return platform_class, (major, minor, errata, uintn_size), algorithms, vendor_info


def _parse_algorithms(reader: Reader) -> tuple[HashAlgorithm, ...]:
    at = reader.offset
    count = reader.u32("spec_id.number_of_algorithms")
    if not 1 <= count <= len(HashAlgorithm):
        raise reader.error(
            "spec_id.number_of_algorithms", f"{count}, not 1 to {len(HashAlgorithm)}", offset=at
        )
    algorithms: list[HashAlgorithm] = []
    for number in range(count):
        field = f"spec_id.digest_sizes[{number}]"
        algorithm = _parse_algorithm(reader, f"{field}.algorithm_id", algorithms)
        at = reader.offset
        size = reader.u16(f"{field}.digest_size")
        if size != algorithm.digest_size:
            raise reader.error(f"{field}.digest_size", f"{size} for {algorithm.label}", offset=at)
        algorithms.append(algorithm)
    return tuple(algorithms)


def _parse_algorithm(reader: Reader, field: str, seen: Sequence[HashAlgorithm]) -> HashAlgorithm:
    at = reader.offset
    code = reader.u16(field)
    if code not in _ALGORITHMS:
        raise reader.error(field, f"unknown hash algorithm {code:#06x}", offset=at)
    algorithm = HashAlgorithm(code)
    if algorithm in seen:
        raise reader.error(field, f"{algorithm.label} twice", offset=at, detail="duplicate")
    return algorithm


def _parse_event(reader: Reader, index: int, algorithms: tuple[HashAlgorithm, ...]) -> Event:
    field = f"events[{index}]"
    offset = reader.offset
    register = reader.u32(f"{field}.pcr_index")
    event_type = reader.u32(f"{field}.event_type")
    digests = _parse_digests(reader, f"{field}.digests", algorithms)
    data = reader.take(reader.u32(f"{field}.event_size"), f"{field}.event")
    return Event(index, offset, register, event_type, digests, data)


def _parse_digests(reader: Reader, field: str, algorithms: tuple[HashAlgorithm, ...]) -> tuple[Digest, ...]:
    """Fewer than the table's are accepted: a guest agent appends to one bank only."""
    at = reader.offset
    count = reader.u32(f"{field}.count")
    if not 1 <= count <= len(algorithms):
        raise reader.error(f"{field}.count", f"{count}, not 1 to {len(algorithms)}", offset=at)
    digests: list[Digest] = []
    for number in range(count):
        at = reader.offset
        name = f"{field}[{number}]"
        algorithm = _parse_algorithm(reader, f"{name}.algorithm_id", [digest.algorithm for digest in digests])
        if algorithm not in algorithms:
            raise reader.error(f"{name}.algorithm_id", f"{algorithm.label} is not in the table", offset=at)
        digests.append(Digest(algorithm, reader.take(algorithm.digest_size, f"{name}.digest")))
    return tuple(digests)


def _filler(data: bytes, reader: Reader) -> int | None:
    """The byte that fills the rest of the area, if a filler begins here; it may hold nothing else."""
    tail = data[reader.offset : reader.offset + 12]
    for byte, length in _FILLERS:
        if tail[:length].count(byte) == len(tail[:length]):
            rest = data[reader.offset :].lstrip(bytes((byte,)))
            if rest:
                raise reader.error(
                    "filler", f"byte {rest[0]:#04x} in a filler of {byte:#04x}", offset=len(data) - len(rest)
                )
            return byte
    return None


def _u16(value: int) -> bytes:
    return value.to_bytes(2, "little")


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "little")
