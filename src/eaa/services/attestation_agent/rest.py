"""The agent over HTTP, for the guest's containers: routes as its components have them [COCO-GUEST].

Failures are told by their status, with a problem document [RFC9457], where the original has 500 for all:
400 malformed, 403 refused, 404 not there, 422 not supported, 503 the broker or the TEE does not answer.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from eaa import __version__
from eaa.codec.hosts import is_loopback
from eaa.codec.strict_json import parse_json
from eaa.errors import EAAError, FormatError, LimitExceeded, UsageError
from eaa.services.attestation_agent.agent import Agent
from eaa.services.attestation_agent.calls import logged
from eaa.services.attestation_agent.failures import agent_outcome
from eaa.services.attestation_agent.measurement import Measured

__all__ = ["rest_app"]

_MAX_BODY_BYTES = 128 * 1024
_MAX_AT_ONCE = 64
_BINARY, _JSON = "application/octet-stream", "application/json"
_PROBLEM = "application/problem+json"
#: As guest components say it.
_MEASURED = {
    Measured.OK: {"success": "true"},
    Measured.NOT_SUPPORTED: {
        "success": "false",
        "message": "The platform does not support runtime measurement",
    },
    Measured.NOT_ENABLED: {
        "success": "false",
        "message": "Attestation Agent does not enable eventlog recording",
    },
}

_Answer = Callable[[Agent, Request], Awaitable[Response]]


def rest_app(agent: Agent, deadline_seconds: float) -> ASGIApp:
    """The application; a peer that is not on loopback is refused, whatever it asks."""

    def route(path: str, answer: _Answer, method: str = "GET") -> Route:
        async def endpoint(request: Request) -> Response:
            return await answer(agent, request)

        return Route(path, _guarded(f"{method} {path}", endpoint, deadline_seconds), methods=[method])

    routes = [
        route("/cdh/resource/{repository}/{type}/{tag}", _resource),
        route("/aa/token", _token),
        route("/aa/evidence", _evidence),
        route("/aa/additional-evidence", _additional_evidence),
        route("/aa/aael", _measure, "POST"),
        route("/info", _info),
    ]
    return _LoopbackOnly(Starlette(routes=routes))


class _LoopbackOnly:
    """Also holds how many requests are answered at once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client is None or not is_loopback(client[0]):
            await PlainTextResponse("Forbidden", 403)(scope, receive, send)
            return
        if self._open >= _MAX_AT_ONCE:
            error = LimitExceeded(f"more than {_MAX_AT_ONCE} requests at once", detail="rate")
            await _problem(error)(scope, receive, send)
            return
        self._open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open -= 1


def _guarded(
    name: str, endpoint: Callable[[Request], Awaitable[Response]], deadline_seconds: float
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return await logged(name, endpoint(request), deadline_seconds)
        except EAAError as error:
            return _problem(error)

    return answer


async def _resource(agent: Agent, request: Request) -> Response:
    names = request.path_params
    return Response(
        await agent.resource(f"{names['repository']}/{names['type']}/{names['tag']}"), media_type=_BINARY
    )


async def _token(agent: Agent, request: Request) -> Response:
    return Response(await agent.token(_parameter(request, "token_type")), media_type=_BINARY)


async def _evidence(agent: Agent, request: Request) -> Response:
    return Response(await agent.evidence.document(_runtime_data(request)), media_type=_BINARY)


async def _additional_evidence(agent: Agent, request: Request) -> Response:
    _runtime_data(request)
    return Response(b"", media_type=_BINARY)  # of no device


async def _measure(agent: Agent, request: Request) -> Response:
    document = parse_json(await _body(request), "AAEL entry")
    members = document if isinstance(document, dict) else {}
    domain, operation, content = (_text(members, name) for name in ("domain", "operation", "content"))
    measured = await agent.measurement.extend(domain, operation, content, None)
    return Response(orjson.dumps(_MEASURED[measured]), media_type=_JSON)


async def _info(agent: Agent, _: Request) -> Response:
    info: dict[str, Any] = {"version": __version__, "feature": "all"}
    with suppress(EAAError):  # a guest without TEE has resources all the same
        info["tee"] = await agent.evidence.tee()
    return Response(orjson.dumps(info), media_type=_JSON)


def _runtime_data(request: Request) -> bytes:
    """UTF-8 as it stands, or base64url without padding."""
    text = _parameter(request, "runtime_data")
    match request.query_params.getlist("encoding"):
        case []:
            return text.encode()
        case ["base64"]:
            try:
                return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            except (binascii.Error, ValueError):
                raise FormatError("not base64url", what="query", field="runtime_data") from None
        case _:
            raise UsageError("expected encoding=base64, or none", detail="encoding")


def _parameter(request: Request, name: str) -> str:
    values = request.query_params.getlist(name)
    if len(values) != 1:
        raise UsageError(f"expected {name} once, came {len(values)} times", detail="parameter")
    return values[0]


async def _body(request: Request) -> bytes:
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > _MAX_BODY_BYTES:
            raise FormatError(
                f"more than {_MAX_BODY_BYTES} bytes", what="AAEL entry", field="length", detail="too_large"
            )
    return bytes(data)


def _text(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str):
        raise FormatError("expected a text", what="AAEL entry", field=name)
    return value


def _problem(error: EAAError) -> Response:
    outcome = agent_outcome(error)
    document = {"type": f"urn:eaa:problem:{outcome.problem}", "status": outcome.http_status}
    document |= {"code": error.code, "detail": str(error)[:1024]}
    return Response(orjson.dumps(document), outcome.http_status, media_type=_PROBLEM)
