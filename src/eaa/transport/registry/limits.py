"""How long and how much a registry may keep us."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MAX_ERROR_BYTES", "MAX_SIGNATURES", "MAX_SIGNATURE_BYTES", "MAX_TOKEN_BYTES", "RegistryLimits"]

MAX_ERROR_BYTES = 64 * 1024
MAX_TOKEN_BYTES = 1024 * 1024
#: One simple signature, or the payload of one in cosign's format.
MAX_SIGNATURE_BYTES = 64 * 1024
#: Of one image. A store with more is refused, not cut short.
MAX_SIGNATURES = 64


@dataclass(frozen=True, slots=True)
class RegistryLimits:
    """Of one request, unless it says otherwise.

    Attributes:
        connect_seconds: until a connection is there.
        stall_seconds: without a byte.
        tries: of a request, or of a blob without progress.
        backoff_seconds: before the second try, doubled before each further one.
        backoff_most_seconds: before any try, also if the registry asks for more.
    """

    connect_seconds: float = 10.0
    stall_seconds: float = 30.0
    tries: int = 4
    backoff_seconds: float = 0.25
    backoff_most_seconds: float = 10.0
