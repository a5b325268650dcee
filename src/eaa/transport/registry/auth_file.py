"""Who we are to registries: ``auth.json`` as Docker, Podman and skopeo write it [CONTAINERS-AUTH]."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from eaa.codec.strict_json import parse_json
from eaa.errors import FormatError
from eaa.oci.signatures.reference import ImageReference

__all__ = ["ANONYMOUS", "AuthFile", "Login", "parse_auth_file"]

_WHAT = "registry credentials"
_MAX_BYTES = 1024 * 1024
#: What ``docker login`` calls Docker Hub.
_ALIASES = {"https://index.docker.io/v1/": "docker.io", "index.docker.io": "docker.io"}


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a password, or ``identity_token``, an OAuth2 refresh token, if not empty."""

    user: str
    password: str = field(repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of an ``Authorization`` header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


@dataclass(frozen=True, slots=True)
class AuthFile:
    """Logins by ``registry[/namespace…]``."""

    logins: Mapping[str, Login]

    def login_for(self, image: ImageReference) -> Login | None:
        """The login of the most specific namespace of ``image``; None: there is none."""
        parts = image.name.split("/")
        names = ("/".join(parts[:end]) for end in range(len(parts), 0, -1))
        return next((self.logins[name] for name in names if name in self.logins), None)


#: No logins.
ANONYMOUS = AuthFile(MappingProxyType({}))


def parse_auth_file(data: bytes) -> AuthFile:
    """The logins in ``data``. Entries that name a credential helper have no login here.

    Raises:
        FormatError: ``format.auth_file``. The message has no credential in it.
    """
    if len(data) > _MAX_BYTES:
        raise _error("file", f"{len(data)} bytes exceed {_MAX_BYTES}")
    whole = parse_json(data, _WHAT)
    entries = whole.get("auths", {}) if isinstance(whole, dict) else None
    if not isinstance(entries, dict):
        raise _error("auths", "expected an object")
    logins: dict[str, Login] = {}
    for name, entry in entries.items():
        login = _login(entry, f"auths[{name[:64]!r}]")
        if login is not None:
            logins[_registry(name)] = login
    return AuthFile(MappingProxyType(logins))


def _registry(name: str) -> str:
    """``https://host/`` and ``host`` are one."""
    bare = _ALIASES.get(name, name).removeprefix("https://").removeprefix("http://").rstrip("/")
    bare = bare.removesuffix("/v1").removesuffix("/v2")
    return _ALIASES.get(bare, bare)


def _login(entry: Any, field_: str) -> Login | None:
    if not isinstance(entry, dict):
        raise _error(field_, "expected an object")
    packed, token = entry.get("auth", ""), entry.get("identitytoken", "")
    if not isinstance(packed, str) or not isinstance(token, str):
        raise _error(field_, "expected text")
    if not packed:
        return Login("", "", token) if token else None
    try:
        user, colon, password = base64.b64decode(packed, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise _error(f"{field_}.auth", "expected base64 of user:password") from None
    if not colon:
        raise _error(f"{field_}.auth", "expected base64 of user:password")
    return Login(user, password.rstrip("\x00"), token)


def _error(field_: str, message: str) -> FormatError:
    return FormatError(message, what=_WHAT, field=field_, spec="[CONTAINERS-AUTH]", detail="auth_file")
