"""Tokens for OpenBao: from a file, from the environment, or by logging in with AppRole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from eaa.storage.sealing.openbao_http import OpenBaoHttp
from eaa.storage.sealing.secret_text import SecretText

__all__ = ["AppRole", "GivenToken", "TokenSource"]


class TokenSource(Protocol):
    """Where the token comes from."""

    async def token(self, http: OpenBaoHttp) -> str:
        """The token to send. Raises ``ConfigError`` or ``StorageError`` if there is none."""
        ...

    def forget(self) -> None:
        """OpenBao refused the token: get another."""
        ...


@dataclass(frozen=True, slots=True)
class GivenToken:
    """A token that somebody else renews, such as an agent: read anew for each use."""

    read: SecretText

    async def token(self, http: OpenBaoHttp) -> str:
        return self.read()

    def forget(self) -> None:
        """Nothing is kept."""


@dataclass(slots=True)
class AppRole:
    """A token by the AppRole login, kept until it is refused."""

    role_id: str
    secret_id: SecretText = field(repr=False)
    mount: str = "approle"
    _token: str | None = field(default=None, init=False, repr=False)

    async def token(self, http: OpenBaoHttp) -> str:
        if self._token is None:
            login = {"role_id": self.role_id, "secret_id": self.secret_id()}
            answer = await http.post(f"auth/{self.mount}/login", login, token=None)
            self._token = answer.text("auth", "client_token")
        return self._token

    def forget(self) -> None:
        self._token = None
