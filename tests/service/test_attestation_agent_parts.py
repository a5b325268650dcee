"""The agent's parts where no broker is needed: parameters, replies, cache, patience, files of secrets."""

from __future__ import annotations

import asyncio
import base64
import json
import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from eaa.broker.eaa.replies import (
    encode_data,
    encode_failure,
    encode_failure_text,
    encode_info,
    encode_info_failure,
    encode_text,
    encode_version,
)
from eaa.broker.names import ResourcePath
from eaa.errors import (
    AccessDenied,
    ConfigError,
    EAAError,
    FormatError,
    RemoteProtocolError,
    ResourceNotFound,
    SessionError,
    StorageError,
    UnsupportedError,
    UsageError,
)
from eaa.oci.key_id import KeyId, parse_key_id
from eaa.services.attestation_agent.agent import make_agent, parse_resource_path
from eaa.services.attestation_agent.cache import CachedSecrets, CacheTerms
from eaa.services.attestation_agent.eaa_kbc import EaaKbc
from eaa.services.attestation_agent.eaa_replies import (
    MAX_TEXT_BYTES,
    ObjectReply,
    TextReply,
    encode_request,
    parse_keys,
    parse_size,
    parse_version,
)
from eaa.services.attestation_agent.failures import agent_outcome, is_transient
from eaa.services.attestation_agent.offline_fs_kbc import OfflineFsKbc
from eaa.services.attestation_agent.params import KbcParams, kernel_parameter, parse_params
from eaa.services.attestation_agent.patience import Patience
from eaa.services.attestation_agent.refusals import Refusals
from eaa.services.attestation_agent.terms import AgentTerms
from eaa.tls.verifiers import NullVerifier
from eaa.transport.config import ChannelConfig
from eaa.transport.grpc.agent_sockets import require_local
from tests.service.verdictds import Hardware

T = TypeVar("T")
PATH = ResourcePath("default", "key", "1")


# ── aa_kbc_params ──


@pytest.mark.parametrize(
    ("text", "name", "uri"),
    [
        ("cc_kbc::http://127.0.0.1:8080", "cc_kbc", "http://127.0.0.1:8080"),
        ("cc_kbc::https://kbs.example/", "cc_kbc", "https://kbs.example"),
        ("cc_kbc::https://[2001:db8::1]:8080", "cc_kbc", "https://[2001:db8::1]:8080"),
        ("eaa_kbc::192.0.2.7:20002", "eaa_kbc", "192.0.2.7:20002"),
        ("eaa_kbc::[::1]:20002\n", "eaa_kbc", "[::1]:20002"),
        ("offline_fs_kbc::null", "offline_fs_kbc", "null"),
        ("offline_fs_kbc::", "offline_fs_kbc", "null"),
    ],
)
def test_parameters(text: str, name: str, uri: str) -> None:
    assert parse_params(text) == KbcParams(name, uri)


@pytest.mark.parametrize(
    ("text", "proves"),
    [
        ("cc_kbc::https://kbs.example:8080", True),
        ("cc_kbc::http://127.0.0.1:8080", True),
        ("cc_kbc::http://localhost:8080", True),
        ("cc_kbc::http://10.0.0.1:8080", False),
        ("cc_kbc::http://127.0.0.1.example:8080", False),
        ("eaa_kbc::10.0.0.1:1234", True),
        ("offline_fs_kbc::null", True),
    ],
)
def test_who_the_broker_is_plain_http_does_not_prove(text: str, proves: bool) -> None:
    assert parse_params(text).proves_broker is proves


@pytest.mark.parametrize(
    ("params", "verifier", "proves"),
    [
        ("eaa_kbc::127.0.0.1:1", Hardware().source().verifier, True),
        ("eaa_kbc::127.0.0.1:1", NullVerifier(), False),
        ("cc_kbc::http://127.0.0.1:1", None, True),
        ("cc_kbc::http://10.0.0.1:1", None, False),
        (None, None, False),
    ],
)
def test_what_is_not_verified_proves_no_broker(params: str | None, verifier: Any, proves: bool) -> None:
    terms = AgentTerms(params=parse_params(params) if params else None)
    channel = ChannelConfig(attester=None, verifier=verifier) if verifier else None

    async def found() -> bool:
        agent = make_agent(terms, attester=None, extender=None, channel=channel)
        await agent.close()
        return agent.proves_broker

    assert asyncio.run(found()) is proves


