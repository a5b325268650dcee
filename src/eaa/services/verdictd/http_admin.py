"""The administrative routes over HTTP; each wants a bearer token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from eaa.broker.administration import Administration
from eaa.services.verdictd.http_admin_call import Authenticate, Call, endpoint
from eaa.services.verdictd.http_admin_decisions import DecisionRoutes
from eaa.services.verdictd.http_admin_fields import Answer
from eaa.services.verdictd.http_admin_keys import KeyRoutes
from eaa.services.verdictd.http_admin_policies import PolicyRoutes
from eaa.services.verdictd.http_admin_references import ReferenceRoutes
from eaa.services.verdictd.http_admin_resources import ResourceRoutes
from eaa.services.verdictd.http_admin_trustee import TrusteeAdmin

__all__ = ["admin_routes", "resource_endpoint"]


def admin_routes(
    administration: Administration, authenticate: Authenticate, *, now: Callable[[], datetime]
) -> list[Route]:
    """All but ``/kbs/v0/resource/<path>``, which guests ask for too: see :func:`resource_endpoint`.

    ``/kbs/v0`` are Trustee's, ``/eaa/v1`` are all there is.
    """
    table: list[tuple[str, str, Answer]] = [
        *TrusteeAdmin(administration).routes(),
        *ResourceRoutes(administration).routes(),
        *KeyRoutes(administration).routes(),
        *PolicyRoutes(administration, now).routes(),
        *ReferenceRoutes(administration).routes(),
        *DecisionRoutes(administration).routes(),
    ]
    return [Route(path, endpoint(authenticate, answer), methods=[method]) for method, path, answer in table]


def resource_endpoint(
    administration: Administration, authenticate: Authenticate
) -> Callable[[Request, str], Awaitable[Response]]:
    """Answers ``POST`` and ``DELETE`` of ``/kbs/v0/resource/<path>``, given the request and the path."""
    trustee = TrusteeAdmin(administration)

    async def answer(request: Request, path: str) -> Response:
        async def resource(call: Call) -> Response:
            return await trustee.resource(call, path)

        return await endpoint(authenticate, resource)(request)

    return answer
