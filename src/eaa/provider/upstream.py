"""Requests to one upstream service, each bounded in time, size and number.

- TLS is verified, unless told otherwise by name; redirects are followed on the same origin only;
- what may be another answer next time is tried again, after pauses with jitter; nothing else is;
- after 429 or 503 with ``Retry-After`` the service is left alone until then, by all requests.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urljoin, urlsplit

from eaa.errors import ConfigError, EndorsementNotFound, EndorsementUnavailable, ProviderError

try:
    import httpx
except ImportError as error:  # pragma: no cover - the tests install the extra
    raise ConfigError(
        "endorsements are fetched with httpx; install the extra: pip install 'eaa[httpx]'", detail="no_httpx"
    ) from error

from eaa.provider.addresses import require_base_url
from eaa.provider.explained import Explanation
from eaa.provider.http_answer import Answer, is_tls_failure, read_bounded, retry_after_seconds
from eaa.provider.limits import HttpLimits

__all__ = ["Upstream", "open_http"]

_MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NOT_FOUND = frozenset({404, 461, 462})
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_MAX_WORDS = 200
_MAX_ERROR_BYTES = 64 * 1024
_WORDS_OF_PCS = ("request-id", "error-code", "error-message")


def open_http(limits: HttpLimits, *, tls: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    """A client that takes nothing from the environment and follows nothing by itself.

    ``tls`` is how servers are verified; by the system's certificates if not given.
    """
    timeout = httpx.Timeout(limits.attempt_seconds, connect=limits.connect_seconds)
    return httpx.AsyncClient(
        verify=ssl.create_default_context() if tls is None else tls,
        timeout=timeout, trust_env=False, follow_redirects=False,
    )  # fmt: skip


class Upstream:
    """The service ``name``, e.g. ``"PCS"``, at ``base_url``.

    Args:
        http: follows no redirects by itself; closed by who opened it.
        statuses: what its statuses mean.
        pause: waits; for tests.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        name: str,
        base_url: str,
        *,
        statuses: Mapping[int, Explanation],
        limits: HttpLimits | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = http
        self.base_url = require_base_url(base_url, name)
        self.name = f"{name} {self.base_url}"
        self._statuses = statuses
        self._limits = limits or HttpLimits()
        self._pause = pause
        self._places = asyncio.Semaphore(self._limits.parallel)
        self._not_before = 0.0

    async def get(
        self,
        path: str,
        params: Mapping[str, str],
        *,
        asked: str,
        headers: Mapping[str, str] | None = None,
        base_url: str | None = None,
    ) -> Answer:
        """The answer to GET ``path`` with status 200.

        Args:
            asked: what is asked for, in words, for errors. Neither ``params`` nor ``headers`` get there.
            base_url: another origin of the same service, which gets no ``headers``.

        Raises:
            EndorsementNotFound: the service says that there is none.
            EndorsementUnavailable: not reached, refused, too slow, too much, or redirected elsewhere.
        """
        return await self.send("GET", path, params, asked=asked, headers=headers, base_url=base_url)

    async def send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        *,
        asked: str,
        headers: Mapping[str, str] | None = None,
        base_url: str | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """As :meth:`get`, with any method and, if given, a JSON ``body``."""
        base = self.base_url if base_url is None else base_url
        sent = {"Accept-Encoding": "identity", **({} if base_url else dict(headers or {}))}
        if body is not None:
            sent["Content-Type"] = "application/json"
        request = self._http.build_request(
            method, f"{base}/{path}", params=dict(params), headers=sent, content=body
        )
        what = f"{asked}, asked of {self.name}"
        deadline = time.monotonic() + self._limits.total_seconds
        await self._place(what)
        try:
            return await self._tried(request, what, deadline)
        finally:
            self._places.release()

    async def _place(self, what: str) -> None:
        seconds = self._limits.total_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._places.acquire()
        except TimeoutError:
            raise EndorsementUnavailable(
                f"{what}: {self._limits.parallel} requests are under way, none ended in {seconds:g} seconds",
                detail="timeout",
            ) from None

    async def _tried(self, request: httpx.Request, what: str, deadline: float) -> Answer:
        tried = 0
        while True:
            await self._wait(self._not_before - time.monotonic(), deadline, what, None)
            tried += 1
            try:
                return await self._once(request, what)
            except _AgainError as again:
                if tried >= self._limits.tries:
                    raise again.error from None
                pause = again.seconds
                if pause is None:
                    most = self._limits.backoff_seconds * 2.0 ** (tried - 1)
                    # Jitter: many who failed together do not come back together.
                    pause = min(most, self._limits.backoff_most_seconds) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
                await self._wait(pause, deadline, what, again.error)

    async def _wait(self, seconds: float, deadline: float, what: str, error: ProviderError | None) -> None:
        if seconds <= 0:
            return
        if time.monotonic() + seconds > deadline:
            raise error or EndorsementUnavailable(
                f"{what}: the service asked to be left alone for {seconds:.0f} more seconds",
                detail="rate", retry_after_seconds=seconds,
            )  # fmt: skip
        await self._pause(seconds)

    async def _once(self, request: httpx.Request, what: str) -> Answer:
        try:
            async with asyncio.timeout(self._limits.attempt_seconds):
                return await self._followed(request, what)
        except TimeoutError:
            seconds = self._limits.attempt_seconds
            raise _AgainError(
                EndorsementUnavailable(f"{what}: no whole answer in {seconds:g} seconds", detail="timeout")
            ) from None
        except httpx.HTTPError as error:
            unavailable = _unreachable(error, what)
            if is_tls_failure(error):
                raise unavailable from None
            raise _AgainError(unavailable) from None

    async def _followed(self, request: httpx.Request, what: str) -> Answer:
        for _ in range(_MAX_REDIRECTS + 1):
            response = await self._http.send(request, stream=True, follow_redirects=False)
            try:
                if response.status_code not in _REDIRECTS:
                    return await self._answer(response, what)
                target = _same_origin(request, response, what)
            finally:
                await response.aclose()
            request = self._http.build_request(request.method, target, headers=request.headers)
        raise EndorsementUnavailable(f"{what}: more than {_MAX_REDIRECTS} redirects", detail="redirects")

    async def _answer(self, response: httpx.Response, what: str) -> Answer:
        if response.status_code == httpx.codes.OK:
            body = await read_bounded(response, self._limits.body_bytes, what)
            return Answer(response.headers, body, what)
        status = response.status_code
        seconds = retry_after_seconds(response.headers.get("retry-after", ""), datetime.now(UTC))
        error = self._refusal(status, await _words(response), what, seconds)
        if status not in _AGAIN:
            raise error
        if seconds is not None:
            self._not_before = max(self._not_before, time.monotonic() + seconds)
        raise _AgainError(error, seconds)

    def _refusal(self, status: int, words: str, what: str, seconds: float | None) -> ProviderError:
        known = self._statuses.get(status)
        said = f": {known.meaning}; {known.remedy}" if known else ""
        text = f"{what}: the answer is {status}{f' ({words})' if words else ''}{said}"
        if status in _NOT_FOUND:
            return EndorsementNotFound(text, detail="upstream", status=status)
        detail = {401: "credential", 403: "credential", 410: "gone", 429: "rate"}.get(status, "status")
        return EndorsementUnavailable(text, detail=detail, status=status, retry_after_seconds=seconds)