@pytest.mark.parametrize(
    "text",
    ["", "cc_kbc", "cc_kbc:http://x", "nosuch::x", "cc_kbc::ftp://x", "cc_kbc::http://", "cc_kbc::http://x:99999",
     "cc_kbc::http://x:0", "cc_kbc::http://u:p@x", "cc_kbc::http://x?q", "cc_kbc::http://x#f", "cc_kbc::http://[x",
     "eaa_kbc::host", "eaa_kbc::host:0", "eaa_kbc::0.0.0.0:1", "eaa_kbc::[::]:1", "eaa_kbc::http://x:1",
     "offline_fs_kbc::/etc", "cc_kbc::http://" + "x" * 2048],
)  # fmt: skip
def test_what_are_no_parameters(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_params(text)
    assert caught.value.code == "config.aa_kbc_params"


@pytest.mark.parametrize("name", ["sample_kbc", "offline_sev_kbc", "online_sev_kbc"])
def test_modules_of_the_original_that_there_are_not(name: str) -> None:
    with pytest.raises(UnsupportedError, match=name):
        parse_params(f"{name}::null")


def test_the_kernel_s_command_line() -> None:
    assert (
        kernel_parameter("quiet agent.aa_kbc_params=cc_kbc::http://x agent.log=debug\n") == "cc_kbc::http://x"
    )
    assert kernel_parameter("quiet agent.aa_kbc_params_x=1") == ""
    assert kernel_parameter("agent.aa_kbc_params=a agent.aa_kbc_params=a") == "a"
    with pytest.raises(ConfigError):
        kernel_parameter("agent.aa_kbc_params=a agent.aa_kbc_params=b")


def test_a_caller_may_name_the_configured_module_or_none() -> None:
    params = KbcParams("cc_kbc", "http://x")
    for name, uri in (("", ""), ("cc_kbc", ""), ("cc_kbc", "http://x/"), ("", "http://evil")):
        params.require_same(name, uri)
    for name, uri in (("eaa_kbc", ""), ("cc_kbc", "http://y")):
        with pytest.raises(UsageError):
            params.require_same(name, uri)


@pytest.mark.parametrize("text", ["kbs:///a/b/c", "kbs://host:1/a/b/c", "a/b/c", "/a/b/c", "host/a/b/c"])
def test_paths(text: str) -> None:
    assert parse_resource_path(text) == ResourcePath("a", "b", "c")


# ── replies of the EAA protocol, from the bytes of our broker ──


def test_requests() -> None:
    assert encode_request("Get KEK", kids=["k"]) == b'{"command":"Get KEK","kids":["k"]}'


def whole(reply: Any, data: bytes, chunk: int) -> Any:
    parts = [data[start : start + chunk] for start in range(0, len(data), chunk)]
    *rest, last = [reply.feed(part) for part in parts]
    assert rest == [None] * len(rest)
    return last


@pytest.mark.parametrize("chunk", [1, 3, 1 << 20])
def test_replies_in_any_pieces(chunk: int) -> None:
    parse_version(whole(ObjectReply(), encode_version().data, chunk))
    content = bytes(range(256)) * 40
    size = parse_size(whole(ObjectReply(), encode_info(content).data, chunk))
    assert whole(TextReply(size), encode_text(content).data, chunk) == content
    keys = whole(ObjectReply(), encode_data({'k}{"': b"key"}).data, chunk)
    assert parse_keys(keys, 'k}{"') == b"key"


@pytest.mark.parametrize(
    ("text", "kind", "decision"),
    [
        ("no (access_denied.policy, decision 01AB)", AccessDenied, "01AB"),
        ("no (access_denied.not_attested)", AccessDenied, ""),
        ("no (resource_not_found, decision 01AB)", ResourceNotFound, "01AB"),
        ("no (storage.busy)", StorageError, ""),
        ("no (policy.evaluation, decision 01AB)", AccessDenied, "01AB"),
        ("kid: x's key not found", ResourceNotFound, ""),  # as the original says it
        ("anything", AccessDenied, ""),
    ],
)
def test_refusals_of_the_broker(text: str, kind: type[EAAError], decision: str) -> None:
    uses: list[Callable[[], Any]] = [
        lambda: parse_keys(json.loads(encode_failure(text).data), "k"),
        lambda: parse_size(json.loads(encode_info_failure(text).data)),
        lambda: TextReply(4000).feed(encode_failure_text(text).data),
        lambda: TextReply(4).feed(encode_failure_text(text).data),
    ]
    for use in uses:
        with pytest.raises(kind, match="the broker refuses") as caught:
            use()
        assert (caught.value.decision, caught.value.code.rpartition(".")[2]) == (decision, "refused")


@pytest.mark.parametrize(
    "use",
    [
        lambda: ObjectReply().feed(b"[]"),
        lambda: ObjectReply().feed(b'{"a":1}{"b":2}'),
        lambda: ObjectReply().feed(b'{"a":1}{'),
        lambda: ObjectReply().feed(b'{"a":1,"a":2}'),
        lambda: ObjectReply().feed(b'{"a":"' + b"x" * (1 << 20)),
        lambda: parse_version({"status": "OK", "version": "v2"}),
        lambda: parse_version({"version": "v1"}),
        lambda: parse_size({"status": "OK", "data": {"base64size": 4}}),
        lambda: parse_size({"status": "OK", "data": {"base64size": "-4"}}),
        lambda: parse_size({"status": "OK", "data": {"base64size": "5"}}),
        lambda: parse_size({"status": "OK", "data": {"base64size": str(MAX_TEXT_BYTES + 4)}}),
        lambda: parse_size({"status": "OK", "data": []}),
        lambda: parse_keys({"status": "OK", "data": {"other": "AAAA"}}, "k"),
        lambda: parse_keys({"status": "OK", "data": {"k": "A"}}, "k"),
        lambda: TextReply(4).feed(b"AAAAA"),
        lambda: TextReply(4).feed(b"!!!!"),
    ],
)
def test_what_is_no_reply(use: Callable[[], Any]) -> None:
    with pytest.raises(RemoteProtocolError):
        use()


def test_a_secret_that_is_an_object_is_a_secret() -> None:
    for content in (b'{"status":"OK","error":""}', b'{"status":"Fail"}', b'{"a":1}', b"{"):
        text = encode_text(content).data
        assert TextReply(len(text)).feed(text) == content


def test_a_large_secret_is_not_looked_through_for_a_failure() -> None:
    content = b'{"status":"Fail","error":"' + b"x" * 60_000 + b'"}'
    text = encode_text(content).data
    assert len(text) > 64 * 1024
    assert TextReply(len(text)).feed(text) == content


def test_a_broker_whose_name_cannot_be_looked_up_is_not_reached() -> None:
    channel = ChannelConfig(attester=None, verifier=NullVerifier())
    kbc = EaaKbc(f"{'a' * 64}.example:1", channel, patience=Patience(attempts=1), refused_seconds=0)
    with pytest.raises(RemoteProtocolError, match="opening an attested channel") as caught:
        asyncio.run(kbc.resource(ResourcePath.parse("a/b/c")))
    assert caught.value.code == "remote_protocol.unreachable"


# ── the cache ──


class Module:
    """Gives what it is asked for, or raises ``error``; counts."""

    valid_seconds = math.inf

    def __init__(self, error: EAAError | None = None, *, wait: asyncio.Event | None = None) -> None:
        self.asked: list[str] = []
        self._error, self._wait = error, wait

    async def resource(self, path: ResourcePath) -> bytes:
        return await self._give(str(path))

    async def key(self, kid: KeyId) -> bytes:
        return await self._give(str(kid))

    async def token(self) -> bytes:
        return b""

    async def close(self) -> None:
        return None

    async def _give(self, name: str) -> bytes:
        self.asked.append(name)
        if self._wait is not None:
            await self._wait.wait()
        if self._error is not None:
            raise self._error
        return name.encode()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def run(use: Callable[[], Awaitable[T]]) -> T:
    async def once() -> T:
        return await use()

    return asyncio.run(once())


def test_a_key_that_is_a_resource_is_kept_once() -> None:
    async def use() -> list[str]:
        module = Module()
        cache = CachedSecrets(module, CacheTerms())
        for kid in ("kbs:///default/key/1", "kbs://host/default/key/1"):
            assert await cache.key(parse_key_id(kid)) == b"default/key/1"
        assert await cache.resource(PATH) == b"default/key/1"
        assert await cache.key(parse_key_id("k1")) == b"k1"
        cache.forget()
        assert await cache.resource(PATH) == b"default/key/1"
        return module.asked

    assert run(use) == ["default/key/1", "k1", "default/key/1"]


def test_secrets_are_dropped_at_their_end_and_not_later() -> None:
    async def use() -> None:
        module = Module()
        cache = CachedSecrets(module, CacheTerms(seconds=0.05))
        secret = await cache.resource(PATH)
        assert cache._bytes == len(secret)
        await asyncio.sleep(0.1)
        assert (cache._bytes, cache._kept) == (0, {})

    run(use)


def test_a_secret_is_kept_no_longer_than_its_module_says() -> None:
    async def use() -> int:
        module, clock = Module(), Clock()
        module.valid_seconds = 5.0
        cache = CachedSecrets(module, CacheTerms(seconds=300), clock=clock)
        await cache.resource(PATH)
        clock.now += 4.9
        await cache.resource(PATH)
        clock.now += 0.1
        await cache.resource(PATH)
        module.valid_seconds = 0.0
        clock.now += 5
        await cache.resource(PATH)
        await cache.resource(PATH)
        cache.forget()
        return len(module.asked)

    assert run(use) == 4


def test_the_cache_is_bounded_and_drops_what_was_not_used_longest() -> None:
    async def use() -> list[str]:
        module = Module()
        cache = CachedSecrets(module, CacheTerms(max_bytes=14))
        a, b, c = (ResourcePath("a", "b", tag) for tag in "123")
        for path in (a, b, a, c, a, b):  # of five bytes each: two fit
            await cache.resource(path)
        await cache.resource(ResourcePath("a" * 20, "b", "c"))  # never fits, and drops nothing
        await cache.resource(a)
        cache.forget()
        return module.asked

    assert run(use) == ["a/b/1", "a/b/2", "a/b/3", "a/b/2", f"{'a' * 20}/b/c"]


def test_who_stops_waiting_leaves_the_others_waiting() -> None:
    async def use() -> tuple[bytes, int]:
        wait = asyncio.Event()
        module = Module(wait=wait)
        cache = CachedSecrets(module, CacheTerms())
        waiting = [asyncio.create_task(cache.resource(PATH)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        wait.set()
        found = await asyncio.gather(*waiting[1:])
        assert waiting[0].cancelled()
        cache.forget()
        return found[0], len(module.asked)

    assert run(use) == (b"default/key/1", 1)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (AccessDenied("no", detail="refused"), 5.0),
        (ResourceNotFound("no", detail="refused"), 5.0),
        (RemoteProtocolError("gone", detail="unreachable"), 0.5),
    ],
)
def test_refusals_are_remembered_and_asked_for_again(error: EAAError, seconds: float) -> None:
    async def use() -> int:
        module, clock = Module(error), Clock()
        cache = CachedSecrets(module, CacheTerms(refused_seconds=5), clock=clock)
        for step in (0.0, seconds - 0.01, 0.02):
            clock.now += step
            with pytest.raises(type(error)):
                await cache.resource(PATH)
        return len(module.asked)

    assert run(use) == 2


def test_refusals_are_bounded() -> None:
    refusals = Refusals(60)
    for number in range(1025):
        refusals.remember(str(number), AccessDenied("no"))
    refusals.require_none("0")
    with pytest.raises(AccessDenied):
        refusals.require_none("1")


# ── patience ──

QUICK = Patience(attempts=3, request_seconds=5, first_seconds=0.001, longest_seconds=0.002)


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (RemoteProtocolError("x", detail="unreachable"), 3),
        (RemoteProtocolError("x", detail="refused", status=503), 3),
        (StorageError("x"), 3),
        (RemoteProtocolError("x", detail="refused", status=500), 1),
        (RemoteProtocolError("x", detail="reply"), 1),
        (AccessDenied("x"), 1),
    ],
)
def test_only_what_may_pass_is_asked_again(error: EAAError, asked: int) -> None:
    count = 0

    async def question() -> bytes:
        nonlocal count
        count += 1
        raise error

    with pytest.raises(type(error)):
        run(lambda: QUICK.ask(question))
    assert count == asked


