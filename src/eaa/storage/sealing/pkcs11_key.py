"""A master key in a PKCS #11 token, which it never leaves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from eaa.storage.sealing.master_key import DATA_KEY_BYTES, not_unwrapped, unavailable
from eaa.storage.sealing.pkcs11_token import TAG_BYTES, Pkcs11Error, Pkcs11Token
from eaa.storage.sealing.pkcs11_uri import Pkcs11Uri
from eaa.storage.sealing.secret_text import SecretText

__all__ = ["Pkcs11MasterKey"]

_NONCE_BYTES = 12
_PURPOSE = b"EAA data key"
#: A process is one application to a module, and whoever is logged in, is so in all of its sessions.
_THREAD = ThreadPoolExecutor(1, thread_name_prefix="pkcs11")


class Pkcs11MasterKey:
    """Wraps by AES-GCM in the token: nonce 12 ‖ ciphertext 32 ‖ tag 16.

    Each call opens a session of its own. One that fails is made once more on a module that was initialised
    anew, so that a token that was away is found again.

    Args:
        uri: which key, token and module.
        pin: the user's PIN.
        timeout_seconds: for a call. The module cannot be interrupted: after one that hangs, all are refused.
    """

    def __init__(self, uri: Pkcs11Uri, pin: SecretText, *, timeout_seconds: float = 15.0) -> None:
        self.name = uri.name
        self._token = Pkcs11Token(uri, pin)
        self._timeout_seconds = timeout_seconds

    async def wrap(self, key: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)

        def encrypt() -> bytes:
            with self._token.key(create=True) as master:
                return nonce + master.encrypt(nonce, key, _PURPOSE)

        return await self._in_thread(encrypt)

    async def unwrap(self, wrapped: bytes) -> bytes:
        if len(wrapped) != _NONCE_BYTES + DATA_KEY_BYTES + TAG_BYTES:
            raise not_unwrapped(self.name)

        def decrypt() -> bytes:
            with self._token.key(create=False) as master:
                try:
                    return master.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], _PURPOSE)
                except Pkcs11Error:
                    # Tokens have many names for a tag that is wrong. If the key works, it is that.
                    master.encrypt(os.urandom(_NONCE_BYTES), bytes(DATA_KEY_BYTES), _PURPOSE)
                    raise not_unwrapped(self.name) from None

        return await self._in_thread(decrypt)

    async def _in_thread(self, work: Callable[[], bytes]) -> bytes:
        def twice() -> bytes:
            try:
                return work()
            except Pkcs11Error:
                self._token.reinitialize()
                return work()

        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await asyncio.get_running_loop().run_in_executor(_THREAD, twice)
        except TimeoutError:
            raise unavailable(self.name, f"no answer within {self._timeout_seconds:g} s") from None
        except Pkcs11Error as error:
            raise unavailable(self.name, f"the module says {type(error).__name__}") from None
