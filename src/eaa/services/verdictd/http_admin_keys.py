"""Administrative routes of keys."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from eaa.broker.administration import Administration
from eaa.services.verdictd.admin_json import key_json
from eaa.services.verdictd.http_admin_call import Call
from eaa.services.verdictd.http_admin_fields import Answer, done, malformed, page_limit, secret

__all__ = ["KeyRoutes"]

_LIST = "/eaa/v1/keys"
_KEY = _LIST + "/{kid}"


class KeyRoutes:
    """``/eaa/v1/keys``."""

    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    def routes(self) -> list[tuple[str, str, Answer]]:
        """Method, path and answer of each."""
        return [
            ("GET", _LIST, self._list_keys),
            ("POST", _LIST, self._create_key),
            ("PUT", _KEY, self._import_key),
            ("DELETE", _KEY, self._destroy_key),
            ("GET", _KEY + "/material", self._read_key),
            ("GET", _KEY + "/versions", self._key_versions),
            ("POST", _KEY + "/rotate", self._rotate_key),
        ]

    async def _list_keys(self, call: Call) -> Response:
        found = await self._administration.keys.list(
            call.principal, after=call.text("after", ""), limit=page_limit(call)
        )
        return JSONResponse({"keys": [key_json(info) for info in found]})

    async def _create_key(self, call: Call) -> Response:
        kid, bits = call.json.get("kid"), call.json.get("bits", 256)
        if not isinstance(kid, str | None) or not isinstance(bits, int):
            raise malformed("kid and bits", "expected text and a number")
        return JSONResponse(key_json(await self._administration.keys.create(call.principal, kid, bits=bits)))

    async def _import_key(self, call: Call) -> Response:
        info = await self._administration.keys.import_(call.principal, call.path("kid"), call.body)
        return JSONResponse(key_json(info))

    async def _destroy_key(self, call: Call) -> Response:
        version = call.number("version")
        await self._administration.keys.destroy(call.principal, call.path("kid"), version=version)
        return done()

    async def _read_key(self, call: Call) -> Response:
        version = call.number("version")
        key = await self._administration.keys.read(call.principal, call.path("kid"), version=version)
        return secret(key.material)

    async def _key_versions(self, call: Call) -> Response:
        found = await self._administration.keys.versions(call.principal, call.path("kid"))
        return JSONResponse({"versions": [key_json(info) for info in found]})

    async def _rotate_key(self, call: Call) -> Response:
        return JSONResponse(
            key_json(await self._administration.keys.rotate(call.principal, call.path("kid")))
        )
