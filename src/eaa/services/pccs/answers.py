"""Answers in PCCS's words: statuses, sentences and headers [PCCS].

A refusal's body is PCCS's sentence for its status, which clients compare. What happened, and what to do, is
in ``Error-Message``, a header of PCS, and ``Error-Code`` has the stable code of our own error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from eaa.errors import (
    CredentialError,
    EAAError,
    EndorsementNotFound,
    EndorsementStale,
    EndorsementUnavailable,
    FormatError,
    LimitExceeded,
    StorageError,
    UnsupportedError,
    VerificationError,
)

__all__ = [
    "DONE",
    "HTML",
    "JSON",
    "Answer",
    "refused",
]

JSON, HTML = "application/json; charset=utf-8", "text/html; charset=utf-8"
#: What is printable in a header, and is not so long that a client's bound is met.
_MAX_MESSAGE = 512

SENTENCES = {
    400: "Invalid request parameters.",
    401: "Authentication failed.",
    404: "No cache data for this platform.",
    408: "Server is currently unable to process the request.",
    410: "The Intel PCS API version 3 reached planned EOL. Accordingly, collateral from this API version "
    "cannot be retrieved any longer.",
    413: "Content too large.",
    429: "Server is currently unable to process the request.",
    431: "Content too large.",
    460: "The integrity of the data can't be verified.",
    461: "The platform was not found in the cache.",
    462: "Certificates are not available for certain TCBs.",
    500: "Internal server error occurred.",
    502: "Unable to retrieve the collateral from the Intel SGX PCS.",
    503: "Server is currently unable to process the request.",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A response. ``until`` is given where the same question gets the same answer until then."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    until: datetime | None = None


def done(body: str = "Operation successful.") -> Answer:
    """What an administrator asked for was done."""
    return Answer(200, (("Content-Type", HTML),), body.encode())


DONE = done()


def refused(error: EAAError, *, status: int | None = None) -> Answer:
    """The refusal for ``error``."""
    status = status or _status(error)
    headers = [("Content-Type", HTML), ("Error-Code", error.code), ("Error-Message", _header(str(error)))]
    pause = next((error.fields[name] for name in _PAUSES if error.fields.get(name) is not None), None)
    if isinstance(pause, int | float) or status == 429:
        headers.append(("Retry-After", str(max(1, round(pause or 1)))))
    return Answer(status, tuple(headers), SENTENCES[status].encode())


def _status(error: EAAError) -> int:
    by_code = _CODES.get(error.code)
    return by_code or next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


#: Seconds, in the fields of an error of ours or of a provider.
_PAUSES = ("retry_after", "retry_after_seconds")
#: What PCCS has statuses of its own for.
_CODES = {
    "endorsement_not_found.platform": 461,
    "endorsement_not_found.tcb_level": 462,
    "endorsement_not_found.version_ended": 410,
    "endorsement_unavailable.rate": 429,
    "endorsement_unavailable.not_refreshable": 503,
    "limit.size": 413,
    "limit.time": 408,
}
#: The first that fits counts.
_STATUSES: tuple[tuple[type[EAAError], int], ...] = (
    (EndorsementNotFound, 404),
    (EndorsementStale, 460),
    (EndorsementUnavailable, 502),
    (VerificationError, 460),
    (UnsupportedError, 404),
    (FormatError, 400),
    (CredentialError, 401),
    (LimitExceeded, 429),
    (StorageError, 503),
)


def _header(text: str) -> str:
    """``text`` as a header may have it: printable ASCII on one line."""
    shown = "".join(char if " " <= char <= "~" else "?" for char in text.replace("\n", " "))
    return shown[:_MAX_MESSAGE]
