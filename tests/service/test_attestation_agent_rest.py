"""The agent over HTTP, against a running verdictd."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from eaa import __version__
from eaa.evidence.dcap_quote import parse_quote_frame
from eaa.services.attestation_agent.rest import rest_app
from tests.service.attestation_agents import Guest, RunningAgent, running_agent
from tests.service.verdictds import Hardware, Running, running

HARDWARE = Hardware()
SECRET = bytes(range(256))
DENY = "package policy\nimport rego.v1\ndefault allow := false\n"


@pytest.fixture(scope="module")
def verdictd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("verdictd"), HARDWARE.source()) as served:
        served.trust(HARDWARE)
        served.put_resource("default/key/1", SECRET)
        served.put_resource("closed/key/1", SECRET)
        served.put_policy(DENY, "resource/closed")
        yield served


@pytest.fixture(scope="module")
def agent(verdictd: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    folder = tmp_path_factory.mktemp("agent")
    with running_agent(folder, f"cc_kbc::{verdictd.url}", Guest(HARDWARE)) as served:
        yield served


@pytest.fixture
def http(agent: RunningAgent) -> Iterator[httpx.Client]:
    with agent.http() as client:
        yield client


def test_a_resource(http: httpx.Client) -> None:
    answer = http.get("/cdh/resource/default/key/1")
    assert (answer.status_code, answer.content) == (200, SECRET)
    assert answer.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/cdh/resource/default/key/none", 404, "resource_not_found.refused"),
        ("GET", "/cdh/resource/closed/key/1", 403, "access_denied.refused"),
        ("GET", "/cdh/resource/default/key/.hidden", 400, "format.name"),
        ("GET", "/cdh/resource/default/key/%2e%2e", 400, "format.name"),
        ("GET", "/aa/token", 400, "usage.parameter"),
        ("GET", "/aa/token?token_type=kbs&token_type=kbs", 400, "usage.parameter"),
        ("GET", "/aa/token?token_type=coco_as", 422, "unsupported.token_type"),
        ("GET", "/aa/evidence", 400, "usage.parameter"),
        ("GET", "/aa/evidence?runtime_data=a&encoding=hex", 400, "usage.encoding"),
        ("GET", "/aa/evidence?runtime_data=!!&encoding=base64", 400, "format.bad_value"),
        ("GET", f"/aa/evidence?runtime_data={'x' * 65}", 400, "usage.runtime_data"),
        ("GET", "/aa/additional-evidence", 400, "usage.parameter"),
        ("POST", "/aa/aael", 400, "format.not_json"),
    ],
)
def test_a_failure_has_its_status(http: httpx.Client, method: str, path: str, status: int, code: str) -> None:
    answer = http.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nosuch", 404),
        ("GET", "/cdh/resource/a/b", 404),
        ("POST", "/info", 405),
        ("GET", "/aa/aael", 405),
    ],
)
def test_a_route_that_is_none(http: httpx.Client, method: str, path: str, status: int) -> None:
    assert http.request(method, path).status_code == status


def test_a_token(http: httpx.Client) -> None:
    document = http.get("/aa/token?token_type=kbs").json()
    assert document.keys() == {"token", "tee_keypair"}
    assert document["token"].count(".") == 2


@pytest.mark.parametrize(
    ("query", "data"),
    [
        ("runtime_data=nonce", b"nonce"),
        ("runtime_data=_-8&encoding=base64", b"\xff\xef"),
        ("runtime_data=&encoding=base64", b""),
    ],
)
def test_evidence(http: httpx.Client, query: str, data: bytes) -> None:
    answer = http.get(f"/aa/evidence?{query}")
    quote = parse_quote_frame(base64.b64decode(answer.json()["quote"]))
    assert quote.body.report_data == data.ljust(64, b"\x00")
    assert http.get(f"/aa/additional-evidence?{query}").content == b""


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"domain":"d","operation":"o"}', b'{"domain":"d","operation":"o","content":1}',
     b'{"domain":"a b","operation":"o","content":"c"}', b'{"domain":"d","operation":"o","content":"a\\nb"}',
     b'{"domain":"d","operation":"o","content":""}', b" " * 200_000],
)  # fmt: skip
def test_what_is_no_entry(http: httpx.Client, body: bytes) -> None:
    assert http.post("/aa/aael", content=body).status_code == 400


def test_an_entry_where_measurement_is_off(http: httpx.Client) -> None:
    answer = http.post("/aa/aael", json={"domain": "d", "operation": "o", "content": "c"})
    assert (answer.status_code, answer.json()["success"]) == (200, "false")


def test_info(http: httpx.Client, tmp_path: Path) -> None:
    assert http.get("/info").json() == {"version": __version__, "tee": "tdx", "feature": "all"}
    with running_agent(tmp_path, None, None) as bare, bare.http() as client:
        assert client.get("/info").json() == {"version": __version__, "feature": "all"}
        evidence = client.get("/aa/evidence?runtime_data=x")
        assert (evidence.status_code, evidence.json()["code"]) == (503, "attester.none")
        resource = client.get("/cdh/resource/a/b/c")
        assert (resource.status_code, resource.json()["code"]) == (500, "config.aa_kbc_params")


def test_a_broker_that_is_not_reached(tmp_path: Path) -> None:
    with (
        running_agent(tmp_path, "cc_kbc::http://127.0.0.1:1", Guest(HARDWARE)) as served,
        served.http() as client,
    ):
        answer = client.get("/cdh/resource/default/key/1")
        assert (answer.status_code, answer.json()["code"]) == (503, "remote_protocol.unreachable")


@pytest.mark.parametrize("client", [("192.0.2.1", 1), ("::ffff:192.0.2.1", 1), None])
def test_a_peer_off_loopback_is_refused_whatever_it_asks(agent: RunningAgent, client: Any) -> None:
    sent: list[Any] = []

    async def send(event: Any) -> None:
        sent.append(event)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http", "method": "GET", "path": "/cdh/resource/default/key/1", "query_string": b"",
        "headers": [], "client": client, "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 1),
    }  # fmt: skip
    app = rest_app(agent.agent, 10.0)

    async def ask() -> None:
        await app(scope, receive, send)

    asyncio.run(ask())
    assert sent[0]["status"] == 403
    assert SECRET not in b"".join(event.get("body", b"") for event in sent)


def test_documents_are_json(http: httpx.Client) -> None:
    assert json.loads(http.get("/aa/token").content)["detail"].startswith("expected token_type once")