class _AgainError(Exception):
    """``error`` may be another answer next time, after ``seconds`` if the service says so."""

    def __init__(self, error: ProviderError, seconds: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.seconds = seconds


def _unreachable(error: httpx.HTTPError, what: str) -> EndorsementUnavailable:
    detail = "tls" if is_tls_failure(error) else "unreachable"
    return EndorsementUnavailable(f"{what}: {type(error).__name__}: {error!s:.200}", detail=detail)


def _same_origin(request: httpx.Request, response: httpx.Response, what: str) -> str:
    try:
        target: str = urljoin(str(request.url), response.headers.get("location", ""))
        origin = urlsplit(target)[:2]
    except ValueError:
        raise EndorsementUnavailable(
            f"{what}: redirected to what is no address", detail="redirected"
        ) from None
    if origin != urlsplit(str(request.url))[:2]:
        raise EndorsementUnavailable(
            f"{what}: redirected to another host, {urlsplit(target).netloc!a:.80}", detail="redirected"
        )
    return target


async def _words(response: httpx.Response) -> str:
    """What the service says of an error: PCS in headers [PCS-API v4], PCCS as a sentence; escaped and cut."""
    said = [
        f"{name.title().replace('Id', 'ID')} {response.headers[name]}"
        for name in _WORDS_OF_PCS
        if name in response.headers
    ]
    try:
        body = await read_bounded(response, _MAX_ERROR_BYTES, "error")
    except (EndorsementUnavailable, httpx.HTTPError):
        body = b""
    if body and b"<" not in body[:64]:
        said.append(body.decode("utf-8", "replace").strip())
    return ascii(", ".join(said))[1:-1][:_MAX_WORDS]
