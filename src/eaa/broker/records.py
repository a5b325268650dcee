"""What the broker keeps: resources, keys, policies, reference values, sessions, decisions.

Times are aware UTC. Versions count from 1, are never used again, and are the order of writing. What a
record holds of secrets is not in its ``repr``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from eaa.broker.names import ResourcePath

__all__ = [
    "Decision",
    "DecisionKind",
    "Key",
    "KeyInfo",
    "Policy",
    "PolicyKind",
    "ReferenceValue",
    "Resource",
    "ResourceInfo",
    "ServiceKey",
    "Session",
]


@dataclass(frozen=True, slots=True)
class ResourceInfo:
    """One version of a resource without its content."""

    path: ResourcePath
    version: int
    size: int  # bytes
    enabled: bool
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Resource:
    """One version of a resource."""

    info: ResourceInfo
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """One version of a wrapping key without its bytes. A destroyed version has no bytes any more."""

    kid: str
    version: int
    bits: int
    destroyed: bool
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Key:
    """One version of a wrapping key."""

    info: KeyInfo
    material: bytes = field(repr=False)


class PolicyKind(StrEnum):
    """What a policy decides: how trustworthy evidence is, or who may have a resource."""

    ATTESTATION = "attestation"
    RESOURCE = "resource"


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of a policy in Rego.

    ``id`` of an attestation policy is ``<name>_<class of TEE>``, e.g. ``default_cpu``; that of a resource
    policy is the prefix of the paths that it decides (:class:`eaa.broker.names.PathPrefix`), empty for all.
    """

    kind: PolicyKind
    id: str
    version: int
    text: str = field(repr=False)
    sha256: str  # of the text in UTF-8, lower-case hex
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class ReferenceValue:
    """What a policy compares with, by name. From ``expires_at`` on it is as good as missing."""

    name: str
    value: Any  # JSON
    expires_at: datetime
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Session:
    """What became of a challenge: ``token`` is ``None`` if attestation failed, and the challenge is spent."""

    id: str
    token: str | None = field(repr=False)
    expires_at: datetime


class DecisionKind(StrEnum):
    """What was decided about."""

    ATTESTATION = "attestation"
    RELEASE = "release"
    ADMINISTRATION = "administration"


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision, as it is kept: who, about which evidence, under which policy, with which result and why.

    ``id`` is what the peer is told (correlation id), 26 characters that sort by time. ``explanation`` is
    for the operator alone.
    """

    id: str
    at: datetime
    kind: DecisionKind
    subject: str  # whom it was about: address and session of a guest, or the name of an administrator
    tee: str  # "" where there was no evidence
    evidence_sha256: str  # lower-case hex, "" where there was none
    policy: str  # "<kind>/<id>@<version>", several joined by a space; "" where none was asked
    target: str  # the resource, or what was administrated
    granted: bool
    code: str
    reason: str
    explanation: tuple[dict[str, Any], ...]  # of strings, numbers, booleans, lists and such objects


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """A key of the service itself, shared by all replicas: what signs tokens, what seals challenges.

    It signs from ``active_from`` on, until a newer one is active; what it signed is believed until
    ``retired_at``.
    """

    purpose: str  # "token" or "challenge"
    kid: str
    material: bytes = field(repr=False)  # PKCS#8 in DER, or 32 bytes
    certificate_chain: tuple[bytes, ...]  # DER, leaf first; empty for a symmetric key
    active_from: datetime
    retired_at: datetime
