"""Administrative routes of resources."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from eaa.broker.administration import Administration
from eaa.services.verdictd.admin_json import resource_json
from eaa.services.verdictd.http_admin_call import Call
from eaa.services.verdictd.http_admin_fields import Answer, done, page_limit, resource_path, secret

__all__ = ["ResourceRoutes"]

_LIST = "/eaa/v1/resources"
_RESOURCE = _LIST + "/{repository}/{type}/{tag}"


class ResourceRoutes:
    """``/eaa/v1/resources``."""

    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    def routes(self) -> list[tuple[str, str, Answer]]:
        """Method, path and answer of each."""
        return [
            ("GET", _LIST, self._list_resources),
            ("PUT", _RESOURCE, self._put_resource),
            ("DELETE", _RESOURCE, self._delete_resource),
            ("GET", _RESOURCE + "/content", self._read_resource),
            ("GET", _RESOURCE + "/versions", self._resource_versions),
            ("POST", _RESOURCE + "/enable", self._enable_resource),
            ("POST", _RESOURCE + "/disable", self._disable_resource),
        ]

    async def _list_resources(self, call: Call) -> Response:
        found = await self._administration.resources.list(
            call.principal,
            prefix=call.text("prefix", ""),
            after=call.text("after", ""),
            limit=page_limit(call),
        )
        return JSONResponse({"resources": [resource_json(info) for info in found]})

    async def _put_resource(self, call: Call) -> Response:
        info = await self._administration.resources.put(call.principal, resource_path(call), call.body)
        return JSONResponse(resource_json(info))

    async def _delete_resource(self, call: Call) -> Response:
        await self._administration.resources.delete(
            call.principal, resource_path(call), version=call.number("version")
        )
        return done()

    async def _read_resource(self, call: Call) -> Response:
        resource = await self._administration.resources.read(
            call.principal, resource_path(call), version=call.number("version")
        )
        return secret(resource.content)

    async def _resource_versions(self, call: Call) -> Response:
        found = await self._administration.resources.versions(call.principal, resource_path(call))
        return JSONResponse({"versions": [resource_json(info) for info in found]})

    async def _enable_resource(self, call: Call) -> Response:
        return await self._switch_resource(call, True)

    async def _disable_resource(self, call: Call) -> Response:
        return await self._switch_resource(call, False)

    async def _switch_resource(self, call: Call, enabled: bool) -> Response:
        await self._administration.resources.set_enabled(
            call.principal, resource_path(call), enabled, version=call.number("version")
        )
        return done()
