"""Bearer tokens of registries: asked for at the realm that the registry names [DISTRIBUTION token]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from eaa.codec.hosts import is_loopback
from eaa.codec.strict_json import parse_json
from eaa.errors import AccessDenied, FormatError, RemoteProtocolError
from eaa.transport.registry.address import require_secure
from eaa.transport.registry.auth_file import Login
from eaa.transport.registry.bodies import read_body
from eaa.transport.registry.challenge import Challenge, parse_challenges
from eaa.transport.registry.limits import MAX_TOKEN_BYTES
from eaa.transport.registry.refusals import refusal

__all__ = ["answer_challenge"]

_CLIENT_ID = "eaa"


async def answer_challenge(
    http: httpx.AsyncClient, header: str, login: Login | None, *, asked_at: str, scope: str, what: str
) -> str:
    """The ``Authorization`` header that meets the challenges in ``header``.

    Args:
        asked_at: the URL that was refused.
        scope: asked for where the challenge names none, ``repository:<name>:pull``.

    Raises:
        RemoteProtocolError: no challenge that can be met, or the token service is not reached or insecure.
        AccessDenied: ``access_denied.registry_login``.
    """
    challenges = {challenge.scheme: challenge for challenge in parse_challenges(header, what=what)}
    if "bearer" in challenges:
        return "Bearer " + await _token(http, challenges["bearer"], login, asked_at, scope, what)
    if "basic" in challenges:
        if login is None or login.identity_token:
            raise AccessDenied(
                f"{what}: it needs a user and a password, and there are none for it", detail="registry_login"
            )
        return login.basic
    raise RemoteProtocolError(
        f"{what}: expected a Bearer or Basic challenge, got {header[:64]!r}", detail="challenge"
    )


async def _token(
    http: httpx.AsyncClient, challenge: Challenge, login: Login | None, asked_at: str, scope: str, what: str
) -> str:
    realm = challenge.parameters.get("realm", "")
    parts = require_secure(realm, what=f"{what}: token service")
    if parts.scheme == "http" and not is_loopback(urlsplit(asked_at).hostname):
        raise RemoteProtocolError(f"{what}: token service on loopback", detail="insecure_url")
    query = {name: challenge.parameters[name] for name in ("service",) if name in challenge.parameters}
    query["scope"] = challenge.parameters.get("scope", scope)
    request = _request(http, realm, query, login)
    try:
        response = await http.send(request, stream=True, follow_redirects=False)
        try:
            body = await read_body(response, MAX_TOKEN_BYTES, what=f"{what}: token service")
        finally:
            await response.aclose()
    except (httpx.HTTPError, UnicodeError) as error:  # the latter of a redirect to what is no name
        raise RemoteProtocolError(
            f"{what}: the token service {parts.netloc} is not reached: {type(error).__name__}: {error}",
            detail="registry_unreachable",
        ) from None
    if response.status_code != httpx.codes.OK:
        raise refusal(
            response.status_code, body, what=f"{what}: token service {parts.netloc}",
            authenticated=login is not None,
        )  # fmt: skip
    return _token_in(body, what)


def _request(
    http: httpx.AsyncClient, realm: str, query: Mapping[str, str], login: Login | None
) -> httpx.Request:
    """With a refresh token it is a POST, else a GET; both as the token specification has them."""
    if login is not None and login.identity_token:
        form = {**query, "grant_type": "refresh_token", "client_id": _CLIENT_ID}
        return http.build_request("POST", realm, data={**form, "refresh_token": login.identity_token})
    separator = "&" if urlsplit(realm).query else "?"
    headers = {"Authorization": login.basic} if login is not None else {}
    return http.build_request("GET", f"{realm}{separator}{urlencode(query)}", headers=headers)


def _token_in(body: bytes, what: str) -> str:
    try:
        value: Any = parse_json(body, "registry token")
    except FormatError:
        value = None
    found = (value.get("token") or value.get("access_token")) if isinstance(value, dict) else None
    if not isinstance(found, str) or not found.isascii() or not found.isprintable() or " " in found:
        raise RemoteProtocolError(f"{what}: the token service's answer has no token", detail="token")
    return found
