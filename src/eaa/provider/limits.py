"""How long, how much and how often an upstream service may keep us."""

from __future__ import annotations

from dataclasses import dataclass

from eaa.endorsements.fetched import MAX_FETCHED_BYTES

__all__ = ["HttpLimits"]


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Of one request and its repetitions.

    Attributes:
        connect_seconds: until a connection is there.
        attempt_seconds: of one attempt, its whole body included: a slow drip does not prolong it.
        total_seconds: of all attempts and the pauses between them.
        tries: at most.
        backoff_seconds: the longest pause before the second try, doubled before each further one; a pause is
            a random part of it between a half and the whole.
        backoff_most_seconds: of any such pause. What ``Retry-After`` asks for may be longer.
        body_bytes: of an answer.
        parallel: requests to one service at a time.
    """

    connect_seconds: float = 10.0
    attempt_seconds: float = 30.0
    total_seconds: float = 60.0
    tries: int = 4
    backoff_seconds: float = 1.0
    backoff_most_seconds: float = 16.0
    body_bytes: int = MAX_FETCHED_BYTES
    parallel: int = 8
