"""What tests of ``verdict image`` share: a server, a registry, a skopeo, an image; and the command itself."""

from __future__ import annotations

import base64
import json
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eaa.cli import verdict_main
from eaa.oci.annotation import KEYS_ANNOTATION
from tests.cli.running import Run
from tests.fakes.admin_server import AdminServer
from tests.fakes.registry import Registry
from tests.fakes.skopeo import Layout, Skopeo, busybox_image

__all__ = [
    "KID",
    "change_packet",
    "copied",
    "encrypted",
    "image_environment",
    "key_of",
    "make_image",
    "make_layout",
    "make_registry",
    "make_server",
    "make_skopeo",
    "sealed_layout",
    "verdict",
]

KID = "kbs:///default/key/image"
CONTENTS = (b"two\n" * 1000, secrets.token_bytes(1 << 20))


@pytest.fixture(name="skopeo", scope="module")
def make_skopeo(tmp_path_factory: pytest.TempPathFactory) -> Skopeo:
    return Skopeo.installed(tmp_path_factory.mktemp("skopeo"))


@pytest.fixture(name="registry", scope="module")
def make_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("registry")) as started:
        yield started


@pytest.fixture(name="server", scope="module")
def make_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdminServer]:
    with AdminServer(tmp_path_factory.mktemp("state") / "admin") as running:
        yield running


@pytest.fixture(name="image", scope="module")
def make_image(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return busybox_image(tmp_path_factory.mktemp("image"), *CONTENTS)


@pytest.fixture(name="layout")
def make_layout(image: Layout, tmp_path: Path) -> Layout:
    """An image of three layers, which a test may spoil."""
    return Layout(Path(shutil.copytree(image.folder, tmp_path / "image")))


@pytest.fixture
def image_environment(server: AdminServer, skopeo: Skopeo, monkeypatch: pytest.MonkeyPatch) -> None:
    """``verdict`` asks ``server`` and runs ``skopeo``."""
    monkeypatch.setenv("VERDICTD_URL", server.url)
    monkeypatch.setenv("VERDICT_ADMIN_KEY", str(server.key_file))
    monkeypatch.setenv("VERDICT_SKOPEO", str(skopeo.program))


def verdict(*arguments: object) -> Run:
    """``verdict`` in this process."""
    result = CliRunner().invoke(verdict_main.verdict, [str(item) for item in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Run(result.exit_code, result.stdout, result.stderr)


def copied(command: str, src: str, dst: str, *options: object) -> Run:
    plain = ("--insecure-policy", "--no-src-tls-verify", "--no-dest-tls-verify")
    return verdict("image", command, *plain, *options, src, dst)


def encrypted(src: str, dst: str, *options: object) -> dict[str, Any]:
    done = copied("encrypt", src, dst, "-o", "json", "--key-id", KID, *options)
    assert done.code == 0, done
    return done.json


def sealed_layout(layout: Layout, tmp_path: Path) -> Layout:
    """``layout`` encrypted, in a layout of its own."""
    sealed = Layout(tmp_path / "sealed")
    encrypted(layout.image, sealed.image)
    return sealed


def key_of(kid: str) -> bytes:
    """The key that verdictd has."""
    result = CliRunner().invoke(verdict_main.verdict, ["resource", "get", kid.removeprefix("kbs:///")])
    assert result.exit_code == 0, result.output
    return result.stdout_bytes


def change_packet(layout: Layout, number: int, **changes: Any) -> None:
    """Change members of the packet of one layer."""
    manifest = layout.manifest
    annotations = manifest["layers"][number]["annotations"]
    packet = json.loads(base64.b64decode(annotations[KEYS_ANNOTATION])) | changes
    annotations[KEYS_ANNOTATION] = base64.b64encode(json.dumps(packet).encode()).decode()
    layout.write(manifest)
