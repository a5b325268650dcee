"""Administrative routes of decisions, and the status."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from eaa.broker.administration import Administration
from eaa.broker.records import DecisionKind
from eaa.errors import UsageError
from eaa.services.verdictd.admin_json import decision_json, status_json
from eaa.services.verdictd.http_admin_call import Call
from eaa.services.verdictd.http_admin_fields import Answer, page_limit

__all__ = ["DecisionRoutes"]

_LIST = "/eaa/v1/decisions"


class DecisionRoutes:
    """``/eaa/v1/decisions`` and ``/eaa/v1/status``."""

    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    def routes(self) -> list[tuple[str, str, Answer]]:
        """Method, path and answer of each."""
        return [
            ("GET", _LIST, self._list_decisions),
            ("GET", _LIST + "/{id}", self._explain),
            ("GET", "/eaa/v1/status", self._status),
        ]

    async def _list_decisions(self, call: Call) -> Response:
        granted, kind = call.text("granted", ""), call.text("kind", "")
        if granted not in ("", "true", "false") or kind not in ("", *DecisionKind):
            kinds = ", ".join(DecisionKind)
            raise UsageError(f"granted: true or false; kind: one of {kinds}", detail="parameter")
        found = await self._administration.decisions.list(
            call.principal,
            before=call.text("before", ""),
            limit=page_limit(call),
            granted=None if not granted else granted == "true",
            kind=DecisionKind(kind) if kind else None,
        )
        return JSONResponse({"decisions": [decision_json(decision) for decision in found]})

    async def _explain(self, call: Call) -> Response:
        found = await self._administration.decisions.explain(call.principal, call.path("id"))
        return JSONResponse(decision_json(found))

    async def _status(self, call: Call) -> Response:
        return JSONResponse(status_json(await self._administration.decisions.status(call.principal)))
