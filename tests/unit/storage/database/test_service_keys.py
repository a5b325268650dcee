"""Keys of the service, and the wrapped data keys of the envelope."""

from __future__ import annotations

import asyncio

import pytest

from eaa.broker.records import ServiceKey
from eaa.errors import FormatError, StorageError
from eaa.storage.database.database import ConnectedDatabase, Database
from eaa.storage.sealing.data_keys import WrappedDataKey
from tests.unit.storage.conftest import Run
from tests.unit.storage.database.samples import HOUR, NOW, AesSealer


def _key(kid: str, *, purpose: str = "token", hours: int = 0) -> ServiceKey:
    chain = (b"leaf", b"\0issuer") if purpose == "token" else ()
    return ServiceKey(
        purpose, kid, b"material of " + kid.encode(), chain, NOW + hours * HOUR, NOW + (hours + 9) * HOUR
    )


def test_what_was_added_is_given_newest_first(run: Run, database: Database) -> None:
    keys = database.service_keys
    for key in (_key("b", hours=1), _key("a"), _key("c", hours=2), _key("x", purpose="challenge")):
        assert run(keys.add(key))
    assert run(keys.of("token")) == [_key("c", hours=2), _key("b", hours=1), _key("a")]
    assert run(keys.of("challenge")) == [_key("x", purpose="challenge")]
    assert run(keys.of("else")) == []


def test_a_key_is_not_replaced(run: Run, database: Database) -> None:
    assert run(database.service_keys.add(_key("a")))
    assert not run(database.service_keys.add(_key("a", hours=5)))
    assert run(database.service_keys.of("token")) == [_key("a")]


def test_of_many_first_keys_one_is_kept(run: Run, database: Database, other: Database) -> None:
    async def work() -> list[bool]:
        adds = [
            store.service_keys.add(_key(f"{n}"), only_first=True)
            for n, store in enumerate([database, other] * 10)
        ]
        return await asyncio.gather(*adds)

    results = run(work())
    assert results.count(True) == 1
    assert run(database.service_keys.of("token")) == [_key(f"{results.index(True)}")]
    assert run(database.service_keys.add(_key("x", purpose="challenge"), only_first=True))


def test_pruning_forgets_what_has_retired(run: Run, database: Database) -> None:
    for hours in range(3):
        run(database.service_keys.add(_key(f"{hours}", hours=hours)))
    assert run(database.service_keys.prune(NOW + 10 * HOUR)) == 2
    assert [key.kid for key in run(database.service_keys.of("token"))] == ["2"]


def test_material_is_sealed_for_its_purpose_and_id(run: Run, database: Database, sealer: AesSealer) -> None:
    run(database.service_keys.add(_key("a")))
    assert sealer.contexts == [b"service_key/token/a"]


def test_names_that_cannot_be_kept_are_refused(run: Run, database: Database) -> None:
    with pytest.raises(FormatError):
        run(database.service_keys.add(_key("a\0")))
    with pytest.raises(FormatError):
        run(database.service_keys.of("a\0"))


def _data_key(name: str, *, master: str = "file", wrapped: bytes = b"wrapped") -> WrappedDataKey:
    return WrappedDataKey(name, master, wrapped, NOW)


def test_data_keys_are_there_before_anything_seals(run: Run, url: str) -> None:
    async def work() -> list[WrappedDataKey]:
        connected = await ConnectedDatabase.connect(url)
        await connected.ping()
        assert await connected.data_keys.add(_data_key("a"))
        assert not await connected.data_keys.add(_data_key("a", wrapped=b"other"))
        loaded = list(await connected.data_keys.load())
        await connected.close()
        return loaded

    assert run(work()) == [_data_key("a")]


def test_of_many_first_data_keys_one_is_kept(run: Run, database: Database, other: Database) -> None:
    async def work() -> list[bool]:
        adds = [
            store.data_keys.add(_data_key(f"{n}"), only_first=True)
            for n, store in enumerate([database, other] * 10)
        ]
        return await asyncio.gather(*adds)

    results = run(work())
    assert results.count(True) == 1
    assert run(other.data_keys.load()) == [_data_key(f"{results.index(True)}")]


def test_a_data_key_is_rewrapped_in_its_place(run: Run, database: Database) -> None:
    run(database.data_keys.add(_data_key("a")))
    run(database.data_keys.add(_data_key("b")))
    rewrapped = _data_key("a", master="openbao", wrapped=b"rewrapped")
    run(database.data_keys.replace(rewrapped))
    assert sorted(run(database.data_keys.load()), key=lambda key: key.id) == [rewrapped, _data_key("b")]
    with pytest.raises(StorageError) as caught:
        run(database.data_keys.replace(_data_key("c")))
    assert caught.value.code == "storage.data_key"
