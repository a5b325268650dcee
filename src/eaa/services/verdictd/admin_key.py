"""The first administrator's key: Ed25519, made at the first start, kept as PEM in a folder of the owner's."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from eaa.broker.admin_credentials import AdminKey, public_key_id
from eaa.errors import ConfigError
from eaa.storage.private_folder import PrivateFolder

__all__ = [
    "PRIVATE_FILE",
    "PUBLIC_FILE",
    "PrivateAdminKey",
    "default_admin_folder",
    "load_admin_key",
    "load_or_create_admin_key",
]

PRIVATE_FILE = "admin-key.pem"
PUBLIC_FILE = "admin-key.pub.pem"
_DETAIL = "admin_key"


@dataclass(frozen=True, slots=True)
class PrivateAdminKey:
    """A key that signs administrators' tokens; its id is the SHA-256 of its SPKI."""

    private: Ed25519PrivateKey

    @property
    def kid(self) -> str:
        return public_key_id(self.private.public_key())

    @property
    def public(self) -> AdminKey:
        """What the service believes it by: every role, the audience ``verdictd``."""
        return AdminKey(self.kid, self.private.public_key())


def default_admin_folder() -> Path:
    """``/var/lib/verdictd/admin`` of root; of others ``verdictd/admin`` in ``$XDG_STATE_HOME``."""
    if os.geteuid() == 0:
        return Path("/var/lib/verdictd/admin")
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "verdictd" / "admin"


def load_or_create_admin_key(folder: Path) -> tuple[PrivateAdminKey, bool]:
    """The key in ``folder``, and whether it was made now: mode 0600, on disk when this returns.

    Two that start at once get the same one.

    Raises:
        ConfigError: ``config.admin_key``: no such key; or others may read the file or write to the folder.
        StorageError: ``storage.busy``.
    """
    private = PrivateFolder(folder, detail=_DETAIL)
    with private.locked():
        pem = private.load(PRIVATE_FILE, secret=True)
        if pem is not None:
            return _parse(pem, folder / PRIVATE_FILE), False
        key = Ed25519PrivateKey.generate()
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        private.store(PUBLIC_FILE, public)
        private.store(
            PRIVATE_FILE, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )  # fmt: skip
        return PrivateAdminKey(key), True


def load_admin_key(path: Path) -> PrivateAdminKey:
    """The key in the file ``path``, which nobody but its owner may read.

    Raises:
        ConfigError: ``config.admin_key``: there is none, or no such key; or others may read the file or
            write to its folder.
    """
    pem = PrivateFolder(path.parent, detail=_DETAIL).load(path.name, secret=True)
    if pem is None:
        raise ConfigError(
            f"{path}: there is no admin key. verdictd makes one when it starts for the first time",
            detail=_DETAIL, file=str(path),
        )  # fmt: skip
    return _parse(pem, path)


def _parse(pem: bytes, path: Path) -> PrivateAdminKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(
            f"{path}: expected an unencrypted Ed25519 private key in PEM", detail=_DETAIL, file=str(path)
        )
    return PrivateAdminKey(key)
