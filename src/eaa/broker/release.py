"""Whether a subject gets a secret, in order:

1. The resource policy of the longest prefix of its path decides, on the claims of the attestation result.
2. Only then it is looked up: who may not have it does not learn whether it is there.
3. The decision is kept, and only then the secret is released.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from eaa.broker.judgement import explained, policy_name
from eaa.broker.key_book import KeyBook
from eaa.broker.names import ResourcePath, require_name
from eaa.broker.policy_book import PolicyBook
from eaa.broker.ports import DecisionLog, Keys, PolicyEngine, Resources
from eaa.broker.records import Decision, DecisionKind, Policy
from eaa.errors import AccessDenied, EAAError, PolicyError, ResourceNotFound

__all__ = ["KEY_PLUGIN", "RESOURCE_PLUGIN", "CurrentBooks", "Events", "Releaser", "Subject"]

#: The first name of a path as resource policies see it.
RESOURCE_PLUGIN, KEY_PLUGIN = "resource", "key"


class CurrentBooks(Protocol):
    """What holds now; raises ``StorageError`` if that is not known."""

    @property
    def policies(self) -> PolicyBook: ...
    @property
    def keys(self) -> KeyBook: ...


class Events:
    """What is told of each decision, for metrics; does nothing."""

    def challenged(self, error: EAAError | None) -> None:
        """A challenge was given out, or refused."""

    def attested(self, tee: str, error: EAAError | None) -> None:
        """Evidence was appraised, or refused."""

    def policy(self, outcome: str) -> None:
        """A resource policy was evaluated: ``approved``, ``violated`` or ``error``."""

    def released(self, plugin: str, error: EAAError | None) -> None:
        """Something was released, or not."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asks: what is known of it, and the claims of its attestation result."""

    name: str
    tee: str
    evidence_sha256: str
    claims: Mapping[str, Any] = field(repr=False)


class Releaser:
    """Decides and releases, for every face of the broker.

    ``clock`` gives the aware time, ``new_id`` the id of a decision at a time.
    """

    def __init__(
        self,
        *,
        books: CurrentBooks,
        engine: PolicyEngine,
        resources: Resources,
        keys: Keys,
        decisions: DecisionLog,
        clock: Callable[[], datetime],
        new_id: Callable[[datetime], str],
        events: Events,
    ) -> None:
        self._books, self._engine = books, engine
        self._resources, self._keys, self._decisions = resources, keys, decisions
        self._clock, self._new_id, self._events = clock, new_id, events

    async def release(
        self, subject: Subject, plugin: str, path: Sequence[str], query: Mapping[str, str]
    ) -> bytes:
        """The secret at ``path`` of ``plugin``: three names of a resource, one of a key.

        Raises:
            AccessDenied: ``access_denied.policy`` or ``access_denied.no_policy``.
            ResourceNotFound: it may be had, and is not there; ``resource_not_found.plugin``.
            FormatError: ``path`` is none.
            PolicyError: the policy cannot be evaluated.
            StorageError: it cannot be read, or the decision cannot be kept.
        """
        now = self._clock()
        trail = _Trail(self._new_id(now), now, subject, f"{plugin}/{'/'.join(path)}"[:512])
        try:
            content = await self._released(subject, plugin, path, query, trail)
        except EAAError as error:
            self._events.released(plugin, error)
            error.decision = trail.id
            await self._decisions.record(trail.decision(error))
            raise
        await self._decisions.record(trail.decision(None))
        self._events.released(plugin, None)
        return content

    async def _released(
        self, subject: Subject, plugin: str, path: Sequence[str], query: Mapping[str, str], trail: _Trail
    ) -> bytes:
        segments = _segments(plugin, path)
        # 1.
        trail.policy = self._books.policies.resource_policy((plugin, *segments))
        data = {"plugin": plugin, "resource-path": list(segments), "query": dict(query)}
        self._decide(trail, subject, data)
        # 2.
        if plugin == KEY_PLUGIN:
            return (await self._keys.read(segments[0])).material
        return (await self._resources.read(ResourcePath(*segments))).content

    def _decide(self, trail: _Trail, subject: Subject, data: Mapping[str, Any]) -> None:
        assert trail.policy is not None  # noqa: S101 (for the type checker; set by who calls)
        try:
            outcome = self._engine.decide(trail.policy, subject.claims, data=data)
        except PolicyError:
            self._events.policy("error")
            raise
        trail.explanation = explained(outcome.findings)
        self._events.policy("approved" if outcome.allowed else "violated")
        if not outcome.allowed:
            raise AccessDenied(
                f"resource policy {policy_name(trail.policy)} does not grant {trail.target!r}",
                detail="policy",
            )


@dataclass(slots=True)
class _Trail:
    """What is known of a decision so far."""

    id: str
    at: datetime
    subject: Subject
    target: str
    policy: Policy | None = None
    explanation: list[dict[str, Any]] = field(default_factory=list)

    def decision(self, error: EAAError | None) -> Decision:
        return Decision(
            self.id, self.at, DecisionKind.RELEASE, self.subject.name, self.subject.tee,
            self.subject.evidence_sha256, policy_name(self.policy) if self.policy else "", self.target,
            error is None, error.code if error else "released", str(error) if error else "",
            tuple([*_statuses(self.subject.claims), *self.explanation] if error else ()),
        )  # fmt: skip


def _segments(plugin: str, path: Sequence[str]) -> tuple[str, ...]:
    match plugin:
        case "resource":
            return ResourcePath.parse("/".join(path)).segments
        case "key":
            return (require_name("/".join(path), what="key id"),)
    raise ResourceNotFound(f"there is no plugin {plugin[:64]!r}", detail="plugin")


def _statuses(claims: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the attestation result says of each environment: the first thing to look at after a refusal."""
    return [
        {
            "submodule": name,
            "status": item.get("ear.status"),
            "trustworthiness": item.get("ear.trustworthiness-vector"),
        }
        for name, item in claims.get("submods", {}).items()
    ]
