"""The command: from the agent's options to a bundle, a line on stdout, and exit codes."""

from __future__ import annotations

import base64
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.pull_guest import ACCEPT
from tests.fakes.pull_images import KEK, Image, Layer, digest, entry, tar
from tests.fakes.pull_registry import push
from tests.fakes.registry import Registry

SECONDS = 60
IMAGE = Image(
    [Layer(tar([entry("file", b"hello")])), Layer(tar([entry("secret", b"closed")]), encrypted=True)]
)
REJECT = {"default": [{"type": "reject"}]}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("registry")) as running:
        push(running, "app:1", IMAGE)
        yield running


def agent(folder: Path, *arguments: object, policy: Any = None, keys: bool = True) -> list[str]:
    """The command line of an agent whose secrets are in files."""
    resources = {"default/security-policy/test": json.dumps(ACCEPT if policy is None else policy).encode()}
    for name, values in (
        ("resources", resources),
        ("keys", {"default/image/key": KEK} if keys else {}),
    ):
        packed = {key: base64.b64encode(value).decode() for key, value in values.items()}
        (folder / f"{name}.json").write_text(json.dumps(packed))
    return [
        sys.executable, "-m", "eaa.cli.attestation_agent", "--aa-kbc-params", "offline_fs_kbc::null",
        "--offline-keys", str(folder / "keys.json"), "--offline-resources", str(folder / "resources.json"),
        *map(str, arguments),
    ]  # fmt: skip


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


def test_pulled(registry: Registry, tmp_path: Path) -> None:
    name = f"{registry.address}/app:1"
    done = run(agent(tmp_path, "pull", name, "--into", tmp_path / "bundle"))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{registry.address}/app@{digest(IMAGE.manifest)}\n"
    assert (tmp_path / "bundle/rootfs/secret").read_bytes() == b"closed"
    assert "accepted by the policy at default" in done.stderr
    assert "layer 2" in done.stderr
    assert "\x1b" not in done.stderr, "no progress line without a terminal"


def test_progress_on_a_terminal(registry: Registry, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = agent(tmp_path, "pull", f"{registry.address}/app:1", "--into", tmp_path / "bundle")
    with open(ours, "rb", buffering=0) as terminal:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        said = b""
        while True:
            try:
                part = terminal.read(4096)
            except OSError:  # the other end is closed
                break
            said += part or b""
            if not part:
                break
        assert process.wait(SECONDS) == 0, said.decode()
    assert b"MiB" in said


@pytest.mark.parametrize(
    ("options", "image", "code", "words"),
    [
        ({"policy": REJECT}, "app:1", 10, "access_denied.image_rejected"),
        ({"policy": {}}, "app:1", 30, "format.image_policy"),
        ({"keys": False}, "app:1", 1, "layer 2 of 2"),
        ({}, "none:1", 1, "resource_not_found.registry"),
        ({}, "Upper:1", 30, "format.image_reference"),
    ],
)
def test_refused(
    registry: Registry, tmp_path: Path, options: dict[str, Any], image: str, code: int, words: str
) -> None:
    command = agent(tmp_path, "pull", f"{registry.address}/{image}", "--into", tmp_path / "bundle", **options)
    done = run(command)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert not (tmp_path / "bundle").exists()


def test_options(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_text(json.dumps(ACCEPT))
    name = f"{registry.address}/app:1"
    arguments = ["pull", name, "--into", tmp_path / "bundle", "--policy", tmp_path / "policy.json"]
    done = run(agent(tmp_path, *arguments, "--store", tmp_path / "store", policy=REJECT))
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "store/sha256").iterdir())) == 2
    wrong: list[tuple[list[object], str]] = [
        ([], "is there already"),
        (["--registry-ca", tmp_path / "none"], "none"),
        (["--platform", "x"], "format.platform"),
    ]
    for more, words in wrong:
        done = run(agent(tmp_path, *arguments, *more))
        assert done.returncode in {2, 30}, done.stderr
        assert words in done.stderr
