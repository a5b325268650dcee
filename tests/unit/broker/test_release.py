"""Who gets which secret, and what is kept of it."""

from __future__ import annotations

from typing import Any

import pytest

from eaa.broker.names import ResourcePath
from eaa.broker.records import PolicyKind
from eaa.broker.release import Events, Subject
from eaa.errors import AccessDenied, EAAError, LocalProtocolError, PolicyError, StorageError
from tests.fakes.vendor import NOW
from tests.unit.broker.broker_fixtures import Fixture, defaults, policy, run

AFFIRMING = {"submods": {"cpu0": {"ear.status": "affirming", "ear.trustworthiness-vector": {}}}}
SUBJECT = Subject("guest", "tdx", "ab" * 32, AFFIRMING)
PATH = ("default", "key", "1")


@pytest.fixture
def fixture() -> Fixture:
    made = Fixture()
    run(made.stores.resources.put(ResourcePath(*PATH), b"resource", by="test", now=NOW))
    run(made.stores.keys.put("k1", bytes(32), by="test", now=NOW))
    return made


def _release(fixture: Fixture, plugin: str = "resource", path: tuple[str, ...] = PATH, **query: str) -> bytes:
    return run(fixture.releaser.release(SUBJECT, plugin, path, query))


def _refused(fixture: Fixture, error: type[EAAError], *args: Any) -> EAAError:
    with pytest.raises(error) as refused:
        _release(fixture, *args)
    decision = run(fixture.stores.decisions.read(refused.value.decision))
    assert (decision.granted, decision.code) == (False, refused.value.code)
    return refused.value


def test_a_resource_and_a_key(fixture: Fixture) -> None:
    assert _release(fixture) == b"resource"
    assert _release(fixture, "key", ("k1",)) == bytes(32)
    kept = run(fixture.stores.decisions.list())
    assert [(item.target, item.granted, item.policy) for item in kept] == [
        ("key/k1", True, "resource/@1"),
        ("resource/default/key/1", True, "resource/@1"),
    ]
    assert ("policy", "approved") in fixture.events.told
    assert fixture.events.told[-1] == ("released", "key", "")


def test_a_policy_that_says_no_says_why(fixture: Fixture) -> None:
    text = (
        "package policy\nimport rego.v1\ndefault allow := false\n"
        'explanation contains {"rule": "hours", "claim": "query.hour", "expected": "day", "came": hour}'
        " if hour := data.query.hour\n"
    )
    fixture.books.policies = fixture.book([policy(PolicyKind.RESOURCE, "", text)], {})
    with pytest.raises(AccessDenied) as refused:
        _release(fixture, hour="night")
    kept = run(fixture.stores.decisions.read(refused.value.decision))
    assert kept.explanation[0]["status"] == "affirming"
    assert kept.explanation[1] == {
        "rule": "hours", "claim": "query.hour", "expected": "day", "came": "night", "verdict": "fail",
    }  # fmt: skip
    assert ("policy", "violated") in fixture.events.told


def test_a_policy_that_breaks_grants_nothing(fixture: Fixture) -> None:
    broken = policy(PolicyKind.RESOURCE, "", "package policy\nimport rego.v1\nallow if count(5) == 1\n")
    fixture.books.policies = fixture.book([broken], {})
    _refused(fixture, PolicyError)
    assert ("policy", "error") in fixture.events.told


def test_without_a_policy_nothing_is_granted(fixture: Fixture) -> None:
    fixture.books.policies = fixture.book(defaults()[:1], {})
    assert _refused(fixture, AccessDenied).code == "access_denied.no_policy"


@pytest.mark.parametrize(
    ("plugin", "path", "code"),
    [
        ("pkcs11", PATH, "resource_not_found.plugin"),
        ("resource", ("a", "b"), "format.resource_path"),
        ("resource", ("a", "..", "c"), "format.name"),
        ("key", ("a", "b"), "format.name"),
        ("key", ("nosuch",), "resource_not_found.missing"),
    ],
)
def test_what_is_nothing_to_release(fixture: Fixture, plugin: str, path: tuple[str, ...], code: str) -> None:
    assert _refused(fixture, EAAError, plugin, path).code == code


def test_what_cannot_be_recorded_is_not_released(fixture: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    async def down(*_: object) -> None:
        raise StorageError("down")

    monkeypatch.setattr(fixture.stores.decisions, "record", down)
    with pytest.raises(StorageError):
        _release(fixture)
    assert not any(told == ("released", "resource", "") for told in fixture.events.told)


def test_events_may_be_nobody_s() -> None:
    events, error = Events(), LocalProtocolError("x")
    events.challenged(error)
    events.attested("tdx", error)
    events.policy("error")
    events.released("resource", error)
