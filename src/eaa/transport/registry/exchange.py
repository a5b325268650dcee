"""One request to a registry: logins, redirects and further tries, each bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx

from eaa.codec.hosts import is_loopback
from eaa.errors import RemoteProtocolError
from eaa.oci.signatures.reference import ImageReference
from eaa.transport.registry.address import follow, registry_host, require_secure
from eaa.transport.registry.auth_file import AuthFile
from eaa.transport.registry.bodies import read_beginning
from eaa.transport.registry.limits import MAX_ERROR_BYTES, RegistryLimits
from eaa.transport.registry.refusals import RETRYABLE, refusal
from eaa.transport.registry.tokens import answer_challenge

__all__ = ["HTTP_ERRORS", "Exchange", "unreachable"]

#: ``httpx`` looks at redirects also where it does not follow them, and a name in one may be none.
HTTP_ERRORS = (httpx.HTTPError, UnicodeError)
_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Exchange:
    """Requests about ``image`` to its registry, through ``http``, which follows no redirects by itself."""

    def __init__(
        self, http: httpx.AsyncClient, image: ImageReference, auth: AuthFile, limits: RegistryLimits
    ) -> None:
        self._http, self._image, self._limits = http, image, limits
        self._login = auth.login_for(image)
        self._authorization = ""
        self._base = ""
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def get(
        self, path: str, headers: Mapping[str, str], *, what: str, expected: frozenset[int]
    ) -> AsyncIterator[httpx.Response]:
        """The streamed answer to GET ``path`` below the repository, with a status of ``expected``.

        Raises:
            EAAError: refused, not reached, or redirected to where it is not safe; names ``what``.
        """
        response = await self._tried(path, headers, what, expected)
        try:
            yield response
        finally:
            await response.aclose()

    async def _tried(
        self, path: str, headers: Mapping[str, str], what: str, expected: frozenset[int]
    ) -> httpx.Response:
        url = f"{await self._origin(what)}/v2/{self._image.repository}/{path}"
        for remaining in reversed(range(self._limits.tries)):
            try:
                response = await self._authorized(url, headers, what)
                if response.status_code in expected:
                    return response
                try:
                    body = await read_beginning(response, MAX_ERROR_BYTES)
                finally:
                    await response.aclose()
            except HTTP_ERRORS as error:
                if not remaining:
                    raise unreachable(error, what) from None
                await self.pause(remaining)
                continue
            if not remaining or response.status_code not in RETRYABLE:
                break
            await self.pause(remaining, response.headers.get("retry-after", ""))
        raise refusal(response.status_code, body, what=what, authenticated=bool(self._authorization))

    async def pause(self, remaining: int, asked: str = "") -> None:
        """Wait before the next try; as long as the registry asked in whole seconds, within bounds."""
        tried = self._limits.tries - 1 - remaining
        seconds = float(asked) if asked.isdecimal() and len(asked) < 6 else 0.0
        seconds = max(seconds, self._limits.backoff_seconds * 2.0**tried)
        await asyncio.sleep(min(seconds, self._limits.backoff_most_seconds))

    async def _authorized(self, url: str, headers: Mapping[str, str], what: str) -> httpx.Response:
        """The answer, after the registry's challenge was met if it has one; once for each request."""
        used = self._authorization
        response = await self._followed(url, headers, what)
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return response
        challenge = response.headers.get("www-authenticate", "")
        if not challenge:
            return response
        await response.aclose()
        async with self._opening:
            if self._authorization == used:
                self._authorization = await answer_challenge(
                    self._http, challenge, self._login, asked_at=url,
                    scope=f"repository:{self._image.repository}:pull", what=what,
                )  # fmt: skip
        return await self._followed(url, headers, what)

    async def _followed(self, url: str, headers: Mapping[str, str], what: str) -> httpx.Response:
        """The answer at the end of the redirects. Only the registry itself gets our authorization."""
        origin = urlsplit(url)[:2]
        for _ in range(_MAX_REDIRECTS):
            own = urlsplit(url)[:2] == origin and self._authorization
            sent = {**headers, "Authorization": self._authorization} if own else dict(headers)
            request = self._http.build_request("GET", url, headers={"Accept-Encoding": "identity", **sent})
            response = await self._http.send(request, stream=True, follow_redirects=False)
            if response.status_code not in _REDIRECTS:
                return response
            await response.aclose()
            url = follow(url, response.headers.get("location", ""), what=what)
        raise RemoteProtocolError(f"{what}: more than {_MAX_REDIRECTS} redirects", detail="redirects")

    async def _origin(self, what: str) -> str:
        """Scheme and host. On loopback a registry may speak plain HTTP, which is found out once."""
        async with self._opening:
            if not self._base:
                host = registry_host(self._image.registry)
                require_secure(f"https://{host}", what=what)
                plain = is_loopback(urlsplit(f"//{host}").hostname) and not await self._speaks_tls(host, what)
                self._base = f"{'http' if plain else 'https'}://{host}"
        return self._base

    async def _speaks_tls(self, host: str, what: str) -> bool:
        try:
            await self._http.get(f"https://{host}/v2/", follow_redirects=False)
        except httpx.ConnectError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise unreachable(error, what) from None
            return False
        except httpx.HTTPError:
            return False
        return True


def unreachable(error: Exception, what: str) -> RemoteProtocolError:
    """The registry was not reached, or the connection to it broke."""
    return RemoteProtocolError(
        f"{what}: the registry is not reached: {type(error).__name__}: {error}", detail="registry_unreachable"
    )
