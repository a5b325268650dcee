"""Which policy decides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from eaa.broker.policy_book import PolicyBook
from eaa.broker.records import Policy, PolicyKind, ReferenceValue
from eaa.errors import AccessDenied, PolicyError, StorageError

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def _policy(kind: PolicyKind, name: str) -> Policy:
    return Policy(kind, name, 1, f"# {name}", "00" * 32, NOW, "admin")


def _book(*resource: str) -> PolicyBook:
    policies = [_policy(PolicyKind.ATTESTATION, name) for name in ("default_cpu", "strict_cpu")]
    policies += [_policy(PolicyKind.RESOURCE, prefix) for prefix in resource]
    value = ReferenceValue("mr_td", ["00"], NOW, NOW, "admin")
    return PolicyBook.of(7, policies, [value], read_at=NOW)


def test_an_attestation_policy_is_found_by_name_and_class() -> None:
    book = _book()
    assert book.attestation_policy("", "cpu").id == "default_cpu"
    assert book.attestation_policy("strict", "cpu").id == "strict_cpu"
    assert book.knows("strict")
    assert not book.knows("stric")
    assert list(book.references) == ["mr_td"]
    assert book.generation == 7


@pytest.mark.parametrize(("name", "tee_class"), [("other", "cpu"), ("default", "gpu"), ("default_cpu", "")])
def test_no_other_takes_its_place(name: str, tee_class: str) -> None:
    with pytest.raises(PolicyError) as refused:
        _book().attestation_policy(name, tee_class)
    assert refused.value.code == "policy.unknown"


def test_the_longest_prefix_decides() -> None:
    book = _book("", "resource", "resource/default", "resource/default/key/1")
    assert book.resource_policy(("resource", "default", "key", "1")).id == "resource/default/key/1"
    assert book.resource_policy(("resource", "default", "key", "2")).id == "resource/default"
    assert book.resource_policy(("resource", "other", "key", "1")).id == "resource"
    assert book.resource_policy(("key", "1")).id == ""


def test_what_no_policy_covers_is_denied() -> None:
    with pytest.raises(AccessDenied) as refused:
        _book("resource/default").resource_policy(("resource", "other", "key", "1"))
    assert refused.value.code == "access_denied.no_policy"


@pytest.mark.parametrize("age", [timedelta(seconds=31), timedelta(seconds=-6)])
def test_a_stale_book_decides_nothing(age: timedelta) -> None:
    book = _book()
    book.require_recent(NOW + timedelta(seconds=30), at_most=timedelta(seconds=30))
    with pytest.raises(StorageError) as refused:
        book.require_recent(NOW + age, at_most=timedelta(seconds=30))
    assert refused.value.code == "storage.policies_stale"
