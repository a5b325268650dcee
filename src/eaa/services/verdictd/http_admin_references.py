"""Administrative routes of reference values."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from eaa.broker.administration import Administration
from eaa.services.verdictd.admin_json import reference_json
from eaa.services.verdictd.http_admin_call import Call
from eaa.services.verdictd.http_admin_fields import Answer, done, malformed, page_limit, parse_time

__all__ = ["ReferenceRoutes"]

_LIST = "/eaa/v1/references"


class ReferenceRoutes:
    """``/eaa/v1/references``."""

    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    def routes(self) -> list[tuple[str, str, Answer]]:
        """Method, path and answer of each."""
        return [
            ("GET", _LIST, self._list_references),
            ("PUT", _LIST, self._put_references),
            ("POST", _LIST + "/import", self._import_references),
            ("POST", _LIST + "/signed", self._put_signed_references),
            ("GET", _LIST + "/value", self._read_reference),
            ("DELETE", _LIST + "/value", self._delete_reference),
        ]

    async def _list_references(self, call: Call) -> Response:
        found = await self._administration.references.list(
            call.principal, after=call.text("after", ""), limit=page_limit(call)
        )
        return JSONResponse({"references": [reference_json(value) for value in found]})

    async def _put_references(self, call: Call) -> Response:
        values, expiry = call.json.get("values"), call.json.get("expires_at")
        if not isinstance(values, dict):
            raise malformed("values", "expected an object")
        put = await self._administration.references.put(
            call.principal, values, expires_at=None if expiry is None else parse_time(expiry)
        )
        return JSONResponse({"references": [reference_json(value) for value in put]})

    async def _import_references(self, call: Call) -> Response:
        put = await self._administration.references.import_message(call.principal, call.body)
        return JSONResponse({"references": [reference_json(value) for value in put]})

    async def _put_signed_references(self, call: Call) -> Response:
        put = await self._administration.references.put_signed(call.principal, call.body)
        return JSONResponse({"references": [reference_json(value) for value in put]})

    async def _read_reference(self, call: Call) -> Response:
        found = await self._administration.references.read(call.principal, call.text("name"))
        return JSONResponse(reference_json(found))

    async def _delete_reference(self, call: Call) -> Response:
        await self._administration.references.delete(call.principal, call.text("name"))
        return done()
