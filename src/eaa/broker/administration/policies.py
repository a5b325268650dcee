"""Administration of policies: nothing is stored that the engine has not examined."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, Protocol, TypeVar

from eaa.broker.administration.journal import Journal
from eaa.broker.administration.principal import Action, Principal
from eaa.broker.names import PathPrefix, require_name
from eaa.broker.ports import AttestationOutcome, Policies, PolicyEngine, ReferenceValues, ReleaseOutcome
from eaa.broker.records import Policy, PolicyKind, ReferenceValue
from eaa.broker.release import KEY_PLUGIN, RESOURCE_PLUGIN
from eaa.errors import LimitExceeded, ResourceNotFound, UsageError

__all__ = [
    "MAX_POLICY_BYTES",
    "Aside",
    "PolicyAdministration",
    "StoredPolicy",
    "TestedPolicy",
    "require_policy_id",
]

#: Of one policy in UTF-8; Trustee's default one has 13 KB.
MAX_POLICY_BYTES = 256 * 1024
_TEE_CLASSES = ("cpu", "gpu", "switch", "ppcie", "dcu", "nvidia-dpu")
#: Of the paths that are asked for, plugin included.
_MOST_NAMES = {RESOURCE_PLUGIN: 4, KEY_PLUGIN: 2}
_PAGE = 1000

P = ParamSpec("P")
T = TypeVar("T")


class Aside(Protocol):
    """Calls a function that takes its time where it holds up nobody; ``asyncio.to_thread`` does."""

    async def __call__(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """A policy that was put, and what the engine warned of."""

    policy: Policy
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TestedPolicy:
    """What to test: ``text``, or ``version`` of the stored policy ``id``, ``None`` for the one that holds."""

    __test__ = False  # not a test case of pytest

    kind: PolicyKind
    text: str | None = None
    id: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class PolicyAdministration:
    """Put, read, roll back, delete, test. ``StorageError`` may come of every method."""

    journal: Journal
    policies: Policies
    references: ReferenceValues
    engine: PolicyEngine
    aside: Aside

    async def put(
        self, principal: Principal, kind: PolicyKind, policy_id: str, text: str,
        *, expected_version: int | None = None,
    ) -> StoredPolicy:  # fmt: skip
        """A new version, which holds from now on.

        ``expected_version`` is the version that the caller has seen to hold, 0 for none.

        Raises:
            AccessDenied: the role does not have it.
            FormatError: the id is none, or ``format.policy``: with line and column.
            LimitExceeded: ``limit.size``: more than 256 KiB.
            ConflictError: ``conflict.version``: another version holds.
        """
        async with self.journal.act(principal, Action.POLICY_PUT, _target(kind, policy_id)) as act:
            warnings = await self._examine(kind, policy_id, text)
            await act.granted("a new version", sha256=_sha256(text), warnings=list(warnings))
            policy = await self.policies.put(
                kind, policy_id, text, by=principal.name, now=self.journal.clock(),
                expected_version=expected_version,
            )  # fmt: skip
            return StoredPolicy(policy, warnings)

    async def list(self, principal: Principal, kind: PolicyKind) -> Sequence[Policy]:
        """What holds now, by id.

        Raises:
            AccessDenied: the role does not have it.
        """
        await self.journal.allow(principal, Action.POLICY_READ, str(kind))
        return await self.policies.current(kind)

    async def read(
        self, principal: Principal, kind: PolicyKind, policy_id: str, *, version: int | None = None
    ) -> Policy:
        """That version, or the one that holds.

        Raises:
            AccessDenied: the role does not have it.
            ResourceNotFound: there is none.
        """
        await self.journal.allow(principal, Action.POLICY_READ, _target(kind, policy_id))
        return await self.policies.read(kind, policy_id, version=version)

    async def history(self, principal: Principal, kind: PolicyKind, policy_id: str) -> Sequence[Policy]:
        """All versions, newest first, also of a deleted policy.

        Raises:
            AccessDenied: the role does not have it.
            ResourceNotFound: there never was one.
        """
        await self.journal.allow(principal, Action.POLICY_READ, _target(kind, policy_id))
        versions = await self.policies.history(kind, policy_id)
        if not versions:
            raise ResourceNotFound(f"there is no policy {_target(kind, policy_id)}", detail="policy")
        return versions

    async def roll_back(
        self, principal: Principal, kind: PolicyKind, policy_id: str, version: int
    ) -> StoredPolicy:
        """A new version with the text of ``version``, examined again.

        Raises:
            AccessDenied: the role does not have it.
            FormatError: the engine does not take that text any more.
            ResourceNotFound: there is no such version.
        """
        async with self.journal.act(principal, Action.POLICY_ROLL_BACK, _target(kind, policy_id)) as act:
            old = await self.policies.read(kind, policy_id, version=version)
            warnings = await self._examine(kind, policy_id, old.text)
            await act.granted(f"back to version {version}", version=version, sha256=old.sha256)
            policy = await self.policies.roll_back(
                kind, policy_id, version, by=principal.name, now=self.journal.clock()
            )
            return StoredPolicy(policy, warnings)

    async def delete(self, principal: Principal, kind: PolicyKind, policy_id: str) -> None:
        """It holds no longer; its history stays.

        Raises:
            AccessDenied: the role does not have it.
            ResourceNotFound: there is none.
        """
        async with self.journal.act(principal, Action.POLICY_DELETE, _target(kind, policy_id)) as act:
            await act.granted("holds no longer")
            await self.policies.delete(kind, policy_id)

    async def test(
        self, principal: Principal, tested: TestedPolicy, claims: Mapping[str, Any],
        *, data: Mapping[str, Any], references: Mapping[str, ReferenceValue] | None,
    ) -> AttestationOutcome | ReleaseOutcome:  # fmt: skip
        """What the policy says of ``claims``; nothing is stored.

        A resource policy is given ``data``; an attestation policy ``references``, by default those stored.

        Raises:
            AccessDenied: the role does not have it.
            FormatError: ``format.policy``.
            PolicyError: it cannot be evaluated.
            ResourceNotFound: there is no such stored policy.
            UsageError: ``usage.policy_test``: not exactly one of text and id.
        """
        target = _target(tested.kind, tested.id or "")
        await self.journal.allow(principal, Action.POLICY_TEST, target)
        policy = await self._tested(tested)
        if tested.kind is PolicyKind.RESOURCE:
            return await self.aside(self.engine.decide, policy, claims, data=data)
        known = await self._references() if references is None else references
        now = self.journal.clock()
        return await self.aside(self.engine.appraise, policy, claims, references=known, now=now)

    async def _tested(self, tested: TestedPolicy) -> Policy:
        match tested:
            case TestedPolicy(text=None, id=str(policy_id)):
                return await self.policies.read(tested.kind, policy_id, version=tested.version)
            case TestedPolicy(text=str(text), id=None):
                _require_size(text)
                await self.aside(self.engine.examine, tested.kind, text)
                now = self.journal.clock()
                return Policy(tested.kind, "", 0, text, _sha256(text), now, "")
            case _:
                raise UsageError("expected either the text or the id of a policy", detail="policy_test")

    async def _references(self) -> Mapping[str, ReferenceValue]:
        found: dict[str, ReferenceValue] = {}
        after = ""
        while page := await self.references.list(after=after, limit=_PAGE):
            found |= {value.name: value for value in page}
            after = page[-1].name
        return found

    async def _examine(self, kind: PolicyKind, policy_id: str, text: str) -> tuple[str, ...]:
        warning = require_policy_id(kind, policy_id)
        _require_size(text)
        return (*warning, *await self.aside(self.engine.examine, kind, text))


def require_policy_id(kind: PolicyKind, policy_id: str) -> tuple[str, ...]:
    """What to warn of in ``policy_id``, which is one.

    Raises:
        FormatError: it is not: a name for attestation, a path prefix for resources.
    """
    if kind is PolicyKind.RESOURCE:
        segments = PathPrefix.parse(policy_id).segments
        if segments and len(segments) > _MOST_NAMES.get(segments[0], 0):
            return (f"{policy_id} is never asked: paths are resource/ and three names, or key/ and one",)
        return ()
    require_name(policy_id, what="policy id")
    if not policy_id.endswith(tuple(f"_{name}" for name in _TEE_CLASSES)):
        classes = ", ".join(_TEE_CLASSES)
        return (f"{policy_id} is never asked: its id does not end in _ and one of {classes}",)
    return ()


def _require_size(text: str) -> None:
    size = len(text.encode(errors="replace"))
    if size > MAX_POLICY_BYTES:
        raise LimitExceeded(
            f"expected a policy of at most {MAX_POLICY_BYTES} bytes, got {size}", detail="size"
        )  # fmt: skip


def _target(kind: PolicyKind, policy_id: str) -> str:
    return f"{kind}/{policy_id[:1200]}"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
