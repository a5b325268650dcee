"""An unmodified ASGI application under uvicorn, and an unmodified httpx client, over attested channels."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from eaa.errors import BindingError, ConfigError, RemoteProtocolError, UsageError
from eaa.tls.peer import Profile
from eaa.transport.asgi import attested_http, make_server
from eaa.transport.config import ChannelConfig
from eaa.transport.httpx_transport import AttestedTransport, attested_peer
from tests.fakes.channel import FakeAttester, both_ends, client_config, server_config
from tests.fakes.raw_peer import connect_raw

requests: list[str] = []


async def who(request: Request) -> Response:
    requests.append(request.url.path)
    peer = request.scope["extensions"]["attestation"]
    return JSONResponse(
        {
            "proven": peer.proven,
            "mr_enclave": peer.claims().get("mr_enclave"),
            "scheme": request.url.scheme,
            "header": request.headers.get("x-attestation"),
        }
    )


async def echo(request: Request) -> Response:
    return Response(await request.body())


async def pour(request: Request) -> Response:
    async def chunks() -> Any:
        for _ in range(64):
            yield b"x" * 65536

    return StreamingResponse(chunks())


def application() -> Starlette:
    routes = [Route("/who", who), Route("/echo", echo, methods=["POST"]), Route("/pour", pour)]
    return Starlette(routes=routes)


@contextmanager
def served(config: ChannelConfig, inner: Any = None) -> Iterator[str]:
    """The URL of the application, served in a thread."""
    http: Any = attested_http(config, inner)
    server = uvicorn.Server(uvicorn.Config(application(), http=http, log_level="warning"))
    requests.clear()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)


@pytest.mark.parametrize("inner", [HttpToolsProtocol, H11Protocol])
@pytest.mark.parametrize("profile", Profile)
def test_requests_and_answers(profile: Profile, inner: Any) -> None:
    with (
        served(server_config(profile), inner) as url,
        httpx.Client(transport=AttestedTransport(client_config(profile)), base_url=url) as client,
    ):
        response = client.get("/who", headers={"x-attestation": "proven"})
        assert response.json() == {
            "proven": False, "mr_enclave": None, "scheme": "https", "header": "proven",
        }  # fmt: skip
        assert attested_peer(response).proven
        body = bytes(range(256)) * 8192
        assert client.post("/echo", content=body).content == body
        assert len(client.get("/pour").content) == 64 * 65536


def test_the_application_sees_the_verified_client() -> None:
    with (
        served(both_ends()) as url,
        httpx.Client(transport=AttestedTransport(both_ends()), base_url=url) as client,
    ):
        found = client.get("/who").json()
        assert found["proven"]
        assert found["mr_enclave"] == attested_peer(client.get("/who")).claims()["mr_enclave"]


def test_connections_are_reused_and_attested_once() -> None:
    attester = FakeAttester()
    with (
        served(server_config(attester=attester)) as url,
        httpx.Client(transport=AttestedTransport(client_config()), base_url=url) as client,
    ):
        for _ in range(5):
            client.get("/who").raise_for_status()
    assert len(attester.collected) == 1


def test_no_request_reaches_a_server_that_is_refused() -> None:
    class Stale(FakeAttester):
        def collect(self, report_data: bytes) -> Any:
            return super().collect(bytes(64))

    with served(server_config(attester=Stale())) as url:
        client = httpx.Client(transport=AttestedTransport(client_config()))
        with client, pytest.raises(BindingError):
            client.get(f"{url}/who")
    assert requests == []


def test_a_client_that_skips_the_gate_gets_nothing() -> None:
    with served(server_config()) as url:
        with connect_raw(url.replace("https", "tcp")) as peer:
            peer.handshake().write(b"GET /who HTTP/1.1\r\nHost: x\r\n\r\n")
            assert peer.refusal() == "remote_protocol.frame_type"
        with httpx.Client(verify=False) as client, pytest.raises(httpx.TransportError):  # noqa: S501 - an ordinary client, on loopback
            client.get(f"{url}/who")
    assert requests == []


def test_a_plain_http_url_sends_nothing() -> None:
    with httpx.Client(transport=AttestedTransport(client_config())) as client, pytest.raises(UsageError):
        client.get("http://127.0.0.1:1/")


def test_nobody_there_is_an_error_of_httpx() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        httpx.Client(transport=AttestedTransport(client_config())) as client,
        pytest.raises(httpx.ConnectError),
    ):
        client.get(f"https://127.0.0.1:{port}/")


def test_a_slow_answer_is_a_timeout_of_httpx() -> None:
    async def sleepy(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = make_server(
            sleepy, server_config(), "tcp://127.0.0.1:0", lifespan="off", log_level="critical"
        )
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        client = httpx.Client(transport=AttestedTransport(client_config()), timeout=0.3)
        with client, pytest.raises(httpx.ReadTimeout):
            client.get(url)
        server.should_exit = True
        thread.join(20)


def test_responses_of_others_are_not_attested() -> None:
    with pytest.raises(UsageError):
        attested_peer(httpx.Response(200))


def test_what_would_serve_beside_the_channel_is_refused() -> None:
    with pytest.raises(ConfigError):
        make_server(application(), server_config(), "tcp://127.0.0.1:0", ssl_certfile="x.pem")
    with pytest.raises(ConfigError):
        make_server(application(), client_config(), "tcp://127.0.0.1:0")


def test_wrong_profile_is_refused() -> None:
    with (
        served(server_config(Profile.RATLS_CERT)) as url,
        httpx.Client(transport=AttestedTransport(client_config())) as client,
        pytest.raises(RemoteProtocolError),
    ):
        client.get(f"{url}/who")
