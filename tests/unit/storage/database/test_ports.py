"""Each attribute of a database is one of the broker's ports: what is here is checked by mypy."""

from __future__ import annotations

from eaa.broker.ports import DecisionLog, Keys, Policies, ReferenceValues, Resources, ServiceKeys, Sessions
from eaa.storage.database.database import Database
from eaa.storage.sealing.data_keys import DataKeys
from tests.unit.storage.conftest import Run
from tests.unit.storage.database.samples import AesSealer


def test_a_database_is_all_ports(run: Run) -> None:
    database = run(Database.open("sqlite://", AesSealer()))
    resources: Resources = database.resources
    keys: Keys = database.keys
    policies: Policies = database.policies
    references: ReferenceValues = database.references
    sessions: Sessions = database.sessions
    decisions: DecisionLog = database.decisions
    service_keys: ServiceKeys = database.service_keys
    data_keys: DataKeys = database.data_keys
    ports = {resources, keys, policies, references, sessions, decisions, service_keys, data_keys}
    assert len(ports) == 8
    run(database.close())
