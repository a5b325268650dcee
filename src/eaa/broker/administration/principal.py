"""Administrators: who asks, and what their role lets them do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from eaa.errors import AccessDenied

__all__ = ["GRANTS", "Action", "Principal", "Role", "require_grant"]


class Action(StrEnum):
    """What can be asked for; the value is what a decision records as its code."""

    RESOURCE_PUT = "resource.put"
    RESOURCE_LIST = "resource.list"
    RESOURCE_READ = "resource.read"
    RESOURCE_ENABLE = "resource.enable"
    RESOURCE_DISABLE = "resource.disable"
    RESOURCE_DELETE = "resource.delete"
    KEY_CREATE = "key.create"
    KEY_IMPORT = "key.import"
    KEY_ROTATE = "key.rotate"
    KEY_LIST = "key.list"
    KEY_READ = "key.read"
    KEY_DESTROY = "key.destroy"
    POLICY_PUT = "policy.put"
    POLICY_READ = "policy.read"
    POLICY_TEST = "policy.test"
    POLICY_ROLL_BACK = "policy.roll_back"
    POLICY_DELETE = "policy.delete"
    REFERENCE_PUT = "reference.put"
    REFERENCE_READ = "reference.read"
    REFERENCE_DELETE = "reference.delete"
    DECISION_READ = "decision.read"
    STATUS = "status"


class Role(StrEnum):
    """The roles that there are."""

    ADMIN = "admin"
    READER = "reader"
    PROVISIONER = "provisioner"


_READER = frozenset(
    {
        Action.RESOURCE_LIST,
        Action.KEY_LIST,
        Action.POLICY_READ,
        Action.POLICY_TEST,
        Action.REFERENCE_READ,
        Action.DECISION_READ,
        Action.STATUS,
    }
)
_PROVISIONER = frozenset(
    {
        Action.RESOURCE_PUT,
        Action.RESOURCE_LIST,
        Action.KEY_CREATE,
        Action.KEY_IMPORT,
        Action.KEY_ROTATE,
        Action.KEY_LIST,
        Action.REFERENCE_PUT,
        Action.REFERENCE_READ,
    }
)

#: What each role may do. A role that is not here may do nothing.
GRANTS: Mapping[str, frozenset[Action]] = MappingProxyType(
    {Role.ADMIN: frozenset(Action), Role.READER: _READER, Role.PROVISIONER: _PROVISIONER}
)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, as a verified credential says. ``role`` need not be one of :class:`Role`."""

    name: str
    role: str


def require_grant(principal: Principal, action: Action) -> None:
    """Return if the role of ``principal`` has ``action``.

    Raises:
        AccessDenied: ``access_denied.role``.
    """
    if action not in GRANTS.get(principal.role, frozenset()):
        raise AccessDenied(
            f"the role {principal.role[:64]!r} of {principal.name} does not include {action}",
            detail="role", role=principal.role, action=str(action),
        )  # fmt: skip
