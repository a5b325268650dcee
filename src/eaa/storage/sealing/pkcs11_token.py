"""Sessions with a PKCS #11 token, and the key in it. Blocking; for one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eaa.errors import ConfigError, StorageError
from eaa.storage.sealing.master_key import config_error, refused
from eaa.storage.sealing.pkcs11_uri import Pkcs11Uri
from eaa.storage.sealing.secret_text import SecretText

try:
    import pkcs11
    from pkcs11.types import DecryptMixin, EncryptMixin
except ImportError as error:  # pragma: no cover - the tests install the extra
    raise ConfigError(
        "a master key in a PKCS #11 token needs: pip install eaa[pkcs11]", key="master_key"
    ) from error

if TYPE_CHECKING:
    from pkcs11._pkcs11 import lib as Module  # noqa: N812 - a class of that name

__all__ = ["TAG_BYTES", "AesKey", "Pkcs11Error", "Pkcs11Token"]

TAG_BYTES = 16
Pkcs11Error = pkcs11.PKCS11Error

_WRONG_PIN = (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange, pkcs11.PinLocked, pkcs11.PinExpired)


@dataclass(frozen=True, slots=True)
class AesKey:
    """A key that stays in its token, used with [PKCS11-CURR CKM_AES_GCM]. Raises :data:`Pkcs11Error`."""

    encrypts: EncryptMixin
    decrypts: DecryptMixin

    def encrypt(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
        """The ciphertext and after it the tag, 16 bytes. ``nonce`` has 12."""
        return self._bytes(self.encrypts.encrypt(data, **_gcm(nonce, associated)))

    def decrypt(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
        """What :meth:`encrypt` was given."""
        return self._bytes(self.decrypts.decrypt(data, **_gcm(nonce, associated)))

    @staticmethod
    def _bytes(whole: bytes | Iterator[bytes]) -> bytes:
        return whole if isinstance(whole, bytes) else b"".join(whole)


def _gcm(nonce: bytes, associated: bytes) -> dict[str, Any]:
    parameters = pkcs11.GCMParams(nonce, associated, TAG_BYTES * 8)
    return {"mechanism": pkcs11.Mechanism.AES_GCM, "mechanism_param": parameters}


class Pkcs11Token:
    """The token and key that ``uri`` names.

    A PIN that was refused is not tried again before its source gives another: tokens lock themselves.
    """

    def __init__(self, uri: Pkcs11Uri, pin: SecretText) -> None:
        self._uri, self._pin = uri, pin
        self._refused_pin: str | None = None

    @contextmanager
    def key(self, *, create: bool) -> Iterator[AesKey]:
        """The key, in a session that ends with the block.

        Args:
            create: make it if there is none and the URI says so.

        Raises:
            StorageError: ``storage.master_key_refused``: the PIN is refused, or there is not one such key.
            ConfigError: ``config.master_key``: the module cannot be loaded, or the PIN's source is at fault.
            Pkcs11Error: anything else; a session or a module made anew may help.
        """
        make = create and self._uri.generate
        session = self._open(rw=make)
        try:
            yield self._find(session, make=make)
        finally:
            session.close()

    def reinitialize(self) -> None:
        """Begin with the module anew: lose what it believes of tokens that came or went."""
        self._module().reinitialize()

    def _module(self) -> Module:
        path = self._uri.module_path
        try:
            return pkcs11.lib(path)
        except Pkcs11Error as error:
            if type(error) is not Pkcs11Error:
                raise  # it is loaded, and says so itself
            raise config_error(f"{path}: cannot be loaded as a PKCS #11 module", file=path) from None

    def _open(self, *, rw: bool) -> pkcs11.Session:
        pin = self._pin()
        if pin == self._refused_pin:
            raise self._refused("this PIN was refused before and is not tried again")
        serial = {"token_serial": self._uri.serial.encode()} if self._uri.serial else {}
        token = self._module().get_token(token_label=self._uri.token, **serial)
        try:
            return token.open(rw=rw, user_pin=pin)
        except pkcs11.UserAlreadyLoggedIn:
            return token.open(rw=rw)
        except _WRONG_PIN as error:
            self._refused_pin = pin
            raise self._refused(f"the PIN is refused: {type(error).__name__}") from None

    def _find(self, session: pkcs11.Session, *, make: bool) -> AesKey:
        sought = {
            pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY,
            pkcs11.Attribute.KEY_TYPE: pkcs11.KeyType.AES,
            pkcs11.Attribute.LABEL: self._uri.object,
        }
        # To its end: a search that is left open outlives its session.
        found = list(session.get_objects(sought))
        if not found and make:
            self._generate(session)
            return self._find(session, make=False)
        if len(found) != 1:
            there = f"there are {len(found)} AES keys" if found else "there is no AES key"
            raise self._refused(f"{there} {self._uri.object!r} in the token, and one is needed")
        (key,) = found
        if not isinstance(key, EncryptMixin) or not isinstance(key, DecryptMixin):
            raise self._refused(f"the AES key {self._uri.object!r} may not encrypt and decrypt")
        return AesKey(key, key)

    def _generate(self, session: pkcs11.Session) -> None:
        session.generate_key(
            pkcs11.KeyType.AES,
            256,
            label=self._uri.object,
            store=True,
            capabilities=pkcs11.MechanismFlag.ENCRYPT | pkcs11.MechanismFlag.DECRYPT,
            template={pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False},
        )

    def _refused(self, message: str) -> StorageError:
        return refused(self._uri.name, message)
