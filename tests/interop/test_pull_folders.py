"""What is around a pull: other pulls, ones that were killed, several recipients, indexes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from eaa.errors import EAAError
from eaa.oci.annotation import KEYS_ANNOTATION
from eaa.services.image_pull.rooted import Root
from eaa.services.image_pull.users import ProcessUser, find_user
from tests.fakes.pull_guest import Guest
from tests.fakes.pull_images import Image, Layer, digest, entry, tar
from tests.fakes.pull_registry import push, push_manifest
from tests.fakes.registry import Registry

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
OPEN = Image([Layer(tar([entry("file", b"hello")]))])


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("registry")) as running:
        push(running, "app:1", OPEN)
        yield running


@pytest.fixture
def guest(tmp_path: Path) -> Guest:
    return Guest(tmp_path / "guest")


def code_of(guest: Guest, name: str) -> str:
    with pytest.raises(EAAError) as caught:
        guest.pull(name)
    return caught.value.code


def test_two_pulls_into_one_folder(registry: Registry, guest: Guest) -> None:
    other = guest.folder / ".bundle.unpacking"
    other.mkdir()
    descriptor = os.open(other, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert code_of(guest, f"{registry.address}/app:1") == "conflict.bundle"
        assert other.exists(), "it is the other pull's"
    finally:
        os.close(descriptor)


def test_two_pulls_of_one_blob(registry: Registry, guest: Guest, tmp_path: Path) -> None:
    guest.terms = replace(guest.terms, store=tmp_path / "store")
    partial = tmp_path / "store/sha256" / (digest(OPEN.layers[0].blob)[7:] + ".partial")
    partial.parent.mkdir(parents=True)
    with partial.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert code_of(guest, f"{registry.address}/app:1") == "conflict.blob"


def test_what_a_killed_pull_left_is_not_in_the_next(registry: Registry, guest: Guest) -> None:
    left = guest.folder / ".bundle.unpacking"
    (left / "rootfs").mkdir(parents=True)
    (left / "rootfs/planted").write_text("x")
    (left / "config.json").symlink_to("/etc/passwd")
    guest.pull(f"{registry.address}/app:1")
    assert [path.name for path in guest.rootfs.iterdir()] == ["file"]
    assert not (guest.bundle / "config.json").is_symlink()
    assert guest.bundle.stat().st_mode & 0o777 == 0o700


def test_a_pull_that_is_cancelled_at_its_end_is_whole(
    registry: Registry, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bundle is there, all of it, or nothing is: never what somebody is removing."""

    async def cancelled() -> None:
        loop = asyncio.get_running_loop()
        pulling = asyncio.current_task()
        assert pulling is not None

        def slow(text: str, root: Root) -> ProcessUser:
            loop.call_soon_threadsafe(pulling.cancel)
            time.sleep(0.2)  # in which whoever removes the folder has removed it
            return find_user(text, root)

        monkeypatch.setattr("eaa.services.image_pull.pull.find_user", slow)
        await guest.begin(f"{registry.address}/app:1")

    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(cancelled())
    assert (guest.rootfs / "file").read_bytes() == b"hello"
    assert (guest.bundle / "config.json").is_file()


