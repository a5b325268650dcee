"""The registry client against a registry that does what it should not: every refusal has its own case."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from eaa.errors import EAAError
from eaa.oci.digest import Digest, digest_of
from eaa.oci.signatures.lookaside import parse_lookaside
from eaa.oci.signatures.reference import parse_reference
from eaa.transport.registry.auth_file import ANONYMOUS, AuthFile, parse_auth_file
from eaa.transport.registry.client import ReceivedManifest, RegistryClient, open_http
from eaa.transport.registry.limits import MAX_SIGNATURE_BYTES, MAX_SIGNATURES, RegistryLimits
from eaa.transport.registry.signatures import fetch_cosign, fetch_simple
from tests.fakes.pull_server import Answer, Asked, Server

T = TypeVar("T")
LIMITS = RegistryLimits(backoff_seconds=0.0, connect_seconds=5.0, stall_seconds=5.0)
MANIFEST = b'{"schemaVersion": 2}'
TYPE = "application/vnd.oci.image.manifest.v1+json"
BLOB = bytes(range(256)) * 512
DIGEST = digest_of(BLOB)
NAMED = {"Docker-Content-Digest": str(DIGEST)}
GZIP = {"Content-Encoding": "gzip"}


def run(
    server: Server,
    use: Callable[[RegistryClient], Awaitable[T]],
    auth: AuthFile = ANONYMOUS,
    tls: ssl.SSLContext | None = None,
) -> T:
    async def inside() -> T:
        async with open_http(tls or ssl.create_default_context(), LIMITS) as http:
            image = parse_reference(f"{server.host}/a/b:1")
            return await use(RegistryClient(http, image, auth=auth, limits=LIMITS))

    return asyncio.run(inside())


def refused(server: Server, use: Callable[[RegistryClient], Awaitable[object]]) -> EAAError:
    with pytest.raises(EAAError) as caught:
        run(server, use)
    assert server.host in str(caught.value), "the error names the registry"
    return caught.value


async def read(client: RegistryClient, offset: int = 0, size: int = len(BLOB)) -> bytes:
    return b"".join([part async for part in client.blob(DIGEST, size=size, offset=offset)])


def manifest(wanted: Digest | str = "1") -> Callable[[RegistryClient], Awaitable[ReceivedManifest]]:
    return lambda client: client.manifest(wanted)


def serve(*answers: Answer) -> Server:
    """One after the other; the last again and again."""
    left = list(answers)
    return Server(lambda _: left.pop(0) if len(left) > 1 else left[0])


def test_a_manifest_by_tag_and_by_digest() -> None:
    with serve(Answer(body=MANIFEST, headers={"Content-Type": f"{TYPE}; charset=utf-8"})) as server:
        for wanted in ("1", digest_of(MANIFEST)):
            received = run(server, manifest(wanted))
            assert (received.data, received.media_type, received.digest) == (
                MANIFEST,
                TYPE,
                digest_of(MANIFEST),
            )
        assert [asked.path for asked in server.asked] == [
            "/v2/a/b/manifests/1",
            f"/v2/a/b/manifests/{digest_of(MANIFEST)}",
        ]
        assert TYPE in server.asked[0].headers["accept"]


@pytest.mark.parametrize(
    ("wanted", "answer", "code"),
    [
        (DIGEST, Answer(body=MANIFEST), "binding.manifest_digest"),
        (
            "1",
            Answer(body=MANIFEST, headers=NAMED),
            "binding.manifest_digest",
        ),
        (
            "1",
            Answer(body=MANIFEST, headers={"Content-Encoding": "gzip"}),
            "remote_protocol.content_encoding",
        ),
        ("1", Answer(body=b" " * (4 * 1024 * 1024 + 1)), "remote_protocol.too_large"),
        ("1", Answer(404), "resource_not_found.registry"),
        ("1", Answer(401), "access_denied.registry_login"),
        ("1", Answer(403), "access_denied.registry"),
        ("1", Answer(418), "remote_protocol.registry"),
        ("1", Answer(429), "limit.rate"),
        ("1", Answer(503), "remote_protocol.registry"),
        ("1", Answer(302, headers={"Location": "http://example.org/"}), "remote_protocol.insecure_url"),
        ("1", Answer(302, headers={"Location": "https://u:p@example.org/"}), "remote_protocol.insecure_url"),
        ("1", Answer(302, headers={"Location": "https://["}), "remote_protocol.insecure_url"),
        ("1", Answer(302, headers={"Location": "https://[zz]/"}), "remote_protocol.registry_unreachable"),
        ("1", Answer(302, headers={"Location": "https://xn--/"}), "remote_protocol.registry_unreachable"),
        ("1", Answer(302, headers={"Location": f"https://{'a' * 64}/"}), "remote_protocol.insecure_url"),
        ("1", Answer(302, headers={"Location": "/again"}), "remote_protocol.redirects"),
    ],
)
def test_manifest_refused(wanted: Digest | str, answer: Answer, code: str) -> None:
    with serve(answer) as server:
        assert refused(server, manifest(wanted)).code == code


def test_the_registrys_own_words() -> None:
    body = json.dumps({"errors": [{"code": "DENIED", "message": "pay\nfirst"}]}).encode()
    with serve(Answer(403, body)) as server:
        assert r"DENIED pay\nfirst" in str(refused(server, manifest()))


def test_a_status_holds_whatever_page_comes_with_it() -> None:
    page = b"<p>" * 40_000
    with serve(Answer(404, page)) as server:
        assert refused(server, manifest()).code == "resource_not_found.registry"
    packed = {"Content-Encoding": "gzip"}
    with serve(Answer(503, page, headers=packed), Answer(body=MANIFEST)) as server:
        run(server, manifest())


def test_tried_again_and_not_for_ever() -> None:
    with serve(Answer(503), Answer(429), Answer(body=MANIFEST)) as server:
        run(server, manifest())
        assert len(server.asked) == 3
    with serve(Answer(500)) as server:
        refused(server, manifest())
        assert len(server.asked) == LIMITS.tries
    with serve(Answer(404)) as server:
        refused(server, manifest())
        assert len(server.asked) == 1


def test_nobody_there() -> None:
    with serve(Answer()) as server:
        pass
    assert refused(server, manifest()).code == "remote_protocol.registry_unreachable"


def test_a_blob_taken_up_where_it_broke() -> None:
    def answer(asked: Asked) -> Answer:
        start = int(asked.headers.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        rest = BLOB[start:]
        headers = {"Content-Range": f"bytes {start}-{len(BLOB) - 1}/{len(BLOB)}"}
        cut = 50_000 if len(rest) > 50_000 else None
        return Answer(206 if start else 200, rest, headers, cut)

    with Server(answer) as server:
        assert run(server, read) == BLOB
        assert len(server.asked) == 3
        assert run(server, lambda client: read(client, 100_000)) == BLOB[100_000:]


def test_a_server_without_ranges_sends_it_all_again() -> None:
    with serve(Answer(body=BLOB, cut=70_000), Answer(body=BLOB)) as server:
        assert run(server, read) == BLOB


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([Answer(body=BLOB, cut=0)], "remote_protocol.registry_unreachable"),
        ([Answer(body=BLOB[:-1])], "remote_protocol.blob_size"),
        ([Answer(body=BLOB + b"x")], "remote_protocol.blob_size"),
        ([Answer(206, BLOB)], "remote_protocol.range"),
        (
            [Answer(body=BLOB, cut=100), Answer(206, BLOB[1:], {"Content-Range": "bytes 1-2/3"})],
            "remote_protocol.range",
        ),
        ([Answer(body=BLOB, headers={"Content-Encoding": "br"})], "remote_protocol.content_encoding"),
    ],
)
def test_blob_refused(answers: list[Answer], code: str) -> None:
    with serve(*answers) as server:
        assert refused(server, read).code == code


def test_a_small_blob_is_held_to_its_digest() -> None:
    with serve(Answer(body=BLOB)) as server:
        assert run(server, lambda client: client.small_blob(DIGEST, limit=len(BLOB))) == BLOB
        error = refused(server, lambda client: client.small_blob(digest_of(b""), limit=len(BLOB)))
        assert error.code == "binding.blob_digest"
        error = refused(server, lambda client: client.small_blob(DIGEST, limit=len(BLOB) - 1))
        assert error.code == "remote_protocol.too_large"


LOGIN = base64.b64encode(b"user:pass:word").decode()


def logins(server: Server, **entry: str) -> AuthFile:
    return parse_auth_file(
        json.dumps({"auths": {f"https://{server.host}": entry or {"auth": LOGIN}}}).encode()
    )


def token_registry(*, needs: str = "", token: bytes = b'{"token": "T"}', status: int = 200) -> Server:
    """Wants the bearer token ``T``; its token service the header ``needs``."""

    def answer(asked: Asked) -> Answer:
        if asked.path.startswith("/token"):
            allowed = asked.headers.get("authorization", "") == needs or asked.body
            return Answer(status, token) if allowed else Answer(401)
        if asked.headers.get("authorization") == "Bearer T":
            return Answer(body=MANIFEST)
        realm = f'Bearer realm="http://{server.host}/token",service="s",scope="repository:a/b:pull"'
        return Answer(401, headers={"WWW-Authenticate": realm})

    server = Server(answer)
    return server


def test_a_bearer_token_is_asked_for_once() -> None:
    async def twice(client: RegistryClient) -> None:
        await client.manifest("1")
        await client.manifest("1")

    with token_registry() as server:
        run(server, twice)
        assert [asked.path for asked in server.asked] == [
            "/v2/a/b/manifests/1",
            "/token?service=s&scope=repository%3Aa%2Fb%3Apull",
            "/v2/a/b/manifests/1",
            "/v2/a/b/manifests/1",
        ]


def test_a_login_for_the_token() -> None:
    with token_registry(needs=f"Basic {LOGIN}") as server:
        run(server, manifest(), logins(server))
        assert refused(server, manifest()).code == "access_denied.registry_login"


def test_a_refresh_token() -> None:
    with token_registry() as server:
        run(server, manifest(), logins(server, identitytoken="R"))
        posted = [asked.body for asked in server.asked if asked.body]
        assert posted == [
            b"service=s&scope=repository%3Aa%2Fb%3Apull&grant_type=refresh_token&client_id=eaa&refresh_token=R"
        ]


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [
        (b"{}", 200, "remote_protocol.token"),
        (b"x", 200, "remote_protocol.token"),
        (b'{"token": "a b"}', 200, "remote_protocol.token"),
        (b'{"token": "wrong"}', 200, "access_denied.registry_login"),
        (b"", 500, "remote_protocol.registry"),
    ],
)
def test_token_refused(token: bytes, status: int, code: str) -> None:
    with token_registry(token=token, status=status) as server:
        assert refused(server, manifest()).code == code


def test_a_token_service_that_redirects_to_what_is_no_name() -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path.startswith("/token"):
            return Answer(302, headers={"Location": "https://xn--/"})
        realm = f'Bearer realm="http://{server.host}/token"'
        return Answer(401, headers={"WWW-Authenticate": realm})

    with Server(answer) as server:
        assert refused(server, manifest()).code == "remote_protocol.registry_unreachable"


@pytest.mark.parametrize(
    ("challenge", "code"),
    [
        ("Bearer", "remote_protocol.insecure_url"),
        ('Bearer realm="http://example.org/t"', "remote_protocol.insecure_url"),
        ('Bearer realm="https://a..b/t"', "remote_protocol.insecure_url"),
        ("Digest nonce=1", "remote_protocol.challenge"),
        ('Bearer realm="x", realm="y"', "remote_protocol.challenge"),
        ('Bearer realm="x" ; y', "remote_protocol.challenge"),
        ("x" * 9000, "remote_protocol.challenge"),
        ('Basic realm="x"', "access_denied.registry_login"),
    ],
)
def test_challenge_refused(challenge: str, code: str) -> None:
    with serve(Answer(401, headers={"WWW-Authenticate": challenge})) as server:
        assert refused(server, manifest()).code == code


def test_a_basic_login_goes_to_the_registry_and_nowhere_else(tmp_path: Path) -> None:
    with Server(lambda _: Answer(body=BLOB), tls=tmp_path) as elsewhere:

        def answer(asked: Asked) -> Answer:
            if asked.headers.get("authorization") != f"Basic {LOGIN}":
                return Answer(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
            if asked.path.startswith("/v2"):
                return Answer(307, headers={"Location": "/moved"})
            return Answer(307, headers={"Location": f"https://{elsewhere.host}/blob"})

        with Server(answer) as server:
            tls = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
            assert run(server, read, logins(server), tls) == BLOB
            assert [asked.path for asked in server.asked][1:] == [f"/v2/a/b/blobs/{DIGEST}", "/moved"]
        assert ["authorization" in asked.headers for asked in elsewhere.asked] == [False]


def test_a_registry_on_loopback_may_speak_tls_and_is_then_believed_only_with_its_certificate(
    tmp_path: Path,
) -> None:
    with Server(lambda _: Answer(body=MANIFEST), tls=tmp_path) as server:
        tls = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        assert run(server, manifest(), ANONYMOUS, tls)
        assert refused(server, manifest()).code == "remote_protocol.registry_unreachable"


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"x",
        b'{"auths": []}',
        b'{"auths": {"a": 1}}',
        b'{"auths": {"a": {"auth": 1}}}',
        b'{"auths": {"a": {"auth": "?"}}}',
        b'{"auths": {"a": {"auth": "' + base64.b64encode(b"secret") + b'"}}}',
        b" " * (1024 * 1024 + 1),
    ],
)
def test_no_auth_file(data: bytes) -> None:
    with pytest.raises(EAAError) as caught:
        parse_auth_file(data)
    assert "secret" not in str(caught.value)


def test_the_most_specific_login() -> None:
    def packed(text: str) -> dict[str, str]:
        return {"auth": base64.b64encode(f"{text}:p".encode()).decode()}

    auth = parse_auth_file(
        json.dumps(
            {
                "auths": {
                    "https://index.docker.io/v1/": packed("hub"),
                    "a.org": packed("all"),
                    "a.org/x": packed("x"),
                    "b.org": {},
                },
                "credHelpers": {"c.org": "pass"},
            }
        ).encode()
    )

    def user(image: str) -> str | None:
        login = auth.login_for(parse_reference(image))
        return None if login is None else login.user

    assert [user(name) for name in ("busybox", "a.org/x/y", "a.org/xy", "b.org/x")] == [
        "hub",
        "x",
        "all",
        None,
    ]
    assert "p" not in repr(auth.logins["a.org"]).split("password")[-1]


def test_simple_signatures_are_counted_from_one() -> None:
    def answer(asked: Asked) -> Answer:
        number = int(asked.path.rpartition("-")[2])
        return Answer(body=f"{number}".encode()) if number <= count else Answer(404)

    def fetch(server: Server) -> tuple[bytes, ...]:
        async def inside() -> tuple[bytes, ...]:
            async with open_http(ssl.create_default_context(), LIMITS) as http:
                store = parse_lookaside({"default-docker": {"lookaside": f"http://{server.host}/s"}})
                return await fetch_simple(http, store, parse_reference("a.org/x/y:1"), DIGEST)

        return asyncio.run(inside())

    count = 2
    with Server(answer) as server:
        assert fetch(server) == (b"1", b"2")
        assert server.asked[0].path == f"/s/x/y@sha256={DIGEST.hex}/signature-1"
        count = MAX_SIGNATURES + 1
        with pytest.raises(EAAError) as caught:
            fetch(server)
        assert caught.value.code == "limit.size"
    with serve(Answer(500)) as server, pytest.raises(EAAError) as caught:
        fetch(server)
    assert caught.value.code == "remote_protocol.registry"
    with serve(Answer(body=b" " * (MAX_SIGNATURE_BYTES + 1))) as server, pytest.raises(EAAError) as caught:
        fetch(server)
    assert caught.value.code == "remote_protocol.too_large"


def test_cosign_signatures() -> None:
    payload_type = "application/vnd.dev.cosign.simplesigning.v1+json"
    layer = {
        "mediaType": payload_type, "digest": str(DIGEST), "size": len(BLOB),
        "annotations": {"dev.cosignproject.cosign/signature": "sig"},
    }  # fmt: skip
    small = b"payload"

    def answer(asked: Asked) -> Answer:
        if "/blobs/" in asked.path:
            return Answer(body=small)
        return Answer(body=body) if asked.path.endswith(f"/sha256-{DIGEST.hex}.sig") else Answer(404)

    def document(count: int) -> bytes:
        mine = {**layer, "digest": str(digest_of(small)), "size": len(small)}
        others = {**layer, "mediaType": "text/plain"}
        config = {"mediaType": "x", "digest": str(DIGEST), "size": 1}
        return json.dumps(
            {"schemaVersion": 2, "config": config, "layers": [mine] * count + [others]}
        ).encode()

    body = document(2)
    with Server(answer) as server:
        found = run(server, lambda client: fetch_cosign(client, DIGEST))
        assert [(one.payload, one.signature) for one in found] == [(small, "sig")] * 2
        assert run(server, lambda client: fetch_cosign(client, digest_of(b""))) == ()
        body = document(MAX_SIGNATURES + 1)
        with pytest.raises(EAAError) as caught:
            run(server, lambda client: fetch_cosign(client, DIGEST))
        assert caught.value.code == "limit.size"
        body = b'{"schemaVersion": 2, "manifests": []}'
        with pytest.raises(EAAError) as caught:
            run(server, lambda client: fetch_cosign(client, DIGEST))
        assert caught.value.code.startswith("format")
