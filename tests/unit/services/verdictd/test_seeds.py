"""Our default policies, where nobody has set any; never in place of an owner's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from eaa.broker.records import Policy, PolicyKind
from eaa.services.verdictd.seeds import ensure_policies
from tests.fakes.memory_stores import MemoryPolicies
from tests.fakes.vendor import NOW

OWN = "package policy\ndefault allow = false\n"


class _Raced(MemoryPolicies):
    """Through another replica, an owner sets a policy just after ours has found none."""

    async def history(self, kind: PolicyKind, policy_id: str) -> Sequence[Policy]:
        found = await super().history(kind, policy_id)
        if not found and kind is PolicyKind.RESOURCE:
            await self.put(kind, policy_id, OWN, by="owner", now=NOW)
        return found


def test_an_owner_who_was_faster_is_not_overruled() -> None:
    policies = _Raced()
    assert asyncio.run(ensure_policies(policies, now=NOW)) == ("attestation/default_cpu",)
    assert [item.text for item in asyncio.run(policies.current(PolicyKind.RESOURCE))] == [OWN]


def test_what_was_deleted_is_not_put_again() -> None:
    policies = MemoryPolicies()
    assert len(asyncio.run(ensure_policies(policies, now=NOW))) == 2
    asyncio.run(policies.delete(PolicyKind.RESOURCE, ""))
    assert asyncio.run(ensure_policies(policies, now=NOW)) == ()
