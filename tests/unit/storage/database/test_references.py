"""Reference values by name."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from eaa.broker.ports import ReferenceValues
from eaa.broker.records import ReferenceValue
from eaa.errors import FormatError, ResourceNotFound, UsageError
from eaa.storage.database.database import Database
from tests.unit.storage.conftest import Run
from tests.unit.storage.database.samples import HOUR, NOW


@pytest.fixture
def references(database: Database) -> ReferenceValues:
    return database.references


def _value(name: str, value: Any = "v") -> ReferenceValue:
    return ReferenceValue(name, value, NOW + HOUR, NOW, "alice")


@pytest.mark.parametrize(
    "value",
    [None, True, 0, 2**63, -1.5, "", "ä\0\ud800", [], [1, ["a"]], {"a": {"b": None}}],
    ids=["null", "true", "0", "2^63", "-1.5", "empty", "odd text", "[]", "nested list", "nested object"],
)
def test_any_json_is_a_value(run: Run, references: ReferenceValues, value: Any) -> None:
    run(references.put([_value("n", value)]))
    read = run(references.read("n"))
    assert read == _value("n", value)
    assert type(read.value) is type(value)


def test_the_same_name_is_replaced(run: Run, references: ReferenceValues) -> None:
    run(references.put([_value("n", 1)]))
    run(references.put([_value("n", 2), _value("m", 3), _value("n", 4)]))
    assert [(v.name, v.value) for v in run(references.list())] == [("m", 3), ("n", 4)]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:00:00-01:00"])
def test_a_time_that_could_not_be_read_again_is_not_kept(
    run: Run, references: ReferenceValues, time: str
) -> None:
    with pytest.raises(UsageError):
        run(references.put([replace(_value("n"), expires_at=datetime.fromisoformat(time))]))
    assert run(references.list()) == []
    for last in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        run(references.put([replace(_value("n"), expires_at=last)]))
        assert run(references.read("n")).expires_at == last


@pytest.mark.parametrize("bad", [_value("b", float("nan")), _value("b", b"bytes"), _value("b\0")])
def test_all_are_kept_or_none(run: Run, references: ReferenceValues, bad: ReferenceValue) -> None:
    with pytest.raises(FormatError):
        run(references.put([_value("a"), bad]))
    assert run(references.list()) == []


def test_what_is_not_there_is_not_found(run: Run, references: ReferenceValues) -> None:
    for missing in (references.read("n"), references.delete("n")):
        with pytest.raises(ResourceNotFound):
            run(missing)


def test_a_deleted_one_is_not_found(run: Run, references: ReferenceValues) -> None:
    run(references.put([_value("n")]))
    run(references.delete("n"))
    with pytest.raises(ResourceNotFound):
        run(references.read("n"))


def test_listing_goes_by_name(run: Run, references: ReferenceValues) -> None:
    run(references.put([_value(name) for name in ("b", "a", "B", "ä", "a b")]))
    assert [v.name for v in run(references.list())] == ["B", "a", "a b", "b", "ä"]
    assert [v.name for v in run(references.list(after="a", limit=2))] == ["a b", "b"]
    with pytest.raises(FormatError):
        run(references.list(after="\0"))
