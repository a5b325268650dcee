"""Administration of resources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eaa.broker.administration.journal import Journal
from eaa.broker.administration.principal import Action, Principal
from eaa.broker.names import ResourcePath
from eaa.broker.ports import Resources
from eaa.broker.records import Resource, ResourceInfo
from eaa.errors import LimitExceeded

__all__ = ["MAX_RESOURCE_BYTES", "ResourceAdministration"]

#: Of one resource; Trustee's own limit of a request is 2 MB.
MAX_RESOURCE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ResourceAdministration:
    """Put, list, switch, delete and, for an admin, read. ``StorageError`` may come of every method."""

    journal: Journal
    resources: Resources

    async def put(
        self, principal: Principal, path: ResourcePath, content: bytes, *, expected_version: int | None = None
    ) -> ResourceInfo:
        """A new version of ``path``; an older one stays and can be read by its number.

        ``expected_version`` is the newest that may be there, 0 for none; ``None`` does not ask.

        Raises:
            ConflictError: ``conflict.version``: another is the newest.
            AccessDenied: the role does not have it.
            LimitExceeded: ``limit.size``: more than 1 MiB.
        """
        async with self.journal.act(principal, Action.RESOURCE_PUT, str(path)) as act:
            if len(content) > MAX_RESOURCE_BYTES:
                raise LimitExceeded(
                    f"expected a resource of at most {MAX_RESOURCE_BYTES} bytes, got {len(content)}",
                    detail="size",
                )
            await act.granted(f"a new version of {len(content)} bytes", size=len(content))
            return await self.resources.put(
                path, content, by=principal.name, now=self.journal.clock(), expected_version=expected_version
            )

    async def allow_put(self, principal: Principal, path: ResourcePath) -> None:
        """Hold if ``principal`` may put, before its content is looked at.

        Raises:
            AccessDenied: the role does not have it.
        """
        await self.journal.allow(principal, Action.RESOURCE_PUT, str(path))

    async def list(
        self, principal: Principal, *, prefix: str = "", after: str = "", limit: int = 1000
    ) -> Sequence[ResourceInfo]:
        """The newest version of each path, by path.

        Raises:
            AccessDenied: the role does not have it.
        """
        await self.journal.allow(principal, Action.RESOURCE_LIST, prefix)
        return await self.resources.list(prefix=prefix, after=after, limit=limit)

    async def versions(self, principal: Principal, path: ResourcePath) -> Sequence[ResourceInfo]:
        """All versions of ``path``, newest first; empty if there are none.

        Raises:
            AccessDenied: the role does not have it.
        """
        await self.journal.allow(principal, Action.RESOURCE_LIST, str(path))
        return await self.resources.versions(path)

    async def read(self, principal: Principal, path: ResourcePath, *, version: int | None = None) -> Resource:
        """The content, which is secret: recorded too.

        Raises:
            AccessDenied: the role does not have it.
            ResourceNotFound: there is none, or it is disabled.
        """
        async with self.journal.act(principal, Action.RESOURCE_READ, str(path)) as act:
            resource = await self.resources.read(path, version=version)
            await act.granted(
                f"version {resource.info.version} was shown", version=resource.info.version
            )  # fmt: skip
            return resource

    async def set_enabled(
        self, principal: Principal, path: ResourcePath, enabled: bool, *, version: int | None = None
    ) -> None:
        """Switch one version or all.

        Raises:
            AccessDenied: the role does not have it.
            ResourceNotFound: there is none.
        """
        action = Action.RESOURCE_ENABLE if enabled else Action.RESOURCE_DISABLE
        async with self.journal.act(principal, action, str(path)) as act:
            await act.granted(_of(version), version=version)
            await self.resources.set_enabled(path, enabled, version=version)

    async def delete(self, principal: Principal, path: ResourcePath, *, version: int | None = None) -> None:
        """One version or all.

        Raises:
            AccessDenied: the role does not have it.
            ResourceNotFound: there is none.
        """
        async with self.journal.act(principal, Action.RESOURCE_DELETE, str(path)) as act:
            await act.granted(_of(version), version=version)
            await self.resources.delete(path, version=version)


def _of(version: int | None) -> str:
    return "all versions" if version is None else f"version {version}"
