"""Ids of decisions: what a peer is told so that an operator finds the reason."""

from __future__ import annotations

from datetime import datetime

from eaa.errors import UsageError

__all__ = ["RANDOM_BYTES", "decision_id"]

RANDOM_BYTES = 10
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#: Two characters for each number of ten bits.
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)


def decision_id(now: datetime, random: bytes) -> str:
    """A ULID [ULID]: 26 characters, of which the first 10 are ``now`` in milliseconds and sort by it.

    Args:
        now: aware, 1970 to 10889.
        random: 10 bytes.

    Raises:
        UsageError: ``random`` has another length, or ``now`` is naive.
    """
    if len(random) != RANDOM_BYTES or now.tzinfo is None:
        raise UsageError(f"a decision id takes {RANDOM_BYTES} random bytes and an aware time")
    value = int(now.timestamp() * 1000) << 80 | int.from_bytes(random)
    return "".join([_PAIRS[value >> shift & 1023] for shift in range(120, -1, -10)])
