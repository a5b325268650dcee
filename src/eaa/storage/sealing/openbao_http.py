"""Requests to OpenBao's HTTP API: bounded in time, size and number; no secret in any error."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from eaa.codec.hosts import is_loopback
from eaa.codec.strict_json import parse_json
from eaa.errors import ConfigError, FormatError, StorageError
from eaa.storage.sealing.master_key import config_error, refused, unavailable

try:
    import httpx
except ImportError as error:  # pragma: no cover - the tests install the extra
    raise ConfigError("a master key in OpenBao needs: pip install eaa[httpx]", key="master_key") from error

__all__ = ["Answer", "OpenBaoHttp"]

_MAX_ANSWER_BYTES = 256 * 1024
#: Sealed, standby or starting, rate limit: another attempt may be answered.
_RETRIED = frozenset({412, 429, 472, 473, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What OpenBao said with ``status`` 200 to 499, of those that are not tried again."""

    name: str
    status: int
    body: bytes

    def text(self, *path: str) -> str:
        """The member at ``path`` of a success.

        Raises:
            StorageError: ``storage.master_key_refused`` unless the status is 200;
                ``storage.master_key_unavailable`` if the member is missing.
        """
        if self.status != 200:
            raise refused(
                self.name, f"OpenBao answered {self.status}: {_MEANINGS.get(self.status, 'refused')}"
            )
        try:
            value = parse_json(self.body, "OpenBao's answer")
        except FormatError:
            value = None
        for member in path:
            value = value.get(member) if isinstance(value, dict) else None
        if not isinstance(value, str):
            raise unavailable(self.name, f"OpenBao's answer has no {'.'.join(path)}")
        return value


_MEANINGS = {
    400: "the request, role, key or ciphertext is not one that it takes",
    403: "the token is refused or may not use this key",
    404: "there is no such mount",
}


class OpenBaoHttp:
    """OpenBao at ``url``, e.g. ``https://bao.example:8200``. Connects for each request and keeps nothing.

    Requests are so rare that a connection would not live until the next. Proxies of the environment
    are not used.

    Args:
        name: of the master key, for errors.
        url: ``http`` is taken on loopback only.
        ca_file: certificates in PEM to trust in place of the system's.
        namespace: of OpenBao; empty for the root.
        timeout_seconds: for one attempt.
        attempts: at most so many, at least 1; between them ``retry_seconds``, doubled each time.

    Raises:
        ConfigError: ``config.master_key``: the URL or the file is not one that can be used.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        ca_file: Path | None = None,
        namespace: str = "",
        timeout_seconds: float = 5.0,
        attempts: int = 3,
        retry_seconds: float = 0.2,
    ) -> None:
        self._name = name
        self._base = _base(url)
        self._tls = _tls(ca_file) if self._base.startswith("https:") else False
        self._headers = {"X-Vault-Request": "true"} | ({"X-Vault-Namespace": namespace} if namespace else {})
        self._timeout_seconds = timeout_seconds
        self._pauses = [retry_seconds * 2**number for number in range(attempts - 1)]

    async def post(self, path: str, body: Mapping[str, str], *, token: str | None) -> Answer:
        """The answer to ``body`` sent to ``/v1/<path>``.

        Raises:
            StorageError: ``storage.master_key_unavailable``: no attempt had one.
        """
        headers = self._headers | ({"X-Vault-Token": token} if token is not None else {})
        content = json.dumps(body).encode()
        for pause in self._pauses:
            with suppress(StorageError):
                return await self._attempt(path, content, headers)
            await asyncio.sleep(pause)
        return await self._attempt(path, content, headers)

    async def _attempt(self, path: str, content: bytes, headers: dict[str, str]) -> Answer:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._once(f"{self._base}/v1/{path}", content, headers)
        except (httpx.TransportError, TimeoutError) as error:
            # The error's own text may hold what was sent; its kind says enough.
            raise unavailable(self._name, f"{self._base}: {type(error).__name__}") from None

    async def _once(self, url: str, content: bytes, headers: dict[str, str]) -> Answer:
        async with (
            httpx.AsyncClient(verify=self._tls, trust_env=False, timeout=self._timeout_seconds) as client,
            client.stream("POST", url, content=content, headers=headers) as response,
        ):
            if response.status_code in _RETRIED or response.status_code < 200:
                raise unavailable(self._name, f"OpenBao answered {response.status_code}: sealed or not ready")
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _MAX_ANSWER_BYTES:
                    raise unavailable(self._name, f"OpenBao's answer exceeds {_MAX_ANSWER_BYTES} bytes")
            return Answer(self._name, response.status_code, bytes(body))


def _base(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise config_error("OpenBao's URL is not a URL", key="url") from None
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
        raise config_error("OpenBao's URL has to be https://host:port", key="url")
    if url.scheme == "http" and not is_loopback(url.host):
        raise config_error(f"OpenBao at {url.host}: https is required off loopback", key="url")
    return str(url).rstrip("/")


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError among them
        message = f"{ca_file}: no certificates in PEM: {error.strerror or type(error).__name__}"
        raise config_error(message, file=str(ca_file)) from None
