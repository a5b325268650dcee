"""What the broker needs of the outside: places to keep things, an engine for policies, endorsements.

All ``async`` methods may raise :class:`~eaa.errors.StorageError`. What a method that writes has returned from
is durable. ``by`` is who asked for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

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

__all__ = [
    "AttestationOutcome",
    "DecisionLog",
    "Finding",
    "Keys",
    "Policies",
    "PolicyEngine",
    "ReferenceQuery",
    "ReferenceValues",
    "ReleaseOutcome",
    "Resources",
    "ServiceKeys",
    "Sessions",
]


class Resources(Protocol):
    """Secrets by path, in versions."""

    async def put(
        self,
        path: ResourcePath,
        content: bytes,
        *,
        by: str,
        now: datetime,
        expected_version: int | None = None,
    ) -> ResourceInfo:
        """A new version, enabled, which is what :meth:`read` gives from now on.

        ``expected_version`` is the number of the newest version that may be there, 0 for none; ``None`` does
        not ask.

        Raises:
            ConflictError: ``conflict.version``: another is the newest; then nothing is changed.
        """
        ...

    async def read(self, path: ResourcePath, *, version: int | None = None) -> Resource:
        """That version, or the newest one that is enabled.

        Raises:
            ResourceNotFound: there is none, or it is disabled.
        """
        ...

    async def list(self, *, prefix: str = "", after: str = "", limit: int = 1000) -> Sequence[ResourceInfo]:
        """The newest version of each path that begins with ``prefix``, by path, from past ``after``."""
        ...

    async def versions(self, path: ResourcePath) -> Sequence[ResourceInfo]:
        """All versions of ``path``, newest first; empty if there are none."""
        ...

    async def set_enabled(self, path: ResourcePath, enabled: bool, *, version: int | None = None) -> None:
        """Of one version or of all; raises ``ResourceNotFound`` if there is none."""
        ...

    async def delete(self, path: ResourcePath, *, version: int | None = None) -> None:
        """One version or all; raises ``ResourceNotFound`` if there is none."""
        ...


class Keys(Protocol):
    """Keys that wrap the keys of images, by id, in versions. Guests get the newest: packets name none."""

    async def put(self, kid: str, material: bytes, *, by: str, now: datetime) -> KeyInfo:
        """A new version: creation, import and rotation alike. 16, 24 or 32 bytes."""
        ...

    async def read(self, kid: str, *, version: int | None = None) -> Key:
        """That version, or the newest; raises ``ResourceNotFound`` if there is none or it is destroyed."""
        ...

    async def list(self, *, after: str = "", limit: int = 1000) -> Sequence[KeyInfo]:
        """The newest version of each key, by id."""
        ...

    async def versions(self, kid: str) -> Sequence[KeyInfo]:
        """All versions, newest first."""
        ...

    async def destroy(self, kid: str, *, version: int | None = None) -> None:
        """Overwrite the bytes of one version or of all; raises ``ResourceNotFound`` if there is none."""
        ...


class Policies(Protocol):
    """Policies in versions. The newest version of an id holds, unless the id was deleted."""

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
        """A new version, if ``expected_version`` is the one that holds, 0 for none; ``None`` does not ask.

        Raises:
            ConflictError: ``conflict.version``: another one holds; then nothing is changed.
        """
        ...

    async def current(self, kind: PolicyKind) -> Sequence[Policy]:
        """What holds now, by id."""
        ...

    async def read(self, kind: PolicyKind, policy_id: str, *, version: int | None = None) -> Policy:
        """That version, deleted or not, or the one that holds; raises ``ResourceNotFound``."""
        ...

    async def history(self, kind: PolicyKind, policy_id: str) -> Sequence[Policy]:
        """All versions, newest first."""
        ...

    async def roll_back(
        self, kind: PolicyKind, policy_id: str, version: int, *, by: str, now: datetime
    ) -> Policy:
        """A new version with the text of ``version``; raises ``ResourceNotFound``."""
        ...

    async def delete(self, kind: PolicyKind, policy_id: str) -> None:
        """From now on none of ``id`` holds; its history stays. Raises ``ResourceNotFound``."""
        ...

    async def generation(self) -> int:
        """Grows with every change of a policy or a reference value; for caches."""
        ...


class ReferenceValues(Protocol):
    """Reference values by name."""

    async def put(self, values: Sequence[ReferenceValue]) -> None:
        """All or none; those of the same name are replaced."""
        ...

    async def read(self, name: str) -> ReferenceValue:
        """Raises ``ResourceNotFound``; an expired one is given as it is."""
        ...

    async def list(self, *, after: str = "", limit: int = 1000) -> Sequence[ReferenceValue]: ...

    async def delete(self, name: str) -> None:
        """Raises ``ResourceNotFound``."""
        ...


class Sessions(Protocol):
    """Which challenges were used, and what came of it."""

    async def spend(self, session: Session, decision: Decision) -> None:
        """Keep both, in one transaction.

        Raises:
            SessionError: ``session.spent``: a session of this id is there already; then neither is kept.
        """
        ...

    async def read(self, session_id: str) -> Session | None: ...

    async def prune(self, now: datetime) -> int:
        """Forget what has expired, and say how many."""
        ...


class DecisionLog(Protocol):
    """Every decision, kept until it is pruned."""

    async def record(self, decision: Decision) -> None: ...

    async def read(self, decision_id: str) -> Decision:
        """Raises ``ResourceNotFound``."""
        ...

    async def list(
        self,
        *,
        before: str = "",
        limit: int = 100,
        granted: bool | None = None,
        kind: DecisionKind | None = None,
    ) -> Sequence[Decision]:
        """Newest first, from past the id ``before``."""
        ...

    async def prune(self, before: datetime) -> int:
        """Remove those made before that; how many."""
        ...


class ServiceKeys(Protocol):
    """Keys of the service itself."""

    async def add(self, key: ServiceKey, *, only_first: bool = False) -> bool:
        """Keep it; with ``only_first`` only if its purpose has none yet. Whether it was kept."""
        ...

    async def of(self, purpose: str) -> Sequence[ServiceKey]:
        """All, newest ``active_from`` first, retired ones included until they are pruned."""
        ...

    async def prune(self, now: datetime) -> int: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a policy says of why: the rule, the claim, what it expected and what came."""

    rule: str
    claim: str
    expected: str
    came: str
    verdict: str  # "pass", "fail" or "note"


