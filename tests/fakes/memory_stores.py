"""The storage ports of the broker, in memory: what a database keeps, without one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from eaa.broker.names import ResourcePath
from eaa.broker.records import (
    Decision,
    DecisionKind,
    Key,
    KeyInfo,
    Policy,
    PolicyKind,
    ReferenceValue,
    Resource,
    ResourceInfo,
    ServiceKey,
    Session,
)
from eaa.errors import ConflictError, ResourceNotFound, SessionError, StorageError

__all__ = [
    "MemoryDecisions",
    "MemoryKeys",
    "MemoryPolicies",
    "MemoryReferences",
    "MemoryResources",
    "MemoryServiceKeys",
    "MemorySessions",
    "MemoryStores",
]


def _missing(what: object) -> ResourceNotFound:
    return ResourceNotFound(f"there is no {what}", detail="missing")


@dataclass
class MemoryResources:
    """``versions_of`` has all versions of each path, oldest first; ``numbers`` the last one ever given."""

    versions_of: dict[ResourcePath, list[Resource]] = field(default_factory=dict)
    numbers: dict[ResourcePath, int] = field(default_factory=dict)

    async def put(
        self,
        path: ResourcePath,
        content: bytes,
        *,
        by: str,
        now: datetime,
        expected_version: int | None = None,
    ) -> ResourceInfo:
        newest = max((item.info.version for item in self.versions_of.get(path, [])), default=0)
        if expected_version not in (None, newest):
            raise ConflictError(f"{path}: version {newest} is the newest", detail="version")
        number = self.numbers[path] = self.numbers.get(path, 0) + 1
        info = ResourceInfo(path, number, len(content), True, now, by)
        self.versions_of.setdefault(path, []).append(Resource(info, content))
        return info

    async def read(self, path: ResourcePath, *, version: int | None = None) -> Resource:
        for resource in reversed(self.versions_of.get(path, [])):
            if resource.info.enabled and version in (None, resource.info.version):
                return resource
        raise _missing(path)

    async def list(self, *, prefix: str = "", after: str = "", limit: int = 1000) -> Sequence[ResourceInfo]:
        paths = sorted(self.versions_of, key=str)
        found = [path for path in paths if str(path).startswith(prefix) and str(path) > after]
        return [self.versions_of[path][-1].info for path in found[:limit]]

    async def versions(self, path: ResourcePath) -> Sequence[ResourceInfo]:
        return [resource.info for resource in reversed(self.versions_of.get(path, []))]

    async def set_enabled(self, path: ResourcePath, enabled: bool, *, version: int | None = None) -> None:
        for index in self._indices(path, version):
            old = self.versions_of[path][index]
            self.versions_of[path][index] = Resource(replace(old.info, enabled=enabled), old.content)

    async def delete(self, path: ResourcePath, *, version: int | None = None) -> None:
        gone = set(self._indices(path, version))
        left = [kept for index, kept in enumerate(self.versions_of[path]) if index not in gone]
        self.versions_of[path] = left
        if not left:
            del self.versions_of[path]

    def _indices(self, path: ResourcePath, version: int | None) -> Sequence[int]:
        found = [
            index
            for index, resource in enumerate(self.versions_of.get(path, []))
            if version in (None, resource.info.version)
        ]
        if not found:
            raise _missing(path)
        return found


@dataclass
class MemoryKeys:
    """``versions_of`` has all versions of each key, oldest first."""

    versions_of: dict[str, list[Key]] = field(default_factory=dict)

    async def put(self, kid: str, material: bytes, *, by: str, now: datetime) -> KeyInfo:
        versions = self.versions_of.setdefault(kid, [])
        info = KeyInfo(kid, len(versions) + 1, len(material) * 8, False, now, by)
        versions.append(Key(info, material))
        return info

    async def read(self, kid: str, *, version: int | None = None) -> Key:
        versions = self.versions_of.get(kid, [])
        wanted = len(versions) if version is None else version
        for key in versions:
            if key.info.version == wanted and not key.info.destroyed:
                return key
        raise _missing(kid)

    async def list(self, *, after: str = "", limit: int = 1000) -> Sequence[KeyInfo]:
        found = sorted(kid for kid in self.versions_of if kid > after)
        return [self.versions_of[kid][-1].info for kid in found[:limit]]

    async def versions(self, kid: str) -> Sequence[KeyInfo]:
        return [key.info for key in reversed(self.versions_of.get(kid, []))]

    async def destroy(self, kid: str, *, version: int | None = None) -> None:
        versions = self.versions_of.get(kid, [])
        found = [i for i, key in enumerate(versions) if version in (None, key.info.version)]
        if not found:
            raise _missing(kid)
        for index in found:
            versions[index] = Key(replace(versions[index].info, destroyed=True), b"")


@dataclass
class MemoryPolicies:
    """``versions_of`` has all versions of each policy, oldest first; ``deleted`` what does not hold."""

    versions_of: dict[tuple[PolicyKind, str], list[Policy]] = field(default_factory=dict)
    deleted: set[tuple[PolicyKind, str]] = field(default_factory=set)
    changes: int = 0

    async def put(
        self,
        kind: PolicyKind,
        policy_id: str,
        text: str,
        *,
        by: str,
        now: datetime,
        expected_version: int | None = None,
    ) -> Policy:
        versions = self.versions_of.setdefault((kind, policy_id), [])
        holds = len(versions) if (kind, policy_id) not in self.deleted else 0
        if expected_version not in {None, holds}:
            raise ConflictError(
                f"expected {expected_version}, it is {holds}",
                detail="version", expected=expected_version, came=holds,
            )  # fmt: skip
        digest = hashlib.sha256(text.encode()).hexdigest()
        policy = Policy(kind, policy_id, len(versions) + 1, text, digest, now, by)
        versions.append(policy)
        self.deleted.discard((kind, policy_id))
        self.changes += 1
        return policy

    async def current(self, kind: PolicyKind) -> Sequence[Policy]:
        return [
            versions[-1]
            for key, versions in sorted(self.versions_of.items())
            if key[0] is kind and key not in self.deleted
        ]

    async def read(self, kind: PolicyKind, policy_id: str, *, version: int | None = None) -> Policy:
        versions = self.versions_of.get((kind, policy_id), [])
        if version is None and versions and (kind, policy_id) not in self.deleted:
            return versions[-1]
        for policy in versions:
            if policy.version == version:
                return policy
        raise _missing(f"policy {policy_id}")

    async def history(self, kind: PolicyKind, policy_id: str) -> Sequence[Policy]:
        return self.versions_of.get((kind, policy_id), [])[::-1]

    async def roll_back(
        self, kind: PolicyKind, policy_id: str, version: int, *, by: str, now: datetime
    ) -> Policy:
        old = await self.read(kind, policy_id, version=version)
        return await self.put(kind, policy_id, old.text, by=by, now=now)

    async def delete(self, kind: PolicyKind, policy_id: str) -> None:
        await self.read(kind, policy_id)
        self.deleted.add((kind, policy_id))
        self.changes += 1

    async def generation(self) -> int:
        return self.changes


@dataclass
class MemoryReferences:
    """``values`` by name. Changes count in ``policies``, if they are given."""

    values: dict[str, ReferenceValue] = field(default_factory=dict)
    policies: MemoryPolicies | None = None

    async def put(self, values: Sequence[ReferenceValue]) -> None:
        self.values |= {value.name: value for value in values}
        self._changed()

    async def read(self, name: str) -> ReferenceValue:
        if name not in self.values:
            raise _missing(f"reference value {name}")
        return self.values[name]

    async def list(self, *, after: str = "", limit: int = 1000) -> Sequence[ReferenceValue]:
        return [self.values[name] for name in sorted(self.values) if name > after][:limit]

    async def delete(self, name: str) -> None:
        await self.read(name)
        del self.values[name]
        self._changed()

    def _changed(self) -> None:
        if self.policies is not None:
            self.policies.changes += 1


@dataclass
class MemorySessions:
    """``decisions`` gets what :meth:`spend` is given."""

    decisions: MemoryDecisions
    kept: dict[str, Session] = field(default_factory=dict)

    async def spend(self, session: Session, decision: Decision) -> None:
        if session.id in self.kept:
            raise SessionError(f"session {session.id} is spent", detail="spent")
        await self.decisions.record(decision)
        self.kept[session.id] = session

    async def read(self, session_id: str) -> Session | None:
        return self.kept.get(session_id)

    async def prune(self, now: datetime) -> int:
        gone = [name for name, session in self.kept.items() if session.expires_at <= now]
        for name in gone:
            del self.kept[name]
        return len(gone)


@dataclass
class MemoryDecisions:
    """``kept`` in the order of recording; while it is ``broken`` nothing is recorded."""

    kept: list[Decision] = field(default_factory=list)
    broken: bool = False

    async def record(self, decision: Decision) -> None:
        if self.broken:
            raise StorageError("the disk is full", detail="full")
        self.kept.append(decision)

    async def prune(self, before: datetime) -> int:
        kept = [decision for decision in self.kept if decision.at >= before]
        removed, self.kept = len(self.kept) - len(kept), kept
        return removed

    async def read(self, decision_id: str) -> Decision:
        for decision in self.kept:
            if decision.id == decision_id:
                return decision
        raise _missing(f"decision {decision_id}")

    async def list(
        self,
        *,
        before: str = "",
        limit: int = 100,
        granted: bool | None = None,
        kind: DecisionKind | None = None,
    ) -> Sequence[Decision]:
        newest = sorted(self.kept, key=lambda decision: decision.id, reverse=True)
        return [
            decision
            for decision in newest
            if (not before or decision.id < before)
            and granted in (None, decision.granted)
            and kind in (None, decision.kind)
        ][:limit]


@dataclass
class MemoryServiceKeys:
    """``kept`` in the order of adding."""

    kept: list[ServiceKey] = field(default_factory=list)

    async def add(self, key: ServiceKey, *, only_first: bool = False) -> bool:
        if only_first and any(other.purpose == key.purpose for other in self.kept):
            return False
        self.kept.append(key)
        return True

    async def of(self, purpose: str) -> Sequence[ServiceKey]:
        found = [key for key in self.kept if key.purpose == purpose]
        return sorted(found, key=lambda key: key.active_from, reverse=True)

    async def prune(self, now: datetime) -> int:
        left = [key for key in self.kept if key.retired_at > now]
        gone, self.kept = len(self.kept) - len(left), left
        return gone


class MemoryStores:
    """One of each, as one database has them."""

    def __init__(self) -> None:
        self.resources = MemoryResources()
        self.keys = MemoryKeys()
        self.policies = MemoryPolicies()
        self.references = MemoryReferences(policies=self.policies)
        self.decisions = MemoryDecisions()
        self.sessions = MemorySessions(self.decisions)
        self.service_keys = MemoryServiceKeys()
