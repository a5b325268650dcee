"""Members of JSON objects, by type."""

from __future__ import annotations

from typing import Any

import pytest

from eaa.codec.members import object_at, object_of, text_at
from eaa.errors import FormatError


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ([], "an array"),
        ("x", "text"),
        (True, "a boolean"),
        (None, "null"),
        (1, "a number"),
        (1.5, "a number"),
    ],
)
def test_not_an_object(value: Any, kind: str) -> None:
    with pytest.raises(FormatError, match=f"expected an object, got {kind}") as raised:
        object_of(value, "thing", "field")
    assert (raised.value.what, raised.value.field) == ("thing", "field")


def test_members() -> None:
    members = {"text": "x", "object": {"a": 1}}
    assert text_at(members, "text", "thing") == "x"
    assert object_at(members, "object", "thing") == {"a": 1}
    with pytest.raises(FormatError, match="expected text, got an object"):
        text_at(members, "object", "thing")
    with pytest.raises(FormatError) as raised:
        text_at(members, "other", "thing")
    assert raised.value.code == "format.missing"
