"""Event logs as plain values, for ``shelter inspect``."""

from __future__ import annotations

from typing import Any

from eaa.errors import FormatError
from eaa.evidence.event_decode import describe_event
from eaa.evidence.event_digest import check_digest
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_log import Event, EventLog, parse_event_log
from eaa.evidence.event_replay import replay
from eaa.evidence.event_type import EventType

__all__ = ["describe_event_log"]


def describe_event_log(data: bytes) -> dict[str, Any]:
    """Header, replayed registers and every event of a TCG2 event log."""
    log = parse_event_log(data)
    return {
        "spec_version": f"{log.spec_version_major}.{log.spec_version_minor} errata {log.spec_errata}",
        "platform_class": log.platform_class,
        "algorithms": [algorithm.label for algorithm in log.algorithms],
        "vendor_info": log.vendor_info.hex(),
        "event_count": len(log.events),
        "filler_bytes": log.filler_length,
        "registers": {algorithm.label: _registers(log, algorithm) for algorithm in log.algorithms},
        "events": [{**describe_event(event), "digest_check": _checks(event)} for event in log.events],
    }


def _registers(log: EventLog, algorithm: HashAlgorithm) -> dict[str, str]:
    """The replayed value of each register; a bank that some event left out says which."""
    try:
        return {str(register): value.hex() for register, value in sorted(replay(log, algorithm).items())}
    except FormatError as error:
        return {"not_replayable": str(error)}


def _checks(event: Event) -> dict[str, str]:
    if event.event_type == EventType.EV_NO_ACTION:
        return {}
    return {item.algorithm.label: str(check_digest(event, item.algorithm)) for item in event.digests}
