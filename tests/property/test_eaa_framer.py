"""However a stream is split, the framer gives the same objects and the same end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from eaa.broker.eaa.framing import JsonFramer
from eaa.errors import RemoteProtocolError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=4)
SPACES = st.text(" \t\r\n", max_size=3)
CUTS = st.lists(st.integers(0, 400), max_size=12)


def outcome(chunks: Iterable[bytes]) -> tuple[list[bytes], str]:
    """The objects, and the code of the error that ends them, if one does."""
    framer = JsonFramer(max_bytes=300, max_depth=6)
    found: list[bytes] = []
    try:
        for chunk in chunks:
            found.extend(framer.feed(chunk))  # as far as it goes
        framer.finish()
    except RemoteProtocolError as error:
        return found, error.code
    return found, ""


def split(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return (data[start:end] for start, end in pairwise(places))


@given(st.lists(st.tuples(OBJECTS, SPACES, st.booleans()), max_size=5), CUTS)
def test_objects_come_out_as_they_went_in(
    items: list[tuple[dict[str, object], str, bool]], cuts: list[int]
) -> None:
    texts = [json.dumps(value, ensure_ascii=ascii_).encode() for value, _, ascii_ in items]
    stream = b"".join(text + space.encode() for text, (_, space, _) in zip(texts, items, strict=True))
    framer = JsonFramer()
    found = [text for chunk in split(stream, cuts) for text in framer.feed(chunk)]
    framer.finish()
    assert found == texts
    assert [json.loads(text) for text in found] == [value for value, _, _ in items]


@given(st.text('{}[]"\\a ', max_size=400), CUTS)
def test_any_split_of_anything_has_one_outcome(text: str, cuts: list[int]) -> None:
    data = text.encode()
    whole, end = outcome([data])
    assert outcome(split(data, cuts)) == (whole, end)
    assert outcome(bytes([byte]) for byte in data) == (whole, end)


@given(st.binary(max_size=400))
def test_any_bytes_are_framed_or_refused(data: bytes) -> None:
    found, _ = outcome([data])
    assert all(text.startswith(b"{") and text[-1:] in b"}]" for text in found)
