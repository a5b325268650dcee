from __future__ import annotations

import asyncio
import errno
import multiprocessing
import os
import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

from eaa.errors import ConfigError, StorageError
from eaa.storage.sealing.file_key import FileMasterKey

KEY = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "verdictd" / "master.key"


def refused(path: Path, *, create: bool = True) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        FileMasterKey.open(path, create=create)
    assert caught.value.code == "config.master_key"
    assert caught.value.fields["file"] == str(path)
    return caught.value


def test_it_is_made_for_the_owner_alone(path: Path) -> None:
    FileMasterKey.open(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert path.stat().st_size == 32


def test_it_is_the_same_the_next_time_and_another_elsewhere(path: Path) -> None:
    first = FileMasterKey.open(path)
    assert FileMasterKey.open(path, create=False).name == first.name
    assert FileMasterKey.open(path.with_name("other")).name != first.name


def test_the_name_is_of_the_key_and_not_of_the_file() -> None:
    assert FileMasterKey(KEY).name == "file:a0716d7c6608cd2f"
    assert FileMasterKey(KEY[::-1]).name != FileMasterKey(KEY).name


def test_it_wraps_as_the_rfc_says() -> None:
    async def steps() -> None:
        master = FileMasterKey(KEY)
        wrapped = await master.wrap(b"k" * 32)
        assert wrapped == aes_key_wrap_with_padding(KEY, b"k" * 32)
        assert len(wrapped) == 40
        assert await master.unwrap(wrapped) == b"k" * 32

    asyncio.run(steps())


@pytest.mark.parametrize("position", [0, 20, 39])
def test_what_was_changed_is_refused(position: int) -> None:
    async def steps() -> None:
        master = FileMasterKey(KEY)
        wrapped = bytearray(await master.wrap(b"k" * 32))
        wrapped[position] ^= 1
        with pytest.raises(StorageError) as caught:
            await master.unwrap(bytes(wrapped))
        assert caught.value.code == "storage.unwrap"

    asyncio.run(steps())


@pytest.mark.parametrize("wrapped", [b"", b"k", bytes(16), bytes(41)])
def test_what_nobody_wrapped_is_refused(wrapped: bytes) -> None:
    with pytest.raises(StorageError) as caught:
        asyncio.run(FileMasterKey(KEY).unwrap(wrapped))
    assert caught.value.code == "storage.unwrap"


def test_it_is_not_made_unless_asked_for(path: Path) -> None:
    assert "there is no master key" in str(refused(path, create=False))
    assert not path.parent.exists()


@pytest.mark.parametrize("length", [0, 31, 33])
def test_another_length_is_refused(path: Path, length: int) -> None:
    FileMasterKey.open(path)
    path.write_bytes(bytes(length))
    assert f"has {length}" in str(refused(path))
    assert path.read_bytes() == bytes(length)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_file_for_others_is_refused(path: Path, mode: int) -> None:
    FileMasterKey.open(path)
    path.chmod(mode)
    assert "chmod 600" in str(refused(path))


def test_a_folder_that_others_may_write_is_refused(path: Path) -> None:
    FileMasterKey.open(path)
    path.parent.chmod(0o770)
    refused(path)


def test_a_symbolic_link_is_refused(path: Path) -> None:
    FileMasterKey.open(path)
    link = path.with_name("link")
    link.symlink_to(path)
    refused(link)


def test_a_link_to_nothing_is_refused_and_not_followed(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.symlink_to(path.with_name("elsewhere"))
    refused(path)
    assert not path.with_name("elsewhere").exists()


def test_a_folder_in_its_place_is_refused(path: Path) -> None:
    path.mkdir(parents=True, mode=0o700)
    refused(path)


def test_where_nothing_can_be_made(path: Path) -> None:
    path.parent.write_bytes(b"no folder")
    assert "verdictd" in str(refused(path))


def test_what_cannot_be_made_leaves_nothing_behind(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_links(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")  # as a file system says that has none

    monkeypatch.setattr(os, "link", without_links)
    assert "cannot be made: Operation not permitted" in str(refused(path))
    assert list(path.parent.iterdir()) == []


def test_a_name_that_leaves_no_room_for_another_beside_it(path: Path) -> None:
    assert "File name too long" in str(refused(path.with_name("k" * 250)))


def _name(path: Path) -> str:
    return FileMasterKey.open(path).name


def test_processes_that_create_at_once_get_one_key(path: Path) -> None:
    with ProcessPoolExecutor(4, multiprocessing.get_context("forkserver")) as pool:
        names = set(pool.map(_name, [path] * 16))
    assert len(names) == 1
    assert os.listdir(path.parent) == [path.name]
