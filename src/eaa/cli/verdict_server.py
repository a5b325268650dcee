"""Which verdictd a command asks, who asks, and how: options, the admin key, HTTP."""

from __future__ import annotations

import functools
import getpass
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from eaa.broker.admin_token import issue_admin_token
from eaa.cli.files import load_input
from eaa.cli.verdict_refused import UNREACHABLE, Refused, exit_code_of
from eaa.codec.hosts import is_loopback
from eaa.errors import ConfigError, UsageError
from eaa.services.verdictd.admin_key import PRIVATE_FILE, default_admin_folder, load_admin_key

try:
    import httpx
except ImportError as error:  # pragma: no cover - the tests install the extra
    raise ConfigError("verdict needs httpx: pip install eaa[verdictd]", key="verdictd") from error

__all__ = [
    "DEFAULT_URL",
    "Server",
    "admin_key_option",
    "mint_token",
    "pages",
    "server_options",
]

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_URL = "http://127.0.0.1:8080"
_TIMEOUT_SECONDS = 30.0
_TOKEN_SECONDS = 120
_PAGE = 1000
_FORWARDED = ("admin_key", "ca")


@dataclass(frozen=True, slots=True)
class Server:
    """A verdictd at ``url``; ``ca`` is a PEM file of who vouches for it, ``admin_key`` one of who asks."""

    url: str
    ca: str | None
    admin_key: str | None

    def ask(
        self, method: str, path: str, *, params: Mapping[str, str | int | None] | None = None,
        content: bytes | None = None, json: Any = None,
    ) -> httpx.Response:  # fmt: skip
        """The answer, which is a yes.

        Raises:
            Refused: it is not, or there is none.
        """
        given = {name: value for name, value in (params or {}).items() if value is not None}
        headers = {"authorization": f"Bearer {mint_token(self.admin_key, seconds=_TOKEN_SECONDS)}"}
        try:
            with self._client() as client:
                answer = client.request(
                    method, path, params=given, content=content, json=json, headers=headers
                )
        except httpx.InvalidURL as error:
            raise UsageError(f"--url {self.url}: {error}", detail="url") from None
        except httpx.HTTPError as error:
            message = f"no answer from verdictd at {self.url}: {error or type(error).__name__}"
            raise Refused(message, "unreachable", UNREACHABLE) from None
        if not answer.is_success:
            raise _refused(answer, _key_file(self.admin_key))
        return answer

    def document(self, method: str, path: str, **kwargs: Any) -> dict[str, Any]:
        """The JSON object of the answer."""
        answer = self.ask(method, path, **kwargs)
        try:
            value = answer.json()
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise Refused(f"{self.url} answers what verdictd does not", "no_verdictd", UNREACHABLE)
        return value

    def _client(self) -> httpx.Client:
        url = httpx.URL(self.url)
        if url.scheme not in ("http", "https") or not url.host:
            raise UsageError(f"--url: expected http://… or https://…, got {self.url}", detail="url")
        if url.scheme == "http" and not is_loopback(url.host):
            raise UsageError(f"--url {self.url}: off loopback expected https", detail="url")
        verify = ssl.create_default_context()
        if self.ca is not None:
            verify = _context(self.ca)
        # No proxy of the environment gets to see a credential.
        return httpx.Client(base_url=url, verify=verify, timeout=_TIMEOUT_SECONDS, trust_env=False)


def pages(server: Server, path: str, name: str, cursor: str, params: Mapping[str, Any]) -> Iterator[Any]:
    """All items of the list ``name`` at ``path``; ``cursor`` is the member by which they are ordered."""
    after = ""
    while True:
        asked = {**params, "after": after, "limit": _PAGE}
        found = server.document("GET", path, params=asked)[name]
        yield from found
        if len(found) < _PAGE:
            return
        after = found[-1][cursor]


def mint_token(
    admin_key: str | None, *, seconds: int, name: str | None = None, role: str = "admin"
) -> str:  # fmt: skip
    """A token of the key in the file ``admin_key``, by default the one that verdictd has made.

    Raises:
        ConfigError: there is none, or others may read it.
    """
    key = load_admin_key(_key_file(admin_key))
    return issue_admin_token(key.private, key.kid, name or _user(), role, datetime.now(UTC), seconds)


def admin_key_option(function: F) -> F:
    """``--admin-key``."""
    option = click.option(
        "--admin-key", metavar="FILE", envvar="VERDICT_ADMIN_KEY",
        help="Ed25519 private key in PEM, mode 0600; also VERDICT_ADMIN_KEY."
        "  [default: the one that verdictd makes at its first start]",
    )  # fmt: skip
    return option(function)


def ca_option(function: F) -> F:
    """``--ca``."""
    option = click.option(
        "--ca", metavar="FILE", help="PEM of who vouches for the server; without it the system's."
    )  # fmt: skip
    return option(function)


def server_options(function: F) -> F:
    """``--url``, ``--ca`` and ``--admin-key``; the command gets a :class:`Server` as ``server``."""

    @click.option(
        "--url", metavar="URL", envvar="VERDICTD_URL", default=DEFAULT_URL, show_default=True,
        help="Where verdictd serves HTTP; also VERDICTD_URL.",
    )  # fmt: skip
    @ca_option
    @admin_key_option
    @click.pass_context
    @functools.wraps(function)
    def asking(ctx: click.Context, /, url: str, **options: Any) -> Any:
        root = ctx.find_root().params
        ca, admin_key = (
            root.get(name) if (given := options.pop(name)) is None else given
            for name in reversed(_FORWARDED)
        )  # fmt: skip
        return ctx.invoke(function, server=Server(url, ca, admin_key), **options)

    return asking  # type: ignore[return-value]  # a command's function has other parameters than it shows


def _context(ca: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=load_input(ca).decode())
    except (ssl.SSLError, UnicodeDecodeError):
        raise UsageError(f"--ca {ca}: expected certificates in PEM", detail="ca") from None


def _key_file(admin_key: str | None) -> Path:
    return default_admin_folder() / PRIVATE_FILE if admin_key is None else Path(admin_key)


def _refused(answer: httpx.Response, key_file: Path) -> Refused:
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("detail"), str):
        return Refused(f"the server answers {answer.status_code}", "no_verdictd", 1)
    code, detail = str(body.get("code", "")), body["detail"]
    if code.startswith("credential."):
        detail += (
            f"; it was signed with {key_file}, which must be one of admin.keys of that verdictd, and both"
            " clocks must agree; --admin-key names another key"
        )
    return Refused(detail, code, exit_code_of(code))


def _user() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        return "verdict"
    return "".join(char if "!" <= char <= "~" else "?" for char in name)[:128]
