"""Every decision, kept."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

from eaa.broker.ports import DecisionLog
from eaa.broker.records import DecisionKind
from eaa.errors import FormatError, ResourceNotFound, UsageError
from eaa.storage.database.database import Database
from tests.unit.storage.conftest import Run
from tests.unit.storage.database.samples import decision


@pytest.fixture
def log(database: Database) -> DecisionLog:
    return database.decisions


@pytest.mark.parametrize("kind", DecisionKind)
@pytest.mark.parametrize("granted", [True, False])
def test_what_was_recorded_is_read(run: Run, log: DecisionLog, kind: DecisionKind, granted: bool) -> None:
    made = decision(kind=kind, granted=granted, explanation=())
    run(log.record(made))
    assert run(log.read(made.id)) == made


def test_text_that_cannot_be_kept_as_it_is_is_kept_escaped(run: Run, log: DecisionLog) -> None:
    made = decision(subject="a\0b", reason="\ud800 ä", target="plain ä")
    run(log.record(made))
    read = run(log.read(made.id))
    assert (read.subject, read.reason, read.target) == (r"a\x00b", r"\ud800 ä", "plain ä")


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "ä"},
        {"id": "a\0"},
        {"explanation": ({"a": b"bytes"},)},
        {"explanation": ({"a": float("inf")},)},
    ],
)
def test_what_is_no_decision_is_the_callers_mistake(
    run: Run, log: DecisionLog, changes: dict[str, object]
) -> None:
    with pytest.raises(UsageError):
        run(log.record(decision(**changes)))
    assert run(log.list()) == []


def test_an_unknown_id_is_not_found(run: Run, log: DecisionLog) -> None:
    with pytest.raises(ResourceNotFound):
        run(log.read("0" * 26))
    with pytest.raises(FormatError):
        run(log.read("\0"))


def test_listing_is_newest_first_by_any_filter_from_any_id(run: Run, log: DecisionLog) -> None:
    kinds = itertools.cycle(DecisionKind)
    outcomes = itertools.cycle([True, True, False, True])
    made = [decision(kind=next(kinds), granted=next(outcomes)) for _ in range(60)]

    async def record() -> None:
        await asyncio.gather(*(log.record(each) for each in made))

    run(record())
    newest_first = made[::-1]
    for granted, kind, start, limit in itertools.product(
        (None, True, False), (None, *DecisionKind), (None, 0, 13, 59), (1, 7, 100)
    ):
        wanted = [
            each for each in newest_first[0 if start is None else start + 1 :]
            if granted in (None, each.granted) and kind in (None, each.kind)
        ]  # fmt: skip
        before = "" if start is None else newest_first[start].id
        assert run(log.list(before=before, limit=limit, granted=granted, kind=kind)) == wanted[:limit]


def test_listing_before_what_is_no_id_is_refused(run: Run, log: DecisionLog) -> None:
    with pytest.raises(FormatError):
        run(log.list(before="\0"))


def test_those_made_before_are_pruned_and_no_other(run: Run, log: DecisionLog) -> None:
    old = [decision(kind=kind) for kind in DecisionKind]
    young = [decision(kind=kind) for kind in DecisionKind]
    for made in (*old, *young):
        run(log.record(made))
    assert run(log.prune(young[0].at)) == len(old)
    assert run(log.prune(young[0].at)) == 0
    assert sorted(kept.id for kept in run(log.list())) == [made.id for made in young]


def test_more_are_pruned_than_go_into_one_transaction(
    run: Run, log: DecisionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eaa.storage.database.pruning._AT_ONCE", 2)
    made = [decision() for _ in range(6)]
    for each in made:
        run(log.record(each))
    assert run(log.prune(made[-1].at)) == 5
    assert [kept.id for kept in run(log.list())] == [made[-1].id]


def test_a_decision_by_a_clock_that_ran_behind_its_id_is_kept(run: Run, log: DecisionLog) -> None:
    old, young = decision(), decision()
    run(log.record(replace(old, at=young.at)))
    assert run(log.prune(young.at)) == 0
