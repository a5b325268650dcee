"""Documents that guests fetch by fixed paths, as the original system serves them: keyring, image policies."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from eaa.broker.administration.gpg_keyring import Certificate, merge, parse_keyring, without
from eaa.broker.administration.image_documents import require_image_policy, require_sigstore_config
from eaa.broker.administration.principal import Principal
from eaa.broker.administration.resources import ResourceAdministration
from eaa.broker.names import ResourcePath
from eaa.errors import ConflictError, FormatError

__all__ = ["GPG_KEYRING", "IMAGE_POLICY", "SIGSTORE_CONFIG", "GuestDocuments"]

GPG_KEYRING = ResourcePath("default", "gpg-public-config", "test")
IMAGE_POLICY = ResourcePath("default", "security-policy", "test")
SIGSTORE_CONFIG = ResourcePath("default", "sigstore-config", "test")
#: How often a change of the keyring is begun.
_ATTEMPTS = 10

_Keyring = tuple[Certificate, ...]


@dataclass(frozen=True, slots=True)
class GuestDocuments:
    """They are resources; errors and roles are those of resources.

    Importing and deleting a key is reading the keyring and writing another. It is begun anew if somebody else
    has written one in between, in this process or in another.
    """

    resources: ResourceAdministration

    async def gpg_keys(self, principal: Principal) -> tuple[Certificate, ...]:
        """The certificates of the keyring; none if there is no keyring.

        Raises:
            ResourceNotFound: there is one, and it is disabled.
        """
        if not await self.resources.versions(principal, GPG_KEYRING):
            return ()
        return parse_keyring(await self.gpg_keyring(principal))

    async def import_gpg_key(self, principal: Principal, data: bytes) -> tuple[Certificate, ...]:
        """What ``data`` has, which is in the keyring now; it replaces what had the same fingerprint.

        Raises:
            FormatError: ``format.openpgp``: no public key in it, or something else is.
            ConflictError: ``conflict.version``: others changed the keyring all the time.
        """
        await self.resources.allow_put(principal, GPG_KEYRING)
        new = parse_keyring(data)
        if not new:
            raise FormatError("it has no key", what="OpenPGP keyring", field="packet", detail="openpgp")
        await self._change_keyring(principal, lambda keyring: merge(keyring, new))
        return new

    async def delete_gpg_key(self, principal: Principal, name: str) -> None:
        """Take the key called ``name``, its fingerprint or 16 digits of it, out of the keyring.

        Raises:
            ConflictError: ``conflict.version``: others changed the keyring all the time.
        """
        await self._change_keyring(principal, lambda keyring: without(keyring, name))

    async def gpg_keyring(self, principal: Principal) -> bytes:
        """The keyring in binary."""
        return (await self.resources.read(principal, GPG_KEYRING)).content

    async def put_image_policy(self, principal: Principal, content: bytes) -> None:
        """Raises ``FormatError``, ``format.image_policy``."""
        await self.resources.allow_put(principal, IMAGE_POLICY)
        await self.resources.put(principal, IMAGE_POLICY, require_image_policy(content))

    async def image_policy(self, principal: Principal) -> bytes:
        return (await self.resources.read(principal, IMAGE_POLICY)).content

    async def put_sigstore_config(self, principal: Principal, content: bytes) -> None:
        """Raises ``FormatError``, ``format.sigstore_config``."""
        await self.resources.allow_put(principal, SIGSTORE_CONFIG)
        await self.resources.put(principal, SIGSTORE_CONFIG, require_sigstore_config(content))

    async def sigstore_config(self, principal: Principal) -> bytes:
        return (await self.resources.read(principal, SIGSTORE_CONFIG)).content

    async def _change_keyring(self, principal: Principal, change: Callable[[_Keyring], _Keyring]) -> None:
        for _ in range(_ATTEMPTS - 1):
            with suppress(ConflictError):
                return await self._write_changed(principal, change)
        return await self._write_changed(principal, change)

    async def _write_changed(self, principal: Principal, change: Callable[[_Keyring], _Keyring]) -> None:
        versions = await self.resources.versions(principal, GPG_KEYRING)
        newest = versions[0].version if versions else 0
        keyring = change(await self.gpg_keys(principal))
        content = b"".join(certificate.data for certificate in keyring)
        await self.resources.put(principal, GPG_KEYRING, content, expected_version=newest)
