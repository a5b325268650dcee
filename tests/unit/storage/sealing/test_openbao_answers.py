"""What a server may answer in OpenBao's place; the real one is in ``tests/interop/test_openbao.py``."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator

import pytest

from eaa.errors import EAAError, StorageError
from eaa.storage.sealing.openbao_http import OpenBaoHttp
from eaa.storage.sealing.openbao_key import OpenBaoMasterKey
from eaa.storage.sealing.openbao_token import AppRole, GivenToken, TokenSource

TOKEN = "s.hunter2"
KEY = bytes(range(32))
WRAPPED = b"vault:v1:AAAA"
GOOD = json.dumps({"data": {"plaintext": base64.b64encode(KEY).decode(), "ciphertext": WRAPPED.decode()}})


class Server:
    """Gives each request the next of ``answers``, and keeps what it was sent."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self._answers: Iterator[tuple[int, str]] = iter(answers)
        self.requests: list[bytes] = []

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line[16:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length: ")
        )
        self.requests.append(head + await reader.readexactly(length))
        status, body = next(self._answers)
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()


def ask(
    server: Server, *, wrap: bool = False, token: TokenSource | None = None, namespace: str = ""
) -> bytes:
    async def steps() -> bytes:
        async with server as url:
            http = OpenBaoHttp("openbao:transit/eaa", url, retry_seconds=0.001, namespace=namespace)
            master = OpenBaoMasterKey(http, "eaa", token or GivenToken(lambda: TOKEN))
            return await (master.wrap(KEY) if wrap else master.unwrap(WRAPPED))

    return asyncio.run(asyncio.wait_for(steps(), 20))


def refused(server: Server, *, wrap: bool = False, token: TokenSource | None = None) -> EAAError:
    with pytest.raises(StorageError) as caught:
        ask(server, wrap=wrap, token=token)
    for secret in (TOKEN, base64.b64encode(KEY).decode(), "body"):
        assert secret not in str(caught.value)
        assert secret not in repr(caught.value.fields)
    return caught.value


def test_what_is_sent() -> None:
    server = Server((200, GOOD))
    assert ask(server, wrap=True, namespace="team") == WRAPPED
    (request,) = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/transit/encrypt/eaa HTTP/1.1\r\n")
    lines = head.lower().split(b"\r\n")
    assert b"x-vault-token: s.hunter2" in lines
    assert b"x-vault-namespace: team" in lines
    assert json.loads(body) == {"plaintext": base64.b64encode(KEY).decode()}


@pytest.mark.parametrize("status", [412, 429, 472, 473, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int) -> None:
    server = Server((status, "body"), (status, "body"), (200, GOOD))
    assert ask(server) == KEY
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [429, 500, 503])
def test_not_without_end(status: int) -> None:
    server = Server(*[(status, "body")] * 4)
    assert refused(server).code == "storage.master_key_unavailable"
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [201, 204, 301, 307, 401, 404, 405, 418])
def test_what_does_not_pass_is_not_tried_again(status: int) -> None:
    server = Server((status, "" if status == 204 else "body"))
    error = refused(server)
    assert (error.code, str(status) in str(error)) == ("storage.master_key_refused", True)
    assert len(server.requests) == 1


def test_a_refused_token_is_asked_for_once_more() -> None:
    tokens = iter(["s.first", "s.second"])
    server = Server((403, "body"), (200, GOOD))
    assert ask(server, token=GivenToken(lambda: next(tokens))) == KEY
    assert [request.lower().count(b"s.second") for request in server.requests] == [0, 1]


def test_and_only_once() -> None:
    server = Server(*[(403, "body")] * 3)
    assert refused(server).code == "storage.master_key_refused"
    assert len(server.requests) == 2


def test_approle_keeps_its_token_until_it_is_refused() -> None:
    login = json.dumps({"auth": {"client_token": "s.fresh"}})
    server = Server((200, login), (403, "body"), (200, login), (200, GOOD))
    role = AppRole("role", lambda: "the-secret-id")
    assert ask(server, token=role) == KEY
    assert [request.split()[1] for request in server.requests] == [
        b"/v1/auth/approle/login",
        b"/v1/transit/decrypt/eaa",
    ] * 2
    assert b"x-vault-token" not in server.requests[0].lower()
    assert ask(again := Server((200, GOOD)), token=role) == KEY
    assert len(again.requests) == 1
    assert "secret-id" not in repr(role)
    assert "fresh" not in repr(role)


def test_a_ciphertext_that_is_not_taken() -> None:
    assert refused(Server((400, "body"))).code == "storage.unwrap"
    assert refused(Server((400, "body")), wrap=True).code == "storage.master_key_refused"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "body",
        "[]",
        '"body"',
        "{}",
        '{"data":null}',
        '{"data":{}}',
        '{"data":{"plaintext":1}}',
        '{"data":{"plaintext":"body!"}}',
        '{"data":[],"data":{"plaintext":""}}',
        "[" * 100_000,
        GOOD + " " * 300_000,
    ],
    ids=lambda body: body[:30],
)
def test_an_answer_that_is_none(body: str) -> None:
    server = Server(*[(200, body)] * 3)
    assert refused(server).code == "storage.master_key_unavailable"


def test_nobody_there() -> None:
    async def port() -> str:
        async with Server() as url:
            return url

    url = asyncio.run(port())
    http = OpenBaoHttp("openbao:transit/eaa", url, retry_seconds=0.001)
    with pytest.raises(StorageError, match="ConnectError") as caught:
        asyncio.run(OpenBaoMasterKey(http, "eaa", GivenToken(lambda: TOKEN)).unwrap(WRAPPED))
    assert caught.value.code == "storage.master_key_unavailable"