@dataclass(frozen=True, slots=True)
class ReferenceQuery:
    """A reference value that a policy asked for, and what there was: ``found``, ``missing``, ``expired``."""

    name: str
    state: str


@dataclass(frozen=True, slots=True)
class AttestationOutcome:
    """What an attestation policy made of the claims.

    ``trust_claims`` are AR4SI claims by their names with hyphens, values -128 to 127. ``extensions`` are as
    Trustee's policies state them, by name.
    """

    trust_claims: Mapping[str, int]
    extensions: Mapping[str, Any]
    queries: tuple[ReferenceQuery, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class ReleaseOutcome:
    """What a resource policy decided. Only the boolean ``true`` allows."""

    allowed: bool
    findings: tuple[Finding, ...]


class PolicyEngine(Protocol):
    """Evaluates policies; prepared ones are kept, one set for each thread that calls."""

    def appraise(
        self,
        policy: Policy,
        claims: Mapping[str, Any],
        *,
        references: Mapping[str, ReferenceValue],
        now: datetime,
    ) -> AttestationOutcome:
        """The trust claims that ``policy`` states for ``claims``, its input.

        Raises:
            PolicyError: it cannot be evaluated, or states what is not a trust claim.
        """
        ...

    def decide(self, policy: Policy, claims: Mapping[str, Any], *, data: Mapping[str, Any]) -> ReleaseOutcome:
        """Whether ``policy`` allows what ``data`` asks for, to whom ``claims``, its input, are about.

        Raises:
            PolicyError: it cannot be evaluated.
        """
        ...

    def examine(self, kind: PolicyKind, text: str) -> tuple[str, ...]:
        """Parse, compile and evaluate once, bounded in time, without keeping anything; the warnings.

        Raises:
            FormatError: ``format.policy``: what is wrong, with line and column.
        """
        ...
