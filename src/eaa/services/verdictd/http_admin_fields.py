"""What the administrative routes read out of requests, and answers that several give."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from starlette.responses import Response

from eaa.broker.names import ResourcePath
from eaa.broker.records import PolicyKind
from eaa.errors import FormatError, UsageError
from eaa.services.verdictd.http_admin_call import Call

__all__ = [
    "Answer",
    "done",
    "malformed",
    "optional_text",
    "page_limit",
    "parse_time",
    "policy_kind",
    "policy_kind_of",
    "rego_text",
    "resource_path",
    "secret",
]

_MAX_PAGE = 1000

#: Answers one authenticated request; what it raises becomes the error of the response.
Answer = Callable[[Call], Awaitable[Response]]


def resource_path(call: Call) -> ResourcePath:
    """The resource that the route names; raises ``FormatError``."""
    return ResourcePath.parse("/".join(call.path(name) for name in ("repository", "type", "tag")))


def policy_kind(call: Call) -> PolicyKind:
    """The kind of policy that the route names; raises ``UsageError``."""
    return policy_kind_of(call.path("kind"))


def policy_kind_of(text: object) -> PolicyKind:
    """The kind called ``text``; raises ``UsageError``."""
    if text not in tuple(PolicyKind):
        raise UsageError(f"kind: expected attestation or resource, got {text!r:.40}", detail="parameter")
    return PolicyKind(str(text))


def page_limit(call: Call) -> int:
    """How many of a list; 1000 without the parameter."""
    limit = call.number("limit", most=_MAX_PAGE)
    return _MAX_PAGE if limit is None else limit


def rego_text(body: bytes) -> str:
    """The Rego of a body; raises ``FormatError``."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise FormatError("not UTF-8", what="policy", field="text", detail="policy") from None


def optional_text(document: dict[str, Any], name: str) -> str | None:
    """The member ``name``, text or missing; raises ``FormatError``."""
    value = document.get(name)
    if not isinstance(value, str | None):
        raise malformed(name, "expected text")
    return value


def parse_time(text: object) -> datetime:
    """The time of RFC 3339; raises ``FormatError``."""
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        raise malformed("expires_at", f"expected RFC 3339, got {text!r:.40}") from None


def secret(content: bytes) -> Response:
    """Bytes that nobody on the way keeps."""
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Response(content, media_type="application/octet-stream", headers=headers)


def done() -> Response:
    """Nothing to say."""
    return Response(status_code=204)


def malformed(field: str, message: str) -> FormatError:
    """The error of a body whose ``field`` is not as expected."""
    return FormatError(message, what="request body", field=field)
