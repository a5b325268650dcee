"""What a broker's answer becomes: an object, or one of our own errors with the broker's words."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator

import anyio
import httpx
import pytest

from eaa.broker.kbs.errors import error_response
from eaa.errors import AccessDenied, EAAError, RemoteProtocolError, ResourceNotFound, SessionError
from eaa.transport.kbs.answers import MAX_ANSWER_BYTES, parse_object, read_answer, refusal

ID = "01KXZ4T0000000000000000000"


@pytest.mark.parametrize(
    ("raised", "kind", "status"),
    [
        (SessionError("s", detail="spent"), SessionError, 401),
        (AccessDenied("a", detail="policy"), AccessDenied, 403),
        (ResourceNotFound("r"), ResourceNotFound, 404),
        (RemoteProtocolError("p", detail="x"), RemoteProtocolError, 400),
    ],
    ids=lambda value: getattr(value, "code", None),
)
def test_what_our_broker_says_is_read_back(raised: EAAError, kind: type[EAAError], status: int) -> None:
    came, body = error_response(raised, ID)
    assert came == status
    error = refusal(came, body)
    assert type(error) is kind
    assert error.code == f"{kind.family}.refused"
    assert (error.fields["status"], error.fields["code"], error.decision) == (status, raised.code, ID)


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", b"[]", b"{}", b'{"type":1,"detail":null}', b'{"detail":"(code a, id 1"}', b"\xff"],
)
def test_what_others_say_has_no_code(content: bytes) -> None:
    error = refusal(403, content)
    assert isinstance(error, AccessDenied)
    assert (error.fields["code"], error.decision) == ("", "")
    assert "403" in str(error) or "(" in str(error)


def test_words_are_bounded() -> None:
    body = json.dumps({"type": "x/" + "v" * 5000, "detail": "d" * 5000 + f" (code a.b, id {ID})"}).encode()
    error = refusal(500, body)
    assert len(str(error)) < 700
    assert (error.fields["code"], error.decision) == ("", "")


def test_an_object() -> None:
    assert parse_object(b'{"a":1}') == {"a": 1}


@pytest.mark.parametrize("content", [b"", b"1", b"[]", b'{"a":1,"a":2}', b'{"a":NaN}', b"\xff", b"[" * 5000])
def test_no_object(content: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        parse_object(content)
    assert error.value.code == "remote_protocol.response"


def _read(body: AsyncIterator[bytes], **headers: str) -> bytes:
    return anyio.run(read_answer, httpx.Response(200, content=body, headers=headers))


class _Endless:
    """Counts what was taken of it."""

    taken = 0

    async def __call__(self) -> AsyncIterator[bytes]:
        while True:
            self.taken += 1
            yield bytes(1024 * 1024)


def test_no_more_is_read_than_the_bound() -> None:
    endless = _Endless()
    with pytest.raises(RemoteProtocolError) as error:
        _read(endless())
    assert error.value.code == "remote_protocol.too_large"
    assert endless.taken == MAX_ANSWER_BYTES // 1024**2 + 1


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def test_the_bound_is_of_what_was_decompressed() -> None:
    data = gzip.compress(bytes(MAX_ANSWER_BYTES + 1))
    with pytest.raises(RemoteProtocolError) as error:
        _read(_once(data), **{"content-encoding": "gzip"})
    assert error.value.code == "remote_protocol.too_large"


def test_just_the_bound() -> None:
    assert len(_read(_once(bytes(MAX_ANSWER_BYTES)))) == MAX_ANSWER_BYTES
