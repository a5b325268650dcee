"""Policies and data of the original system: a document of Rego and one of JSON, kept and tested by name.

They decide nothing: resources are released by resource policies, evidence is appraised by attestation
policies. The Rego is kept as the resource policy of a plugin ``opa`` that does not exist, in versions, after
the engine has examined it; the data as a reference value. Both are called ``opa/<name>``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eaa.broker.administration.policies import PolicyAdministration, StoredPolicy, TestedPolicy
from eaa.broker.administration.principal import Principal
from eaa.broker.administration.references import ReferenceAdministration
from eaa.broker.names import require_name
from eaa.broker.ports import ReleaseOutcome
from eaa.broker.records import PolicyKind
from eaa.errors import InternalError

__all__ = ["LegacyOpa", "legacy_name"]


@dataclass(frozen=True, slots=True)
class LegacyOpa:
    """The original's documents. Errors are those of policies and of reference values."""

    policies: PolicyAdministration
    references: ReferenceAdministration

    async def put_policy(self, principal: Principal, name: str, text: str) -> StoredPolicy:
        """A new version of the Rego ``name``, e.g. ``sgxPolicy.rego``."""
        return await self.policies.put(principal, PolicyKind.RESOURCE, legacy_name(name), text)

    async def policy(self, principal: Principal, name: str) -> str:
        """The text that was put last."""
        found = await self.policies.read(principal, PolicyKind.RESOURCE, legacy_name(name))
        return found.text

    async def put_reference(self, principal: Principal, name: str, value: Any) -> None:
        """The JSON ``name``, e.g. ``sgxData``; it holds for 12 months."""
        await self.references.put(principal, {legacy_name(name): value})

    async def reference(self, principal: Principal, name: str) -> Any:
        """The JSON that was put last."""
        return (await self.references.read(principal, legacy_name(name))).value

    async def test(
        self, principal: Principal, tested: TestedPolicy, data: Mapping[str, Any], claims: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What ``data.policy.allow`` is, as the original says it.

        ``{"allow": bool, "parseInfo": {name: [of the input, of the data]}}`` for each name of the input.
        """
        outcome = await self.policies.test(principal, tested, claims, data=data, references={})
        if not isinstance(outcome, ReleaseOutcome):
            raise InternalError("a resource policy was appraised", detail="policy_kind")
        return {
            "allow": outcome.allowed,
            "parseInfo": {name: [value, data.get(name)] for name, value in claims.items()},
        }


def legacy_name(name: str) -> str:
    """The id under which the document ``name`` is kept.

    Raises:
        FormatError: ``format.name``.
    """
    return "opa/" + require_name(name, what="OPA document")
