"""Policies in versions, and the generation of what decides."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from eaa.broker.ports import Policies
from eaa.broker.records import Policy, PolicyKind, ReferenceValue
from eaa.errors import ConflictError, FormatError, ResourceNotFound
from eaa.storage.database.database import Database
from tests.unit.storage.conftest import Run
from tests.unit.storage.database.samples import HOUR, NOW

_ATTESTATION, _RESOURCE = PolicyKind.ATTESTATION, PolicyKind.RESOURCE


@pytest.fixture
def policies(database: Database) -> Policies:
    return database.policies


def test_what_was_put_holds(run: Run, policies: Policies) -> None:
    text = "package policy\n# ä"
    put = run(policies.put(_ATTESTATION, "default_cpu", text, by="alice", now=NOW))
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert put == Policy(_ATTESTATION, "default_cpu", 1, text, digest, NOW, "alice")
    assert run(policies.read(_ATTESTATION, "default_cpu")) == put
    assert run(policies.current(_ATTESTATION)) == [put]
    assert run(policies.current(_RESOURCE)) == []


def test_the_empty_id_is_an_id(run: Run, policies: Policies) -> None:
    put = run(policies.put(_RESOURCE, "", "package p", by="", now=NOW))
    assert run(policies.read(_RESOURCE, "")) == put


def test_the_newest_version_holds(run: Run, policies: Policies) -> None:
    for text in ("one", "two", "three"):
        run(policies.put(_RESOURCE, "resource", text, by="", now=NOW))
    run(policies.put(_RESOURCE, "a", "other", by="", now=NOW))
    assert [(p.id, p.version, p.text) for p in run(policies.current(_RESOURCE))] == [
        ("a", 1, "other"), ("resource", 3, "three"),
    ]  # fmt: skip
    assert [p.text for p in run(policies.history(_RESOURCE, "resource"))] == ["three", "two", "one"]
    assert run(policies.read(_RESOURCE, "resource", version=2)).text == "two"


def test_kinds_count_their_versions_apart(run: Run, policies: Policies) -> None:
    run(policies.put(_RESOURCE, "x", "one", by="", now=NOW))
    assert run(policies.put(_ATTESTATION, "x", "two", by="", now=NOW)).version == 1
    assert run(policies.read(_RESOURCE, "x")).text == "one"


def test_rolling_back_makes_a_new_version_of_the_old_text(run: Run, policies: Policies) -> None:
    old = run(policies.put(_RESOURCE, "x", "one", by="alice", now=NOW))
    run(policies.put(_RESOURCE, "x", "two", by="", now=NOW))
    back = run(policies.roll_back(_RESOURCE, "x", 1, by="bob", now=NOW + HOUR))
    assert back == Policy(_RESOURCE, "x", 3, "one", old.sha256, NOW + HOUR, "bob")
    assert run(policies.read(_RESOURCE, "x")) == back


def test_a_deleted_policy_does_not_hold_and_its_history_stays(run: Run, policies: Policies) -> None:
    run(policies.put(_RESOURCE, "x", "one", by="", now=NOW))
    run(policies.delete(_RESOURCE, "x"))
    assert run(policies.current(_RESOURCE)) == []
    with pytest.raises(ResourceNotFound):
        run(policies.read(_RESOURCE, "x"))
    assert run(policies.read(_RESOURCE, "x", version=1)).text == "one"
    assert len(run(policies.history(_RESOURCE, "x"))) == 1
    assert run(policies.put(_RESOURCE, "x", "two", by="", now=NOW)).version == 2
    assert run(policies.read(_RESOURCE, "x")).text == "two"


def test_a_deleted_policy_can_be_rolled_back_to(run: Run, policies: Policies) -> None:
    run(policies.put(_RESOURCE, "x", "one", by="", now=NOW))
    run(policies.delete(_RESOURCE, "x"))
    run(policies.roll_back(_RESOURCE, "x", 1, by="", now=NOW))
    assert run(policies.read(_RESOURCE, "x")).version == 2


def test_what_is_not_there_is_not_found(run: Run, policies: Policies) -> None:
    run(policies.put(_RESOURCE, "x", "one", by="", now=NOW))
    for missing in (
        policies.read(_ATTESTATION, "x"),
        policies.read(_RESOURCE, "x", version=2),
        policies.roll_back(_RESOURCE, "x", 2, by="", now=NOW),
        policies.roll_back(_RESOURCE, "y", 1, by="", now=NOW),
        policies.delete(_RESOURCE, "y"),
    ):
        with pytest.raises(ResourceNotFound):
            run(missing)
    assert run(policies.history(_RESOURCE, "y")) == []


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_text_that_cannot_be_kept_is_refused(run: Run, policies: Policies, text: str) -> None:
    with pytest.raises(FormatError) as caught:
        run(policies.put(_RESOURCE, "x", text, by="", now=NOW))
    assert caught.value.code == "format.text"


def test_the_generation_grows_with_every_change_and_with_nothing_else(run: Run, database: Database) -> None:
    policies, references = database.policies, database.references
    reference = ReferenceValue("r", 1, NOW, NOW, "")
    assert run(policies.generation()) == 0
    changes: list[Callable[[], Coroutine[Any, Any, object]]] = [
        lambda: policies.put(_RESOURCE, "x", "one", by="", now=NOW),
        lambda: policies.roll_back(_RESOURCE, "x", 1, by="", now=NOW),
        lambda: policies.delete(_RESOURCE, "x"),
        lambda: references.put([reference]),
        lambda: references.delete("r"),
    ]
    for count, change in enumerate(changes, 1):
        run(change())
        assert run(policies.generation()) == count
    for unchanging in (
        lambda: policies.delete(_RESOURCE, "x"),
        lambda: references.delete("r"),
        lambda: policies.roll_back(_RESOURCE, "y", 1, by="", now=NOW),
    ):
        with pytest.raises(ResourceNotFound):
            run(unchanging())
    run(references.put([]))
    run(policies.current(_RESOURCE))
    assert run(policies.generation()) == len(changes)


def test_changes_at_the_same_time_are_all_counted(run: Run, database: Database, other: Database) -> None:
    async def work() -> list[int]:
        puts = [
            store.policies.put(_RESOURCE, "x", f"{n}", by="", now=NOW)
            for n in range(10)
            for store in (database, other)
        ]
        return sorted(policy.version for policy in await asyncio.gather(*puts))

    assert run(work()) == list(range(1, 21))
    assert run(other.policies.generation()) == 20
    assert run(other.policies.read(_RESOURCE, "x")).version == 20


def test_only_over_the_version_that_was_seen(run: Run, policies: Policies) -> None:
    async def put(text: str, expected: int | None) -> Policy:
        return await policies.put(_RESOURCE, "x", text, by="", now=NOW, expected_version=expected)

    async def at_once() -> list[Policy | BaseException]:
        return await asyncio.gather(*(put(text, 0) for text in "abcd"), return_exceptions=True)

    outcomes = run(at_once())
    kept = [item for item in outcomes if isinstance(item, Policy)]
    refused = [item for item in outcomes if isinstance(item, ConflictError)]
    assert (len(kept), len(refused)) == (1, 3)
    assert {item.code for item in refused} == {"conflict.version"}
    assert run(policies.read(_RESOURCE, "x")) == kept[0]
    second = run(put("next", kept[0].version))
    with pytest.raises(ConflictError, match=f"expected version {kept[0].version} to hold"):
        run(put("late", kept[0].version))
    run(policies.delete(_RESOURCE, "x"))
    with pytest.raises(ConflictError):
        run(put("late", second.version))
    assert run(put("again", 0)).version > second.version
