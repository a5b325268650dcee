"""Reference values: names, expiry, Trustee's messages; decisions and status."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from eaa.broker.administration.reference_messages import (
    MAX_MESSAGE_BYTES,
    months_after,
    parse_reference_message,
)
from eaa.broker.administration.references import MAX_REFERENCES_AT_ONCE
from eaa.broker.records import DecisionKind, PolicyKind
from eaa.errors import EAAError, FormatError, ResourceNotFound, UnsupportedError, UsageError
from tests.fakes.administrators import ADMIN, NOW, READER, Bureau, run


@pytest.fixture
def bureau() -> Bureau:
    return Bureau()


def message(payload: object, **members: object) -> bytes:
    text = payload if isinstance(payload, str) else base64.b64encode(json.dumps(payload).encode()).decode()
    return json.dumps({"version": "0.1.0", "type": "sample", "payload": text, **members}).encode()


def test_values(bureau: Bureau) -> None:
    references = bureau.administration.references
    expiry = NOW + timedelta(days=3)
    put = run(references.put(ADMIN, {"mr_td": ["00"], "svn": 3}, expires_at=expiry))
    assert [(value.name, value.value, value.expires_at, value.created_by) for value in put] == [
        ("mr_td", ["00"], expiry, ADMIN.name),
        ("svn", 3, expiry, ADMIN.name),
    ]
    run(references.put(ADMIN, {"svn": None}))
    assert run(references.read(ADMIN, "svn")).value is None
    assert [value.name for value in run(references.list(ADMIN, after="mr_td"))] == ["svn"]
    run(references.delete(ADMIN, "svn"))
    for use in (references.read(ADMIN, "svn"), references.delete(ADMIN, "svn")):
        with pytest.raises(ResourceNotFound):
            run(use)
    assert [target for _, code, target in bureau.said if code == "reference.put"] == [
        "mr_td and 1 more",
        "svn",
    ]


def test_they_hold_for_twelve_months(bureau: Bureau) -> None:
    (value,) = run(bureau.administration.references.put(ADMIN, {"a": 1}))
    assert value.expires_at == datetime(2027, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "months", "then"),
    [
        ((2026, 1, 31), 1, (2026, 2, 28)),
        ((2028, 1, 31), 1, (2028, 2, 29)),
        ((2028, 2, 29), 12, (2029, 2, 28)),
        ((2026, 12, 1), 1, (2027, 1, 1)),
        ((2026, 11, 30), 0, (2026, 11, 30)),
        ((2026, 10, 31), 1, (2026, 11, 30)),
    ],
)
def test_months(now: tuple[int, int, int], months: int, then: tuple[int, int, int]) -> None:
    assert months_after(datetime(*now, 5, tzinfo=UTC), months) == datetime(*then, 5, tzinfo=UTC)


def test_the_end_of_time() -> None:
    with pytest.raises(FormatError):
        months_after(datetime(9999, 12, 1, tzinfo=UTC), 1)


@pytest.mark.parametrize(
    ("values", "expiry", "code"),
    [
        ({"a b": 1}, None, "format.reference_name"),
        ({"": 1}, None, "format.reference_name"),
        ({"é": 1}, None, "format.reference_name"),
        ({"x" * 257: 1}, None, "format.reference_name"),
        ({"a": 1}, NOW, "usage.expiry"),
        ({"a": 1}, datetime(2030, 1, 1), "usage.expiry"),  # noqa: DTZ001 - naive is what is refused
        ({}, None, "usage.references"),
        ({str(n): n for n in range(MAX_REFERENCES_AT_ONCE + 1)}, None, "usage.references"),
    ],
)
def test_what_is_not_kept(bureau: Bureau, values: dict[str, Any], expiry: datetime | None, code: str) -> None:
    with pytest.raises((FormatError, UsageError)) as caught:
        run(bureau.administration.references.put(ADMIN, values, expires_at=expiry))
    assert caught.value.code == code
    assert not bureau.stores.references.values
    assert [(granted, said) for granted, said, _ in bureau.said] == [(False, code)]


def test_the_longest_name_and_a_uri(bureau: Bureau) -> None:
    names = ["x" * 256, "rvps:///vendor/model:tag"]
    run(bureau.administration.references.put(ADMIN, dict.fromkeys(names, 1)))
    assert sorted(bureau.stores.references.values) == sorted(names)


def test_a_message_of_trustee(bureau: Bureau) -> None:
    text = message({"mr_td": ["aa"], "nested": {"x": [1, None]}})
    put = run(bureau.administration.references.import_message(ADMIN, text))
    assert {value.name: value.value for value in put} == {"mr_td": ["aa"], "nested": {"x": [1, None]}}
    assert put[0].expires_at == datetime(2027, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        (message({"a": 1}, version="0.2.0"), FormatError, "expected '0.1.0', got '0.2.0'"),
        (message({"a": 1}, type="swid"), UnsupportedError, "swid"),
        (message({"a": 1}, type="corim"), UnsupportedError, "corim"),
        (message({"a": 1}, type="other"), FormatError, "expected 'sample', got 'other'"),
        (message({"a": 1}, type=None), FormatError, "expected 'sample', got None"),
        (b'{"version":"0.1.0","type":"sample","payload":7}', FormatError, "expected base64 text"),
        (message("%%%"), FormatError, "not base64"),
        (message([1]), FormatError, "expected a JSON object"),
        (message({}), FormatError, "at least one"),
        (message(base64.b64encode(b'{"a":1,"a":2}').decode()), FormatError, "twice"),
        (b"[]", FormatError, "expected an object"),
        (b"{", FormatError, "JSON"),
        (b" " * (MAX_MESSAGE_BYTES + 1), FormatError, "exceed"),
    ],
)
def test_messages_that_are_refused(bureau: Bureau, text: bytes, error: type[EAAError], says: str) -> None:
    with pytest.raises(error, match=says):
        run(bureau.administration.references.import_message(ADMIN, text))
    assert not bureau.stores.references.values
    assert [granted for granted, _, _ in bureau.said] == [False]


def test_a_message_may_have_two_mebibytes() -> None:
    text = message({"a": 1})
    assert parse_reference_message(text + b" " * (MAX_MESSAGE_BYTES - len(text))) == {"a": 1}


def test_status_and_decisions(bureau: Bureau) -> None:
    a = bureau.administration
    run(a.references.put(ADMIN, {"a": 1}, expires_at=NOW + timedelta(hours=1)))
    run(a.references.put(ADMIN, {"b": 1}))
    run(a.policies.put(ADMIN, PolicyKind.ATTESTATION, "default_cpu", "x"))
    run(a.policies.put(ADMIN, PolicyKind.RESOURCE, "", "allow"))
    bureau.wait(hours=1)
    status = run(a.decisions.status(READER))
    assert (status.reference_values, status.expired, status.generation) == (2, 1, 4)
    assert [policy.id for policy in status.attestation_policies] == ["default_cpu"]
    assert [policy.id for policy in status.resource_policies] == [""]
    with pytest.raises(UsageError):
        run(a.references.put(ADMIN, {}))
    newest, *rest = run(a.decisions.list(READER, limit=3))
    assert (newest.granted, len(rest)) == (False, 2)
    older = run(a.decisions.list(READER, before=newest.id, granted=True, kind=DecisionKind.ADMINISTRATION))
    assert [decision.code for decision in older] == [
        "policy.put",
        "policy.put",
        "reference.put",
        "reference.put",
    ]
    assert run(a.decisions.list(READER, kind=DecisionKind.RELEASE)) == []
    assert run(a.decisions.explain(READER, newest.id)) == newest
    with pytest.raises(ResourceNotFound):
        run(a.decisions.explain(READER, "0" * 26))
