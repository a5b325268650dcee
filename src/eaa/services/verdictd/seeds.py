"""What holds in a storage where no owner has set anything yet: our default policies."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from eaa.broker.ports import Policies
from eaa.broker.records import PolicyKind
from eaa.errors import ConflictError
from eaa.policy.templates import DEFAULT_ATTESTATION, DEFAULT_RESOURCE, template

__all__ = ["ensure_policies"]

_BY = "verdictd"


async def ensure_policies(policies: Policies, *, now: datetime) -> tuple[str, ...]:
    """Put the default attestation and resource policy where their kind never had one; what was put.

    An owner who deletes one is not given it again: its history is there.
    """
    put: list[str] = []
    wanted = ((PolicyKind.ATTESTATION, DEFAULT_ATTESTATION, DEFAULT_ATTESTATION),
              (PolicyKind.RESOURCE, "", DEFAULT_RESOURCE))  # fmt: skip
    for kind, policy_id, name in wanted:
        if not await policies.current(kind) and not await policies.history(kind, policy_id):
            with suppress(ConflictError):  # somebody was faster: a replica, or the owner
                await policies.put(kind, policy_id, template(name).text, by=_BY, now=now, expected_version=0)
                put.append(f"{kind}/{policy_id}")
    return tuple(put)
