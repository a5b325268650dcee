from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from eaa.endorsements.tcb import (
    ENCLAVE_STATUSES,
    PLATFORM_STATUSES,
    Document,
    TcbStatus,
    member_advisory_ids,
    member_date,
    member_svns,
    member_uint,
)
from eaa.errors import FormatError


def refused(read: Any) -> FormatError:
    with pytest.raises(FormatError) as caught:
        read()
    return caught.value


@pytest.mark.parametrize("value", [[], "x", 1, None])
def test_a_document_is_an_object(value: Any) -> None:
    assert refused(lambda: Document(value, "thing")).field == "document"


def test_members_are_typed() -> None:
    document = Document(
        {"a": "text", "n": 7, "h": "00Ff", "o": {"p": "q"}, "l": [{"m": 1}, {"m": 2}]}, "thing"
    )
    assert "a" in document
    assert "b" not in document
    assert document.text("a") == "text"
    assert document.uint("n", 7) == 7
    assert document.hex("h", 2) == b"\x00\xff"
    assert document.object("o").text("p") == "q"
    assert [item.uint("m", 2) for item in document.objects("l", 2)] == [1, 2]
    assert document.parse_each("l", 2, lambda item: member_uint(item, "m", 2)) == [1, 2]


def test_errors_name_the_path() -> None:
    document = Document({"o": {"l": [{}, {"x": {"y": 1}}]}}, "thing")
    error = refused(lambda: document.object("o").objects("l", 9)[1].object("x").text("y"))
    assert (error.what, error.field, error.spec) == ("thing", "o.l[1].x.y", "[PCS-API v4]")
    error = refused(lambda: document.object("o").objects("l", 9)[0].text("z"))
    assert (error.field, error.code) == ("o.l[0].z", "format.missing")
    assert refused(lambda: document.object("o").object("l")).field == "o.l"


@pytest.mark.parametrize("value", [-1, 8, 1.0, True, "1", None, [], 10**4000])
def test_a_number_is_an_integer_in_range(value: Any) -> None:
    assert refused(lambda: Document({"n": value}, "thing").uint("n", 7)).field == "n"


def test_a_missing_number_is_named() -> None:
    error = refused(lambda: Document({}, "thing").uint("n", 7))
    assert (error.field, error.code) == ("n", "format.missing")


@pytest.mark.parametrize("value", [None, 1, [], {}])
def test_a_text_is_a_string(value: Any) -> None:
    assert refused(lambda: Document({"a": value}, "thing").text("a")).field == "a"


@pytest.mark.parametrize("value", ["0", "zz", "00", "000000", "é", " 00ff"])
def test_hexadecimal_has_its_length(value: str) -> None:
    assert refused(lambda: Document({"h": value}, "thing").hex("h", 2)).field == "h"


@pytest.mark.parametrize("value", [None, {}, [], [{}] * 3, "ab"])
def test_a_list_has_its_bounds(value: Any) -> None:
    document = Document({"l": value}, "thing")
    assert refused(lambda: document.objects("l", 2)).field == "l"
    assert refused(lambda: document.parse_each("l", 2, lambda item: item)).field == "l"


def test_a_list_holds_objects() -> None:
    assert refused(lambda: Document({"l": [1]}, "thing").objects("l", 2)).field == "l[0]"


@pytest.mark.parametrize(
    "error", [KeyError("x"), TypeError("x"), IndexError("x"), ValueError("x"), RecursionError("x")]
)
def test_an_item_that_cannot_be_read_is_named(error: Exception) -> None:
    def parse(item: Any) -> None:
        if item:
            raise error

    assert refused(lambda: Document({"l": [0, 1]}, "thing").parse_each("l", 2, parse)).field == "l[1]"


def test_a_date_is_utc() -> None:
    assert Document({"d": "2026-02-28T23:59:58Z"}, "thing").date("d") == datetime(
        2026, 2, 28, 23, 59, 58, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "value",
    [
        "2026-02-28T23:59:58", "2026-02-28 23:59:58Z", "2026-02-28T23:59:58+", "2026-02-30T00:00:00Z",
        "2026-02-28T23:59:60Z", "2026-02-28T235959.7Z", "2026-02-28T23:59,58Z", "2026/02/28T23:59:58Z",
        "2026-02-28T23:59:58.1Z", "", 7, None, ["-"] * 20,
    ],
)  # fmt: skip
def test_other_dates_are_refused(value: Any) -> None:
    assert refused(lambda: Document({"d": value}, "thing").date("d")).field == "d"


def test_members_of_levels() -> None:
    level = {
        "date": "2026-01-01T00:00:00Z",
        "svns": [{"svn": n} for n in range(16)],
        "advisoryIDs": ["b", "a", "b"],
    }
    assert member_date(level, "date") == datetime(2026, 1, 1, tzinfo=UTC)
    assert member_svns(level, "svns") == bytes(range(16))
    assert member_advisory_ids(level) == ("a", "b")
    assert member_advisory_ids({}) == ()


@pytest.mark.parametrize(
    "svns", [[{"svn": 0}] * 15, [{"svn": 0}] * 17, [{"svn": 256}] * 16, [{"svn": -1}] * 16]
)
def test_components_are_16_bytes(svns: Any) -> None:
    with pytest.raises(ValueError, match=r"16 components|range"):
        member_svns({"svns": svns}, "svns")


@pytest.mark.parametrize("ids", [None, "a", [1], {"a": 1}])
def test_advisories_are_strings(ids: Any) -> None:
    with pytest.raises(ValueError, match="list of strings"):
        member_advisory_ids({"advisoryIDs": ids})


def test_only_published_statuses_are_read() -> None:
    assert set(TcbStatus) - set(PLATFORM_STATUSES.values()) == {
        TcbStatus.TD_RELAUNCH_ADVISED,
        TcbStatus.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
    }
    assert set(ENCLAVE_STATUSES) == {"UpToDate", "OutOfDate", "Revoked"}
