"""Administration of the keys that wrap image keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eaa.broker.administration.journal import Journal
from eaa.broker.administration.principal import Action, Principal
from eaa.broker.names import require_name
from eaa.broker.ports import Keys
from eaa.broker.records import Key, KeyInfo
from eaa.errors import ResourceNotFound, UsageError

__all__ = ["KEY_BITS", "KeyAdministration"]

#: Sizes of AES keys.
KEY_BITS = (128, 192, 256)


@dataclass(frozen=True, slots=True)
class KeyAdministration:
    """Create, import, rotate, list, destroy and, for an admin, read.

    ``random`` gives that many unpredictable bytes. ``StorageError`` may come of every method.
    """

    journal: Journal
    keys: Keys
    random: Callable[[int], bytes]

    async def create(self, principal: Principal, kid: str | None = None, *, bits: int = 256) -> KeyInfo:
        """A new key of ``bits``; without ``kid`` it is called by a random UUID [RFC9562 §5.4].

        Raises:
            AccessDenied: the role does not have it.
            FormatError: ``kid`` is no name.
            UsageError: ``usage.key_exists``, or ``usage.key_bits``: not 128, 192 or 256.
        """
        name = _uuid4(self.random(16)) if kid is None else kid
        async with self.journal.act(principal, Action.KEY_CREATE, name[:128]) as act:
            require_name(name, what="key id")
            if bits not in KEY_BITS:
                raise UsageError(f"expected a key of 128, 192 or 256 bits, got {bits}", detail="key_bits")
            if await self.keys.versions(name):
                raise UsageError(
                    f"the key {name} exists: rotate it, or import a new version", detail="key_exists"
                )
            await act.granted(f"a new key of {bits} bits", bits=bits)
            return await self._put(principal, name, self.random(bits // 8))

    async def import_(self, principal: Principal, kid: str, material: bytes) -> KeyInfo:
        """A new version with the given bytes, of a key that exists or not.

        Raises:
            AccessDenied: the role does not have it.
            FormatError: ``kid`` is no name.
            UsageError: ``usage.key_bits``: not 16, 24 or 32 bytes.
        """
        async with self.journal.act(principal, Action.KEY_IMPORT, kid[:128]) as act:
            require_name(kid, what="key id")
            if len(material) * 8 not in KEY_BITS:
                raise UsageError(
                    f"expected a key of 16, 24 or 32 bytes, got {len(material)}", detail="key_bits"
                )  # fmt: skip
            await act.granted(f"an imported version of {len(material) * 8} bits", bits=len(material) * 8)
            return await self._put(principal, kid, material)

    async def rotate(self, principal: Principal, kid: str) -> KeyInfo:
        """A new random version, as long as the newest one, which guests get from now on.

        A packet names its key and no version: a guest opens what older ones wrapped no longer, until it is
        wrapped anew. Administrators read older ones by their number.

        Raises:
            AccessDenied: the role does not have it.
            ResourceNotFound: there is no such key.
        """
        async with self.journal.act(principal, Action.KEY_ROTATE, kid[:128]) as act:
            bits = (await self._existing(kid))[0].bits
            await act.granted(f"a new version of {bits} bits", bits=bits)
            return await self._put(principal, kid, self.random(bits // 8))

    async def list(self, principal: Principal, *, after: str = "", limit: int = 1000) -> Sequence[KeyInfo]:
        """The newest version of each key, by id.

        Raises:
            AccessDenied: the role does not have it.
        """
        await self.journal.allow(principal, Action.KEY_LIST)
        return await self.keys.list(after=after, limit=limit)

    async def versions(self, principal: Principal, kid: str) -> Sequence[KeyInfo]:
        """All versions, newest first.

        Raises:
            AccessDenied: the role does not have it.
            ResourceNotFound: there is no such key.
        """
        await self.journal.allow(principal, Action.KEY_LIST, kid[:128])
        return await self._existing(kid)

    async def read(self, principal: Principal, kid: str, *, version: int | None = None) -> Key:
        """The key, which is secret: recorded too.

        Raises:
            AccessDenied: the role does not have it.
            ResourceNotFound: there is none, or it is destroyed.
        """
        async with self.journal.act(principal, Action.KEY_READ, kid[:128]) as act:
            key = await self.keys.read(kid, version=version)
            await act.granted(f"version {key.info.version} was shown", version=key.info.version)
            return key

    async def destroy(self, principal: Principal, kid: str, *, version: int | None = None) -> None:
        """Overwrite one version or all: what was wrapped under them is lost.

        Raises:
            AccessDenied: the role does not have it.
            ResourceNotFound: there is none.
        """
        async with self.journal.act(principal, Action.KEY_DESTROY, kid[:128]) as act:
            await act.granted("all versions" if version is None else f"version {version}", version=version)
            await self.keys.destroy(kid, version=version)

    async def _put(self, principal: Principal, kid: str, material: bytes) -> KeyInfo:
        return await self.keys.put(kid, material, by=principal.name, now=self.journal.clock())

    async def _existing(self, kid: str) -> Sequence[KeyInfo]:
        versions = await self.keys.versions(kid)
        if not versions:
            raise ResourceNotFound(f"there is no key {kid[:128]!r}", detail="key")
        return versions


def _uuid4(random: bytes) -> str:
    value = bytearray(random)
    value[6] = value[6] & 0x0F | 0x40
    value[8] = value[8] & 0x3F | 0x80
    text = value.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
