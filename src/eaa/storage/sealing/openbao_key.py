"""A master key in OpenBao's transit engine, which it never leaves."""

from __future__ import annotations

import base64
import re

from eaa.codec.text import decode_base64
from eaa.errors import FormatError
from eaa.storage.sealing.master_key import config_error, not_unwrapped, unavailable
from eaa.storage.sealing.openbao_http import Answer, OpenBaoHttp
from eaa.storage.sealing.openbao_token import TokenSource

__all__ = ["OpenBaoMasterKey", "openbao_name"]

_SEGMENT = r"[A-Za-z0-9_-][A-Za-z0-9_.-]*"
_KEY = re.compile(_SEGMENT)
_MOUNT = re.compile(rf"{_SEGMENT}(/{_SEGMENT})*")


def openbao_name(mount: str, key: str) -> str:
    """The name of the master key ``key`` below ``mount``. It has no host, which may change.

    Raises:
        ConfigError: ``config.master_key``: one of the two is not a path of OpenBao.
    """
    if not _MOUNT.fullmatch(mount) or not _KEY.fullmatch(key):
        raise config_error("OpenBao's mount and key are names of A-Z a-z 0-9 _ - and . not first", key="key")
    return f"openbao:{mount}/{key}"


class OpenBaoMasterKey:
    """Wraps by ``transit/encrypt``: what comes is OpenBao's text, ``vault:v<version of the key>:<base64>``.

    The key has a type that authenticates, such as ``aes256-gcm96``, OpenBao's default. When a token is
    refused, its source is asked once more.

    Raises:
        ConfigError: ``config.master_key``: from the constructor; and from the methods, if the token's source
            is not as it has to be.
    """

    def __init__(self, http: OpenBaoHttp, key: str, token: TokenSource, *, mount: str = "transit") -> None:
        self.name = openbao_name(mount, key)
        self._http, self._token = http, token
        self._encrypt, self._decrypt = f"{mount}/encrypt/{key}", f"{mount}/decrypt/{key}"

    async def wrap(self, key: bytes) -> bytes:
        answer = await self._ask(self._encrypt, {"plaintext": base64.b64encode(key).decode()})
        return answer.text("data", "ciphertext").encode()

    async def unwrap(self, wrapped: bytes) -> bytes:
        try:
            ciphertext = wrapped.decode("ascii")
        except UnicodeDecodeError:
            raise not_unwrapped(self.name) from None
        answer = await self._ask(self._decrypt, {"ciphertext": ciphertext})
        if answer.status == 400:
            raise not_unwrapped(self.name)
        try:
            return decode_base64(answer.text("data", "plaintext"), "OpenBao's answer", "data.plaintext")
        except FormatError:
            raise unavailable(self.name, "OpenBao's answer has no base64 in data.plaintext") from None

    async def _ask(self, path: str, body: dict[str, str]) -> Answer:
        answer = await self._http.post(path, body, token=await self._token.token(self._http))
        if answer.status == 403:
            self._token.forget()
            answer = await self._http.post(path, body, token=await self._token.token(self._http))
        return answer
