"""What a registry's refusal means: its status and its own words, in our errors [OCI-DISTRIBUTION errors]."""

from __future__ import annotations

from eaa.codec.strict_json import parse_json
from eaa.errors import (
    AccessDenied,
    EAAError,
    FormatError,
    LimitExceeded,
    RemoteProtocolError,
    ResourceNotFound,
)

__all__ = ["RETRYABLE", "refusal"]

#: Statuses that may be another one next time.
RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})
_MAX_WORDS = 256


def refusal(status: int, body: bytes, *, what: str, authenticated: bool) -> EAAError:
    """The error for ``status``; ``what`` names registry, repository and what was asked for."""
    said = _words(body)
    words = f"{status}" + (f" {said}" if said else "")
    if status == 404:
        return ResourceNotFound(f"{what}: not found ({words})", detail="registry")
    if status == 401:
        hint = "the login is not accepted" if authenticated else "it needs a login, and there is none for it"
        return AccessDenied(f"{what}: {hint} ({words})", detail="registry_login")
    if status == 403:
        return AccessDenied(f"{what}: refused ({words})", detail="registry")
    if status == 429:
        return LimitExceeded(f"{what}: asked too often ({words})", detail="rate")
    return RemoteProtocolError(f"{what}: expected 200, came {words}", detail="registry", status=status)


def _words(body: bytes) -> str:
    """Code and message of the first error, escaped and cut; empty if there is none."""
    try:
        value = parse_json(body, "registry error")
        first = value["errors"][0]
        text = " ".join(str(first[name]) for name in ("code", "message") if name in first)
    except (FormatError, TypeError, LookupError):
        return ""
    return ascii(text[:_MAX_WORDS])[1:-1]