def test_a_question_that_is_answered_the_second_time() -> None:
    answers: list[Any] = [RemoteProtocolError("x", detail="truncated"), b"yes"]

    async def question() -> bytes:
        answer = answers.pop(0)
        if isinstance(answer, EAAError):
            raise answer
        found: bytes = answer
        return found

    assert run(lambda: QUICK.ask(question)) == b"yes"


def test_the_deadline_is_of_all_attempts_together() -> None:
    async def hangs() -> bytes:
        await asyncio.sleep(60)
        return b""

    with pytest.raises(RemoteProtocolError) as caught:
        run(lambda: Patience(request_seconds=0.05).ask(hangs))
    assert caught.value.code == "remote_protocol.timeout"

    async def fails() -> bytes:
        raise RemoteProtocolError("nobody there", detail="unreachable")

    slow = Patience(attempts=100, request_seconds=0.05, first_seconds=10, longest_seconds=10)
    with pytest.raises(RemoteProtocolError, match="nobody there"):
        run(lambda: slow.ask(fails))


def test_pauses_grow_to_a_bound() -> None:
    patience = Patience(first_seconds=1, longest_seconds=3)
    for attempt, whole_pause in ((1, 1), (2, 2), (3, 3), (9, 3)):
        for _ in range(20):
            assert whole_pause / 2 <= patience._pause(attempt) <= whole_pause


