"""Encrypted by the real skopeo and ocicrypt, a packet for each layer; opened by the pull, run by runc."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eaa.cli.verdict_image_provider import key_provider
from eaa.oci.annotation import encode_annotation
from eaa.oci.key_id import parse_key_id
from eaa.oci.layer_key import wrap_options
from tests.fakes.pull_guest import Guest
from tests.fakes.pull_images import KEK, KID
from tests.fakes.registry import Registry
from tests.fakes.runc import run_bundle
from tests.fakes.skopeo import Skopeo, busybox_image


def wrap(options: bytes) -> bytes:
    packet = wrap_options(options, kek=KEK, kid=parse_key_id(KID), iv=os.urandom(12))
    return encode_annotation(packet)


@pytest.mark.parametrize("kinds", [("gzip", "gzip", "gzip"), ("none", "zstd", "gzip")], ids=["gzip", "mixed"])
def test_what_skopeo_encrypted_runs(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    """What skopeo compresses on its way to a registry has the digest from before in its options."""
    skopeo, content = Skopeo.installed(tmp_path), os.urandom(300_000)
    layout = busybox_image(tmp_path, content, b"second")
    layout.recompress(*kinds)
    guest = Guest(tmp_path / "guest")
    with Registry(tmp_path / "registry") as registry:
        with key_provider(wrap=wrap) as provider:
            done = skopeo.copy(
                "--encryption-key", "provider:attestation-agent:x", layout.image, registry.image("app:1"),
                provider=Path(provider.config),
            )  # fmt: skip
        assert done.code == 0, done.err
        encrypted = skopeo.manifest(registry.image("app:1"))["layers"]
        assert all(layer["mediaType"].endswith("+encrypted") for layer in encrypted)
        pulled = guest.pull(f"{registry.address}/app:1")
    assert (pulled.layers, guest.secrets.asked) == (3, [KID] * 3)
    assert (guest.rootfs / "file-1").read_bytes() == content
    assert run_bundle(guest.bundle, tmp_path) == ""
