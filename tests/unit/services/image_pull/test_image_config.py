"""Configuration in, ``config.json`` out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eaa.errors import FormatError
from eaa.services.image_pull.image_config import ImageConfig, parse_image_config
from eaa.services.image_pull.rooted import Root
from eaa.services.image_pull.runtime_config import runtime_config
from eaa.services.image_pull.users import ProcessUser, find_user

DIFF_ID = "sha256:" + "1" * 64
PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:50::/home/app:/bin/sh\nbad:x:many:0:::\nshort:x:1\n"
GROUP = "root:x:0:\nstaff:x:50:app\nmore:x:60:other,app\nodd:x:x:\n"


def document(config: Any = None, **changed: Any) -> bytes:
    rootfs = {"type": "layers", "diff_ids": [DIFF_ID]}
    return json.dumps({"rootfs": rootfs, "config": config, **changed}).encode()


def test_an_image_that_says_nothing() -> None:
    found = parse_image_config(document(), layers=1)
    assert [str(diff_id) for diff_id in found.diff_ids] == [DIFF_ID]
    made = runtime_config(found, ProcessUser(0, 0), rootless=None)
    assert made["process"]["args"] == ["/bin/sh"]
    assert made["process"]["cwd"] == "/"
    assert made["process"]["env"][0].startswith("PATH=/usr/local/sbin")


def test_an_image_that_says_everything() -> None:
    config = {
        "Entrypoint": ["/a"], "Cmd": ["b"], "Env": ["PATH=/x", "HOME=/y"], "WorkingDir": "/w", "User": "u",
        "Volumes": {"/data": {}}, "Labels": {"k": "v"}, "StopSignal": "SIGINT",
    }  # fmt: skip
    made = runtime_config(
        parse_image_config(document(config), layers=1), ProcessUser(1, 2, (3,), "/h"), rootless=None
    )
    process = made["process"]
    assert process["args"] == ["/a", "b"]
    assert process["env"] == ["PATH=/x", "HOME=/y"]
    assert process["cwd"] == "/w"
    assert process["user"] == {"uid": 1, "gid": 2, "additionalGids": [3]}
    assert made["annotations"] == {"k": "v", "org.opencontainers.image.stopSignal": "SIGINT"}
    assert [mount["destination"] for mount in made["mounts"]][-1] == "/data"
    assert "CAP_SYS_ADMIN" not in process["capabilities"]["effective"]
    assert {"type": "user"} not in made["linux"]["namespaces"]


def test_for_a_user_that_is_not_root() -> None:
    made = runtime_config(ImageConfig(()), ProcessUser(0, 0), rootless=(1000, 100))
    assert {"type": "user"} in made["linux"]["namespaces"]
    assert made["linux"]["uidMappings"] == [{"containerID": 0, "hostID": 1000, "size": 1}]
    assert "gid=5" not in json.dumps(made)


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        document(rootfs=None),
        document(rootfs={"type": "other", "diff_ids": [DIFF_ID]}),
        document(rootfs={"type": "layers", "diff_ids": []}),
        document(rootfs={"type": "layers", "diff_ids": [DIFF_ID, DIFF_ID]}),
        document(rootfs={"type": "layers", "diff_ids": DIFF_ID}),
        document([1]),
        document({"Cmd": "sh"}),
        document({"Cmd": [1]}),
        document({"Env": ["a\x00b"]}),
        document({"User": 1}),
        document({"Labels": {"a": 1}}),
        document({"Volumes": ["/x"]}),
    ],
)
def test_no_configuration(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_image_config(data, layers=1)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(PASSWD)
    (tmp_path / "etc/group").write_text(GROUP)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield Root(descriptor)
    os.close(descriptor)


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("", ProcessUser(0, 0, (), "/root")),
        ("app", ProcessUser(1000, 50, (60,), "/home/app")),
        ("1000", ProcessUser(1000, 50, (60,), "/home/app")),
        ("7", ProcessUser(7, 0)),
        ("7:8", ProcessUser(7, 8)),
        ("app:more", ProcessUser(1000, 60, (), "/home/app")),
        ("app:60", ProcessUser(1000, 60, (), "/home/app")),
        ("app:", ProcessUser(1000, 50, (60,), "/home/app")),
    ],
)
def test_users(root: Root, text: str, user: ProcessUser) -> None:
    assert find_user(text, root) == user


@pytest.mark.parametrize(
    "text", ["nobody", "short", "bad", "app:none", "app:odd", "99999999999", "4294967295", "٣"]
)
def test_no_user(root: Root, text: str) -> None:
    with pytest.raises(FormatError) as caught:
        find_user(text, root)
    assert caught.value.code == "format.user"


def test_users_of_an_image_without_files(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        assert find_user("", Root(descriptor)) == ProcessUser(0, 0)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../etc/passwd"])
def test_a_link_to_the_hosts_users_is_one_to_the_images(tmp_path: Path, target: str) -> None:
    """The host has root at least; the image has nobody."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").symlink_to(target)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        assert find_user("0", Root(descriptor)).home == "/"
        (tmp_path / "etc/passwd").unlink()
        (tmp_path / "etc/passwd").symlink_to("/real/users")
        (tmp_path / "real").mkdir()
        (tmp_path / "real/users").write_text("me:x:5:6::/me:\n")
        assert find_user("me", Root(descriptor)) == ProcessUser(5, 6, (), "/me")
        os.truncate(tmp_path / "real/users", 2 * 1024 * 1024)
        with pytest.raises(FormatError, match="more than"):
            find_user("me", Root(descriptor))
        (tmp_path / "real/users").unlink()
        os.mkfifo(tmp_path / "real/users")
        assert find_user("0", Root(descriptor)).home == "/", "a pipe is not waited for"
    finally:
        os.close(descriptor)
