"""Who may do what: every use case is tried by every role, and every refusal is on record."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from eaa.broker.administration import GRANTS, Action, Administration, Principal, Role, TestedPolicy
from eaa.broker.names import ResourcePath
from eaa.broker.records import DecisionKind, PolicyKind
from eaa.errors import AccessDenied, ResourceNotFound, StorageError
from tests.fakes.administrators import ADMIN, NOBODY, PROVISIONER, READER, Bureau, run, signed_references

PATH = ResourcePath.parse("default/key/1")
MESSAGE = b'{"version":"0.1.0","type":"sample","payload":"eyJhIjoxfQ=="}'
SIGNED = signed_references({"a": 1})
TEXT = TestedPolicy(PolicyKind.RESOURCE, text="allow")

Use = Callable[[Administration, Principal], Coroutine[Any, Any, Any]]

#: Every method, its action, and a call of it that an admin is granted once everything exists.
USES: dict[str, tuple[Action, Use]] = {
    "resources.put": (Action.RESOURCE_PUT, lambda a, p: a.resources.put(p, PATH, b"x")),
    "resources.list": (Action.RESOURCE_LIST, lambda a, p: a.resources.list(p)),
    "resources.versions": (Action.RESOURCE_LIST, lambda a, p: a.resources.versions(p, PATH)),
    "resources.read": (Action.RESOURCE_READ, lambda a, p: a.resources.read(p, PATH)),
    "resources.enable": (Action.RESOURCE_ENABLE, lambda a, p: a.resources.set_enabled(p, PATH, True)),
    "resources.disable": (Action.RESOURCE_DISABLE, lambda a, p: a.resources.set_enabled(p, PATH, False)),
    "resources.delete": (Action.RESOURCE_DELETE, lambda a, p: a.resources.delete(p, PATH)),
    "keys.create": (Action.KEY_CREATE, lambda a, p: a.keys.create(p)),
    "keys.import": (Action.KEY_IMPORT, lambda a, p: a.keys.import_(p, "k", bytes(32))),
    "keys.rotate": (Action.KEY_ROTATE, lambda a, p: a.keys.rotate(p, "k")),
    "keys.list": (Action.KEY_LIST, lambda a, p: a.keys.list(p)),
    "keys.versions": (Action.KEY_LIST, lambda a, p: a.keys.versions(p, "k")),
    "keys.read": (Action.KEY_READ, lambda a, p: a.keys.read(p, "k")),
    "keys.destroy": (Action.KEY_DESTROY, lambda a, p: a.keys.destroy(p, "k")),
    "policies.put": (Action.POLICY_PUT, lambda a, p: a.policies.put(p, PolicyKind.RESOURCE, "", "allow")),
    "policies.list": (Action.POLICY_READ, lambda a, p: a.policies.list(p, PolicyKind.RESOURCE)),
    "policies.read": (Action.POLICY_READ, lambda a, p: a.policies.read(p, PolicyKind.RESOURCE, "")),
    "policies.history": (Action.POLICY_READ, lambda a, p: a.policies.history(p, PolicyKind.RESOURCE, "")),
    "policies.test": (
        Action.POLICY_TEST,
        lambda a, p: a.policies.test(p, TEXT, {}, data={}, references=None),
    ),
    "policies.roll_back": (
        Action.POLICY_ROLL_BACK,
        lambda a, p: a.policies.roll_back(p, PolicyKind.RESOURCE, "", 1),
    ),
    "policies.delete": (Action.POLICY_DELETE, lambda a, p: a.policies.delete(p, PolicyKind.RESOURCE, "")),
    "references.put": (Action.REFERENCE_PUT, lambda a, p: a.references.put(p, {"a": 1})),
    "references.import": (Action.REFERENCE_PUT, lambda a, p: a.references.import_message(p, MESSAGE)),
    "references.put_signed": (Action.REFERENCE_PUT, lambda a, p: a.references.put_signed(p, SIGNED)),
    "references.list": (Action.REFERENCE_READ, lambda a, p: a.references.list(p)),
    "references.read": (Action.REFERENCE_READ, lambda a, p: a.references.read(p, "a")),
    "references.delete": (Action.REFERENCE_DELETE, lambda a, p: a.references.delete(p, "a")),
    "decisions.list": (Action.DECISION_READ, lambda a, p: a.decisions.list(p)),
    "decisions.explain": (Action.DECISION_READ, lambda a, p: a.decisions.explain(p, "0" * 26)),
    "decisions.status": (Action.STATUS, lambda a, p: a.decisions.status(p)),
}

#: Those that change nothing and show no secret.
QUIET = {
    *("resources.list", "resources.versions", "keys.list", "keys.versions"),
    *("policies.list", "policies.read", "policies.history", "policies.test"),
    *("references.list", "references.read", "decisions.list", "decisions.explain", "decisions.status"),
}
RECORDED = set(USES) - QUIET


@pytest.fixture
def furnished() -> Bureau:
    """What each use needs is there; nothing is on record."""
    bureau = Bureau()
    a = bureau.administration
    run(a.resources.put(ADMIN, PATH, b"secret"))
    run(a.keys.import_(ADMIN, "k", bytes(16)))
    run(a.policies.put(ADMIN, PolicyKind.RESOURCE, "", "allow"))
    run(a.references.put(ADMIN, {"a": 1}))
    bureau.decisions.clear()
    return bureau


def test_every_action_is_tried() -> None:
    assert {action for action, _ in USES.values()} == set(Action)


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("principal", [ADMIN, READER, PROVISIONER, NOBODY], ids=lambda p: p.role)
def test_roles(furnished: Bureau, name: str, principal: Principal) -> None:
    action, use = USES[name]
    if action in GRANTS.get(principal.role, frozenset()):
        try:
            run(use(furnished.administration, principal))
        except ResourceNotFound:
            assert name == "decisions.explain"
            return
        recorded = [(True, str(action))] if name in RECORDED else []
    else:
        with pytest.raises(AccessDenied) as caught:
            run(use(furnished.administration, principal))
        assert caught.value.code == "access_denied.role"
        recorded = [(False, "access_denied.role")]
    assert [(decision.granted, decision.code) for decision in furnished.decisions] == recorded
    for decision in furnished.decisions:
        assert decision.kind is DecisionKind.ADMINISTRATION
        assert decision.subject == principal.name
        assert decision.explanation[0]["action"] == str(action)
        assert decision.explanation[0]["role"] == principal.role


def test_what_roles_may_do() -> None:
    assert GRANTS[Role.ADMIN] == set(Action)
    secret = {Action.RESOURCE_READ, Action.KEY_READ}
    for role in (Role.READER, Role.PROVISIONER):
        assert not GRANTS[role] & (secret | {Action.POLICY_PUT, Action.KEY_DESTROY, Action.RESOURCE_DELETE})
    assert not {action for action in GRANTS[Role.READER] if action.endswith((".put", ".rotate", ".create"))}


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_nothing_is_done_that_cannot_be_recorded(furnished: Bureau, name: str) -> None:
    stores = furnished.stores
    before = repr((stores.resources, stores.keys, stores.policies, stores.references))
    stores.decisions.broken = True
    with pytest.raises(StorageError):
        run(USES[name][1](furnished.administration, ADMIN))
    assert repr((stores.resources, stores.keys, stores.policies, stores.references)) == before


def test_a_change_that_fails_after_its_grant_is_on_record_twice(furnished: Bureau) -> None:
    missing = ResourcePath.parse("default/key/none")
    with pytest.raises(ResourceNotFound):
        run(furnished.administration.resources.delete(ADMIN, missing))
    assert furnished.said == [
        (True, "resource.delete", "default/key/none"),
        (False, "resource_not_found.missing", "default/key/none"),
    ]


def test_ids_of_decisions_sort_by_time(furnished: Bureau) -> None:
    for _ in range(3):
        furnished.wait(seconds=1)
        run(furnished.administration.keys.create(ADMIN))
    ids = [decision.id for decision in furnished.decisions]
    assert ids == sorted(set(ids))
    assert all(decision.at.tzinfo is not None for decision in furnished.decisions)
