"""What administrators can do, who may do what of it, and the record of it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from eaa.broker.administration.decisions import DecisionAdministration, Status
from eaa.broker.administration.guest_documents import GuestDocuments
from eaa.broker.administration.journal import Journal
from eaa.broker.administration.keys import KeyAdministration
from eaa.broker.administration.legacy_opa import LegacyOpa
from eaa.broker.administration.policies import Aside, PolicyAdministration, StoredPolicy, TestedPolicy
from eaa.broker.administration.principal import GRANTS, Action, Principal, Role
from eaa.broker.administration.references import ReferenceAdministration
from eaa.broker.administration.resources import ResourceAdministration
from eaa.broker.administration.signed_references import NO_SIGNERS, ReferenceSigners
from eaa.broker.ports import DecisionLog, Keys, Policies, PolicyEngine, ReferenceValues, Resources

__all__ = [
    "GRANTS",
    "Action",
    "Administration",
    "Aside",
    "Principal",
    "Role",
    "Status",
    "StoredPolicy",
    "Stores",
    "TestedPolicy",
]


class Stores(Protocol):
    """Where the broker keeps what is administrated."""

    @property
    def resources(self) -> Resources: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def policies(self) -> Policies: ...
    @property
    def references(self) -> ReferenceValues: ...
    @property
    def decisions(self) -> DecisionLog: ...


class Administration:
    """Everything an administrator can ask for, by what it is about.

    Every method takes the :class:`Principal` first and looks at its role before anything else. Changes,
    views of secrets, and refusals are recorded in ``stores.decisions``.

    Args:
        stores: where things are kept.
        engine: examines and tests policies, within its own bound of time.
        now: the time, aware.
        new_id: an id for a decision made at that time, :func:`eaa.broker.decision_id.decision_id`.
        random: that many unpredictable bytes.
        aside: where the engine is called, ``asyncio.to_thread``.
        signers: whose signed reference values are taken.
    """

    def __init__(
        self,
        stores: Stores,
        engine: PolicyEngine,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[datetime], str],
        random: Callable[[int], bytes],
        aside: Aside,
        signers: ReferenceSigners = NO_SIGNERS,
    ) -> None:
        journal = Journal(stores.decisions, now, new_id)
        self.resources = ResourceAdministration(journal, stores.resources)
        self.keys = KeyAdministration(journal, stores.keys, random)
        self.policies = PolicyAdministration(journal, stores.policies, stores.references, engine, aside)
        self.references = ReferenceAdministration(journal, stores.references, signers)
        self.decisions = DecisionAdministration(
            journal, stores.decisions, stores.policies, stores.references
        )  # fmt: skip
        self.opa = LegacyOpa(self.policies, self.references)
        self.documents = GuestDocuments(self.resources)