def test_a_link_in_place_of_the_staging_folder(registry: Registry, guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").write_text("untouched")
    (guest.folder / ".bundle.unpacking").symlink_to(tmp_path / "elsewhere")
    assert code_of(guest, f"{registry.address}/app:1") == "storage.bundle"
    assert (tmp_path / "elsewhere/file").read_text() == "untouched"


@pytest.mark.parametrize("content", [b"x" * 10_000, b"x" * 10])
def test_a_partial_blob_that_is_none(
    registry: Registry, guest: Guest, tmp_path: Path, content: bytes
) -> None:
    guest.terms = replace(guest.terms, store=tmp_path / "store")
    partial = tmp_path / "store/sha256" / (digest(OPEN.layers[0].blob)[7:] + ".partial")
    partial.parent.mkdir(parents=True)
    partial.write_bytes(content)
    assert code_of(guest, f"{registry.address}/app:1") == "binding.blob_digest"
    assert not partial.exists()
    guest.pull(f"{registry.address}/app:1")


@pytest.mark.parametrize("target", ["", "file", "missing/bundle"])
def test_where_no_bundle_can_be(registry: Registry, guest: Guest, target: str) -> None:
    (guest.folder / "file").write_text("x")
    guest.bundle = guest.folder / target
    assert code_of(guest, f"{registry.address}/app:1") == "usage.into"


def test_an_empty_folder_will_do(registry: Registry, guest: Guest) -> None:
    guest.bundle.mkdir()
    guest.pull(f"{registry.address}/app:1")
    assert (guest.rootfs / "file").read_bytes() == b"hello"


def test_a_tag_and_a_digest(registry: Registry, guest: Guest) -> None:
    assert code_of(guest, f"{registry.address}/app:1@{digest(OPEN.manifest)}") == "usage.image"


def test_latest_if_nothing_is_said(registry: Registry, guest: Guest) -> None:
    push(registry, "app:latest", OPEN)
    guest.pull(f"{registry.address}/app")


@pytest.mark.parametrize(("good", "opens"), [(0, True), (1, True), (None, False)])
def test_several_recipients(registry: Registry, guest: Guest, good: int | None, opens: bool) -> None:
    """One key of two is this guest's."""
    layer = Layer(tar([entry("secret", b"closed")]), encrypted=True)
    mine = layer.annotations[KEYS_ANNOTATION]
    packet = json.loads(base64.b64decode(mine))
    packet["kid"] = "kbs:///default/image/another"
    other = base64.b64encode(json.dumps(packet).encode()).decode()
    packets = [other, other]
    if good is not None:
        packets[good] = mine
    layer.annotations[KEYS_ANNOTATION] = ",".join(packets)
    push(registry, f"recipients:{good}", Image([layer]))
    name = f"{registry.address}/recipients:{good}"
    if opens:
        guest.pull(name)
        assert (guest.rootfs / "secret").read_bytes() == b"closed"
    else:
        error = guest.refused(name)
        assert error.code == "signature.layer_keys"
        assert "none of 2 packets opens: 1: there is no kbs:///default/image/another" in str(error)


def index_of(manifest: bytes, media_type: str, architecture: str = "amd64") -> bytes:
    platform = {"os": "linux", "architecture": architecture}
    descriptor = {"digest": digest(manifest), "size": len(manifest), "platform": platform}
    manifests = [{"mediaType": media_type, **descriptor}]
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests}).encode()


def test_indexes_that_lead_nowhere(registry: Registry, guest: Guest) -> None:
    kind = "application/vnd.oci.image.manifest.v1+json"
    push_manifest(registry, "app", "arm", index_of(OPEN.manifest, kind, "arm64"), INDEX_TYPE)
    error = guest.refused(f"{registry.address}/app:arm")
    assert (error.code, "linux/arm64" in str(error)) == ("unsupported.platform", True)
    inner = index_of(OPEN.manifest, kind)
    push_manifest(registry, "app", "inner", inner, INDEX_TYPE)
    push_manifest(registry, "app", "outer", index_of(inner, INDEX_TYPE), INDEX_TYPE)
    assert guest.refused(f"{registry.address}/app:outer").code == "format.bad_value"
    push_manifest(registry, "app", "lying", index_of(inner, kind), INDEX_TYPE)
    assert guest.refused(f"{registry.address}/app:lying").code == "format.ambiguous"


def test_a_store_that_cannot_be_written(registry: Registry, guest: Guest) -> None:
    store = guest.folder / "store/sha256"
    store.mkdir(parents=True)
    name = digest(OPEN.layers[0].blob)[7:]
    (store / f"{name}.partial").mkdir()
    guest.terms = replace(guest.terms, store=guest.folder / "store")
    assert code_of(guest, f"{registry.address}/app:1") == "storage.blobs"