def test_statuses_of_failures_that_are_nobody_s_here() -> None:
    cases = {
        RemoteProtocolError("x", detail="unreachable"): (503, "UNAVAILABLE", 40),
        RemoteProtocolError("x", detail="reply"): (502, "INTERNAL", 1),
        SessionError("x"): (403, "PERMISSION_DENIED", 10),
        AccessDenied("x"): (403, "PERMISSION_DENIED", 10),
        FormatError("x", what="x", field="x"): (400, "INVALID_ARGUMENT", 30),
    }
    for error, expected in cases.items():
        outcome = agent_outcome(error)
        assert (outcome.http_status, outcome.grpc, outcome.exit_code) == expected
    assert not is_transient(SessionError("x"))


# ── secrets in files ──


def offline(folder: Path, keys: Any = None, resources: Any = None) -> OfflineFsKbc:
    for name, content in (("keys", keys), ("resources", resources)):
        if content is not None:
            text = content if isinstance(content, str) else json.dumps(content)
            (folder / name).write_text(text)
    return OfflineFsKbc(folder / "keys", folder / "resources")


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_secrets_in_files(tmp_path: Path) -> None:
    made = offline(
        tmp_path, {"default/key/1": b64(b"key"), "k1": b64(b"plain")}, {"default/policy/1": b64(b"policy")}
    )
    assert run(lambda: made.key(parse_key_id("kbs:///default/key/1"))) == b"key"
    assert run(lambda: made.key(parse_key_id("k1"))) == b"plain"
    assert run(lambda: made.resource(ResourcePath("default", "policy", "1"))) == b"policy"
    with pytest.raises(ResourceNotFound, match="default/key/2 is neither in"):
        run(lambda: made.key(parse_key_id("default/key/2")))
    with pytest.raises(UnsupportedError):
        run(made.token)
    offline(tmp_path, {"default/key/1": b64(b"new")})
    assert run(lambda: made.resource(PATH)) == b"new"
    assert made.valid_seconds == math.inf


def test_without_files_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(ResourceNotFound):
        run(lambda: offline(tmp_path).resource(PATH))


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"default/key/1": 1}', '{"default/key/1": "s3cret!"}', '{"a":"s3cret","a":"x"}', "s3cret"],
)
def test_files_that_are_none(tmp_path: Path, content: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run(lambda: offline(tmp_path, content).resource(PATH))
    assert caught.value.code == "config.offline_fs_kbc"
    assert "s3cret" not in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        run(lambda: offline(tmp_path).resource(PATH))


# ── where it listens ──


@pytest.mark.parametrize(
    "address", ["tcp://0.0.0.0:1", "tcp://192.0.2.1:1", "tcp://[::]:1", "tcp://example:1"]
)
def test_it_listens_where_nobody_else_comes(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        require_local(address)
    assert caught.value.code == "config.not_local"
    for local in ("tcp://127.0.0.1:1", "tcp://[::1]:1", "tcp://localhost:1", "unix:///run/x.sock"):
        require_local(local)
