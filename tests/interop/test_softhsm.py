"""The master key in a real PKCS #11 token: what it wraps, whom it refuses, and what heals.

Needs Debian's package ``softhsm2``; without it these tests fail and say so.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pkcs11
import pytest

from eaa.errors import ConfigError, StorageError
from eaa.storage.sealing.envelope import Envelope
from eaa.storage.sealing.pkcs11_key import Pkcs11MasterKey
from eaa.storage.sealing.pkcs11_uri import parse_pkcs11_uri
from eaa.storage.sealing.uri import open_master_key
from tests.fakes.data_keys import MemoryDataKeys
from tests.fakes.softhsm import PIN, SoftHsm
from tests.interop.master_keys import KEY, refusal, unwrap, wrap


@pytest.fixture
def hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoftHsm]:
    """With one token, ``eaa``. The module forgets it at the end: it belongs to the process."""
    made = SoftHsm(tmp_path / "hsm", monkeypatch)
    made.make_token("eaa")
    pkcs11.unload(made.module)
    yield made
    pkcs11.unload(made.module)


def test_it_makes_its_key_and_unwraps_what_it_wrapped(hsm: SoftHsm) -> None:
    master = open_master_key(hsm.uri())
    wrapped = wrap(master)
    assert master.name == "pkcs11:token=eaa;object=master"
    assert len(wrapped) == 12 + 32 + 16
    assert KEY not in wrapped
    assert unwrap(open_master_key(hsm.uri(generate=False)), wrapped) == KEY
    assert wrap(master) != wrapped


def test_the_key_cannot_leave_the_token(hsm: SoftHsm) -> None:
    wrap(open_master_key(hsm.uri()))
    with pkcs11.lib(hsm.module).get_token(token_label="eaa").open(user_pin=PIN) as session:
        (key,) = session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY})
        attributes = [pkcs11.Attribute.SENSITIVE, pkcs11.Attribute.EXTRACTABLE, pkcs11.Attribute.WRAP]
        assert [key[attribute] for attribute in attributes] == [True, False, False]
        assert key[pkcs11.Attribute.VALUE_LEN] == 32
        with pytest.raises(pkcs11.AttributeSensitive):
            key[pkcs11.Attribute.VALUE]


@pytest.mark.parametrize("position", [0, 12, 43, 59])
def test_what_was_changed_is_refused(hsm: SoftHsm, position: int) -> None:
    master = open_master_key(hsm.uri())
    wrapped = bytearray(wrap(master))
    wrapped[position] ^= 1
    assert refusal(master, bytes(wrapped)).code == "storage.unwrap"
    wrapped[position] ^= 1
    assert unwrap(master, bytes(wrapped)) == KEY


@pytest.mark.parametrize("length", [0, 59, 61])
def test_another_length_is_refused(hsm: SoftHsm, length: int) -> None:
    assert refusal(open_master_key(hsm.uri()), bytes(length)).code == "storage.unwrap"


def test_what_another_key_wrapped_is_refused(hsm: SoftHsm) -> None:
    wrapped = wrap(open_master_key(hsm.uri(key="other")))
    master = open_master_key(hsm.uri())
    wrap(master)
    assert refusal(master, wrapped).code == "storage.unwrap"


def test_a_key_that_is_not_there_is_made_only_if_asked_for(hsm: SoftHsm) -> None:
    refused = refusal(open_master_key(hsm.uri(generate=False)))
    assert refused.code == "storage.master_key_refused"
    assert "there is no AES key" in str(refused)


def test_unwrapping_makes_no_key(hsm: SoftHsm) -> None:
    master = open_master_key(hsm.uri())
    assert "there is no AES key" in str(refusal(master, bytes(60)))


def test_two_keys_of_one_name_are_refused(hsm: SoftHsm) -> None:
    with pkcs11.lib(hsm.module).get_token(token_label="eaa").open(rw=True, user_pin=PIN) as session:
        for _ in range(2):
            session.generate_key(pkcs11.KeyType.AES, 256, label="master", store=True)
    assert "there are 2 AES keys" in str(refusal(open_master_key(hsm.uri())))


def test_a_key_that_may_only_encrypt_is_refused(hsm: SoftHsm) -> None:
    with pkcs11.lib(hsm.module).get_token(token_label="eaa").open(rw=True, user_pin=PIN) as session:
        only = pkcs11.MechanismFlag.ENCRYPT
        session.generate_key(pkcs11.KeyType.AES, 256, label="master", store=True, capabilities=only)
    assert "may not encrypt and decrypt" in str(refusal(open_master_key(hsm.uri())))


def test_a_pin_that_was_refused_is_not_tried_again(hsm: SoftHsm) -> None:
    master = open_master_key(hsm.uri())
    wrapped = wrap(master)
    hsm.write_pin("0000-wrong")
    refused = refusal(master, wrapped)
    assert (refused.code, "PinIncorrect" in str(refused)) == ("storage.master_key_refused", True)
    assert "not tried again" in str(refusal(master, wrapped))
    assert "0000-wrong" not in str(refused)
    hsm.write_pin(PIN)
    assert unwrap(master, wrapped) == KEY


def test_who_is_logged_in_already_does_no_harm(hsm: SoftHsm) -> None:
    master = open_master_key(hsm.uri())
    wrapped = wrap(master)
    with pkcs11.lib(hsm.module).get_token(token_label="eaa").open(user_pin=PIN):
        assert unwrap(master, wrapped) == KEY


def test_a_token_that_goes_and_comes_back(hsm: SoftHsm) -> None:
    async def steps() -> None:
        table, master = MemoryDataKeys(), open_master_key(hsm.uri())
        running = Envelope(master, table)
        sealed = await running.seal(b"secret", context=b"place")
        away = hsm.tokens.rename(hsm.tokens.with_name("away"))
        restarted = Envelope(master, table)
        with pytest.raises(StorageError) as caught:
            await restarted.open(sealed, context=b"place")
        assert caught.value.code == "storage.master_key_unavailable"
        assert await running.open(sealed, context=b"place") == b"secret"
        away.rename(hsm.tokens)
        assert await restarted.open(sealed, context=b"place") == b"secret"

    asyncio.run(steps())


def test_a_module_that_does_not_start_at_first(hsm: SoftHsm) -> None:
    master = open_master_key(hsm.uri())
    away = hsm.tokens.rename(hsm.tokens.with_name("away"))
    assert refusal(master).code == "storage.master_key_unavailable"
    away.rename(hsm.tokens)
    assert unwrap(master, wrap(master)) == KEY


def test_a_module_that_lost_its_sessions(hsm: SoftHsm) -> None:
    master = open_master_key(hsm.uri())
    wrapped = wrap(master)
    pkcs11.lib(hsm.module).finalize()
    assert unwrap(master, wrapped) == KEY


def test_several_at_once(hsm: SoftHsm) -> None:
    async def steps() -> None:
        master = open_master_key(hsm.uri())
        await master.wrap(KEY)
        keys = [bytes([number]) * 32 for number in range(16)]
        wrapped = await asyncio.gather(*map(master.wrap, keys))
        assert await asyncio.gather(*map(master.unwrap, wrapped)) == keys

    asyncio.run(steps())


def test_a_call_that_hangs_is_given_up(hsm: SoftHsm) -> None:
    wrap(open_master_key(hsm.uri()))
    go_on, waits = threading.Event(), [True]

    def pin() -> str:
        if waits.pop():
            go_on.wait(20)
        return PIN

    async def steps() -> None:
        master = Pkcs11MasterKey(parse_pkcs11_uri(hsm.uri()), pin, timeout_seconds=0.05)
        with pytest.raises(StorageError, match="no answer within") as caught:
            await master.wrap(KEY)
        assert caught.value.code == "storage.master_key_unavailable"
        waits.append(False)
        go_on.set()

    asyncio.run(steps())
    master = open_master_key(hsm.uri())
    assert unwrap(master, wrap(master)) == KEY


def test_a_token_that_is_not_there(hsm: SoftHsm) -> None:
    assert refusal(open_master_key(hsm.uri(token="nobody"))).code == "storage.master_key_unavailable"


def test_the_serial_number_has_to_match_too(hsm: SoftHsm) -> None:
    serial = pkcs11.lib(hsm.module).get_token(token_label="eaa").serial.decode()
    uri = hsm.uri()
    right = open_master_key(uri.replace("token=eaa", f"token=eaa;serial={serial}"))
    assert right.name == f"pkcs11:serial={serial};token=eaa;object=master"
    assert unwrap(right, wrap(right)) == KEY
    wrong = open_master_key(uri.replace("token=eaa", "token=eaa;serial=0000000000000000"))
    assert refusal(wrong).code == "storage.master_key_unavailable"


def test_a_module_that_cannot_be_loaded(hsm: SoftHsm, tmp_path: Path) -> None:
    other = tmp_path / "module.so"
    other.write_bytes(b"no module")
    with pytest.raises(ConfigError, match="cannot be loaded") as caught:
        wrap(open_master_key(hsm.uri().replace(hsm.module, str(other))))
    assert caught.value.fields["file"] == str(other)


def test_a_pin_file_that_others_may_read(hsm: SoftHsm) -> None:
    hsm.pin_file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod"):
        wrap(open_master_key(hsm.uri()))


def test_a_pin_of_the_environment(hsm: SoftHsm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EAA_TEST_PIN", PIN)
    uri = hsm.uri().replace(f"file:{hsm.pin_file}", "env:EAA_TEST_PIN")
    assert "EAA_TEST_PIN" in uri
    master = open_master_key(uri)
    assert unwrap(master, wrap(master)) == KEY
