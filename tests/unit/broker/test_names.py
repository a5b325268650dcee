"""Names that can be trusted in a path."""

from __future__ import annotations

import pytest

from eaa.broker.names import PathPrefix, ResourcePath, require_name
from eaa.errors import FormatError


def test_a_path_has_three_names() -> None:
    path = ResourcePath.parse("default/key/1.v-2_x")
    assert path == ResourcePath("default", "key", "1.v-2_x")
    assert str(path) == "default/key/1.v-2_x"
    assert path.segments == ("default", "key", "1.v-2_x")


@pytest.mark.parametrize("text", ["", "a", "a/b", "a/b/c/d"])
def test_any_other_number_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="repository/type/tag") as refused:
        ResourcePath.parse(text)
    assert refused.value.code == "format.resource_path"


@pytest.mark.parametrize(
    "segment", ["", ".", "..", ".hidden", "a b", "a\x00", "a\n", "ä", "a%2f", "a\\b", "a" * 129]
)
def test_no_segment_leads_elsewhere(segment: str) -> None:
    for text in (f"{segment}/b/c", f"a/{segment}/c", f"a/b/{segment}"):
        with pytest.raises(FormatError) as refused:
            ResourcePath.parse(text)
        assert refused.value.code == "format.name"


def test_a_name_has_at_most_128_bytes() -> None:
    assert require_name("a" * 128, what="key id") == "a" * 128


def test_a_prefix_is_of_whole_names() -> None:
    prefix = PathPrefix.parse("resource/default")
    assert prefix.segments == ("resource", "default")
    assert str(prefix) == "resource/default"
    assert PathPrefix.parse("").segments == ()


def test_a_prefix_has_at_most_eight_names() -> None:
    assert len(PathPrefix.parse("/".join("abcdefgh")).segments) == 8
    with pytest.raises(FormatError) as refused:
        PathPrefix.parse("/".join("abcdefghi"))
    assert refused.value.code == "format.path_prefix"
    with pytest.raises(FormatError) as refused:
        PathPrefix.parse("resource/../x")
    assert refused.value.code == "format.name"
