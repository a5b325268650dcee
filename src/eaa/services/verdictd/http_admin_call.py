"""One administrative request over HTTP: who asks, what, within which bounds; errors in Trustee's shape."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from eaa.broker.administration import Principal
from eaa.codec.strict_json import parse_json
from eaa.errors import (
    AccessDenied,
    CredentialError,
    EAAError,
    FormatError,
    InternalError,
    LimitExceeded,
    PolicyError,
    UnsupportedError,
    UsageError,
    outcome_of,
)
from eaa.transport.unexpected import log_unexpected

__all__ = ["MAX_BODY_BYTES", "MAX_NUMBER", "Authenticate", "Call", "Endpoint", "endpoint", "error_response"]

_LOG = logging.getLogger("eaa.services.verdictd")

#: Above the largest resource and, as base64, the largest policy.
MAX_BODY_BYTES = 2 * 1024 * 1024
#: Above it no version can be stored.
MAX_NUMBER = 2**31 - 1
_TYPE = "https://github.com/confidential-containers/kbs/errors/"
_CONTENT_TOO_LARGE = 413
#: The nearest of Trustee's variants; of others there is ``PluginInternalError``.
_VARIANTS: Mapping[type[EAAError], str] = MappingProxyType(
    {
        CredentialError: "AdminAuthAccess",
        AccessDenied: "AdminAuthAccess",
        FormatError: "SerdeError",
        PolicyError: "PolicyEngineError",
        UnsupportedError: "RvpsError",
    }
)

#: Who the bearer of a token is; raises :class:`~eaa.errors.CredentialError`.
Authenticate = Callable[[str], Principal]
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Call:
    """An authenticated request and its whole body."""

    principal: Principal
    request: Request
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object, which may be empty.

        Raises:
            FormatError: it is none.
        """
        value = parse_json(self.body, "request body") if self.body else {}
        if not isinstance(value, dict):
            raise FormatError("expected a JSON object", what="request body", field="JSON")
        return value

    def path(self, name: str) -> str:
        return str(self.request.path_params[name])

    def text(self, name: str, default: str | None = None) -> str:
        """The value of a query parameter.

        Raises:
            UsageError: ``usage.parameter``: it is missing and has no default.
        """
        value = self.request.query_params.get(name, default)
        if value is None:
            raise UsageError(f"expected the query parameter {name}", detail="parameter")
        return value

    def number(self, name: str, *, most: int = MAX_NUMBER) -> int | None:
        """The value of a query parameter, 0 to ``most``; ``None`` without it.

        Raises:
            UsageError: ``usage.parameter``.
        """
        value = self.request.query_params.get(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) < 11 and 0 <= int(value) <= most):
            raise UsageError(
                f"{name}: expected a number from 0 to {most}, got {value!r:.40}", detail="parameter"
            )
        return int(value)


def endpoint(authenticate: Authenticate, answer: Callable[[Call], Awaitable[Response]]) -> Endpoint:
    """What answers with ``answer`` whoever has a credential."""

    async def guarded(request: Request) -> Response:
        try:
            principal = authenticate(_bearer(request))
            return await answer(Call(principal, request, await _body(request)))
        except EAAError as error:
            return error_response(error)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            # Without the path, which names a resource.
            log_unexpected(_LOG, f"{request.method} of an administrator", error)
            return error_response(InternalError(type(error).__name__))

    return guarded


def error_response(error: EAAError) -> JSONResponse:
    """``error`` in the shape of Trustee's, with our code beside it. Who has no credential is told no more."""
    status, headers = outcome_of(error).http_status, {}
    if error.code == "limit.size":
        status = _CONTENT_TOO_LARGE
    if isinstance(error, CredentialError):
        headers["www-authenticate"] = "Bearer"
    quiet = isinstance(error, CredentialError | InternalError)
    body = {
        "type": _TYPE + _variant(error),
        "detail": error.public if quiet else str(error),
        "code": error.code,
    }
    return JSONResponse(body, status, headers)


def _variant(error: EAAError) -> str:
    if error.code == "format.policy":
        return "ParsePolicyError"
    return next((name for cls, name in _VARIANTS.items() if isinstance(error, cls)), "PluginInternalError")


def _bearer(request: Request) -> str:
    values = request.headers.getlist("authorization")
    if len(values) != 1:
        return ""
    scheme, _, token = values[0].partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise LimitExceeded(f"expected a body of at most {MAX_BODY_BYTES} bytes", detail="size")
        parts.append(part)
    return b"".join(parts)
