"""``verdict image`` with a real skopeo where something is wrong: each error names the layer and the cause."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from eaa.cli import verdict_image_provider, verdict_image_skopeo
from eaa.cli.verdict_image_provider import key_provider
from eaa.errors import AccessDenied, ConfigError
from eaa.oci.annotation import KEYS_ANNOTATION
from eaa.oci.layer_cipher import PUBLIC_OPTIONS_ANNOTATION
from tests.cli.running import process_env
from tests.cli.serving import argv, until
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
    make_server,
    make_skopeo,
    sealed_layout,
    verdict,
)

pytestmark = pytest.mark.usefixtures("image_environment")


class TestDecryptionThatFails:
    """Each names the layer and the cause."""

    def test_a_key_id_that_nobody_knows(self, layout: Layout, tmp_path: Path) -> None:
        sealed = sealed_layout(layout, tmp_path)
        change_packet(sealed, 1, kid="kbs:///default/key/nobody")
        done = copied("decrypt", sealed.image, f"oci:{tmp_path / 'back'}:v1")
        assert done.code == 1
        assert f"layer 2 of 3 ({sealed.layers[1]['digest']})" in done.err
        assert "[resource_not_found" in done.err

    def test_another_key(self, layout: Layout, tmp_path: Path) -> None:
        sealed = sealed_layout(layout, tmp_path)
        (tmp_path / "other").write_bytes(secrets.token_bytes(32))
        assert verdict("resource", "put", "default/key/other", tmp_path / "other").code == 0
        change_packet(sealed, 2, kid="kbs:///default/key/other")
        done = copied("decrypt", sealed.image, f"oci:{tmp_path / 'back'}:v1")
        assert done.code == 10
        assert "layer 3 of 3" in done.err
        assert "[signature.wrapped_key]" in done.err

    def test_a_key_of_another_length(self, layout: Layout, tmp_path: Path) -> None:
        sealed = sealed_layout(layout, tmp_path)
        (tmp_path / "short").write_bytes(b"short")
        assert verdict("resource", "put", "default/key/short", tmp_path / "short").code == 0
        change_packet(sealed, 0, kid="kbs:///default/key/short")
        done = copied("decrypt", sealed.image, f"oci:{tmp_path / 'back'}:v1")
        assert (done.code, "layer 1 of 3" in done.err, "[format.kek]" in done.err) == (30, True, True)

    def test_a_corrupted_annotation(self, layout: Layout, tmp_path: Path) -> None:
        sealed = sealed_layout(layout, tmp_path)
        manifest = sealed.manifest
        manifest["layers"][0]["annotations"][KEYS_ANNOTATION] = base64.b64encode(b'{"kid":').decode()
        sealed.write(manifest)
        done = copied("decrypt", sealed.image, f"oci:{tmp_path / 'back'}:v1")
        assert (done.code, "layer 1 of 3" in done.err, "[format.not_json]" in done.err) == (30, True, True)

    @pytest.mark.parametrize(
        "change",
        [lambda data: data[:-100], lambda data: bytes([data[0] ^ 1]) + data[1:]],
        ids=["cut", "flipped"],
    )
    def test_a_changed_layer(self, layout: Layout, tmp_path: Path, change: Any) -> None:
        sealed = sealed_layout(layout, tmp_path)
        sealed.change_blob(1, change)
        done = copied("decrypt", sealed.image, f"oci:{tmp_path / 'back'}:v1")
        assert done.code == 1
        assert f"layer 2 of 3 ({sealed.layers[1]['digest']})" in done.err
        assert "hmac" in done.err

    def test_an_agent_that_does_not_answer(self, layout: Layout, tmp_path: Path) -> None:
        sealed = sealed_layout(layout, tmp_path)
        done = copied("decrypt", sealed.image, f"oci:{tmp_path / 'back'}:v1", "--agent", "127.0.0.1:1")
        assert done.code == 40
        assert "layer 1 of 3" in done.err
        assert "no answer from the agent at 127.0.0.1:1" in done.err

    def test_an_image_that_is_not_encrypted(self, layout: Layout, tmp_path: Path) -> None:
        done = copied("decrypt", layout.image, f"oci:{tmp_path / 'back'}:v1")
        assert (done.code, "[usage.not_encrypted]" in done.err) == (2, True)


def test_skopeo_itself_names_the_layer_and_where_it_asked(
    layout: Layout, skopeo: Skopeo, tmp_path: Path
) -> None:
    sealed = sealed_layout(layout, tmp_path)
    config = tmp_path / "down.json"
    config.write_text(json.dumps({"key-providers": {"attestation-agent": {"grpc": "127.0.0.1:1"}}}))
    key = "provider:attestation-agent:x"
    opening = skopeo.copy("--decryption-key", key, sealed.image, f"oci:{tmp_path / 'a'}:v1", provider=config)
    assert (opening.code, sealed.layers[0]["digest"] in opening.err) == (1, True)
    sealing = skopeo.copy("--encryption-key", key, layout.image, f"oci:{tmp_path / 'b'}:v1", provider=config)
    assert (sealing.code, "127.0.0.1:1" in sealing.err) == (1, True)


def test_a_folder_for_temporary_files_whose_name_is_long(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("long" * 25)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    sealed = sealed_layout(layout, tmp_path)
    assert copied("decrypt", sealed.image, f"oci:{tmp_path / 'back'}:v1").code == 0


def test_a_key_provider_that_cannot_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ("long" * 25)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(verdict_image_provider, "_SOCKET_NAME_BYTES", 1000)
    with pytest.raises(ConfigError, match="cannot listen on") as caught, key_provider():
        raise AssertionError("it listens")
    assert caught.value.code == "config.key_provider"
    assert not list(folder.iterdir())


def test_skopeo_shows_why_a_key_is_not_wrapped(layout: Layout, skopeo: Skopeo, tmp_path: Path) -> None:
    with key_provider(unwrap=lambda data: data) as provider:
        done = skopeo.copy(
            "--encryption-key", "provider:attestation-agent:x", layout.image, f"oci:{tmp_path / 'b'}:v1",
            provider=Path(provider.config),
        )  # fmt: skip
    assert (done.code, "asked to wrap a key while an image is decrypted" in done.err) == (1, True)


class TestRefusedBeforeAnythingIsDone:
    def test_an_image_that_is_nowhere(self, tmp_path: Path) -> None:
        kid = "kbs:///default/key/never-made"
        done = copied("encrypt", f"oci:{tmp_path / 'no'}:v1", f"oci:{tmp_path / 'out'}:v1", "--key-id", kid)
        assert (done.code, "no such file" in done.err) == (1, True)
        assert verdict("resource", "get", "default/key/never-made").code == 1

    def test_an_image_that_is_encrypted(self, layout: Layout, tmp_path: Path) -> None:
        sealed = sealed_layout(layout, tmp_path)
        done = copied("encrypt", sealed.image, f"oci:{tmp_path / 'out'}:v1")
        assert (done.code, "layer 1 of 3" in done.err, "it is encrypted" in done.err) == (1, True, True)

    def test_no_skopeo(self, layout: Layout, tmp_path: Path) -> None:
        done = copied("encrypt", layout.image, f"oci:{tmp_path}:x", "--skopeo", "/nowhere/skopeo")
        assert (done.code, "Install a skopeo" in done.err) == (2, True)

    def test_a_skopeo_that_knows_no_providers(self, layout: Layout, tmp_path: Path) -> None:
        old = tmp_path / "old"
        old.write_text(
            "#!/bin/sh\necho 'Invalid encryption keys: Provided protocol not recognized' >&2\nexit 1\n"
        )
        old.chmod(0o755)
        kid = "kbs:///default/key/never-made"
        done = copied("encrypt", layout.image, f"oci:{tmp_path}:x", "--skopeo", old, "--key-id", kid)
        assert (done.code, "cannot ask a key provider" in done.err) == (2, True)
        assert verdict("resource", "get", "default/key/never-made").code == 1

    @pytest.mark.parametrize(
        ("options", "code", "said"),
        [
            (("--key-id", "just-a-name"), 2, "usage.key_id"),
            (("--key-id", "kbs:///default/key"), 30, "format.key_id"),
            (("--recipient", "provider:x:y"), 2, "usage.recipient"),
            (("--policy", "/etc/policy.json"), 2, "either --policy or --insecure-policy"),
        ],
    )
    def test_options(
        self, layout: Layout, tmp_path: Path, options: tuple[str, ...], code: int, said: str
    ) -> None:
        done = copied("encrypt", layout.image, f"oci:{tmp_path / 'out'}:x", *options)
        assert (done.code, said in done.err) == (code, True), done
        assert not (tmp_path / "out").exists()

    def test_a_disabled_key(self, layout: Layout, tmp_path: Path) -> None:
        (tmp_path / "key").write_bytes(secrets.token_bytes(32))
        assert verdict("resource", "put", "default/key/off", tmp_path / "key").code == 0
        assert verdict("resource", "disable", "default/key/off").code == 0
        done = copied(
            "encrypt", layout.image, f"oci:{tmp_path / 'out'}:x", "--key-id", "kbs:///default/key/off"
        )
        assert (done.code, "[usage.key_disabled]" in done.err) == (2, True)


#: Goes on as the real program.
REAL = 'exec "$REAL_SKOPEO" "$@"'


@pytest.fixture(autouse=True)
def real_skopeo(skopeo: Skopeo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAL_SKOPEO", str(skopeo.program))


def script(folder: Path, text: str, mode: int = 0o755) -> Path:
    """A program to take for skopeo."""
    program = folder / "program"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(mode)
    return program


def address_of(config: str) -> str:
    """Where the key provider of an ocicrypt configuration listens."""
    found: str = json.loads(Path(config).read_text())["key-providers"]["attestation-agent"]["grpc"]
    return found


def as_index(layout: Layout, **platform: str) -> None:
    """Put an index around the image."""
    document = json.loads((layout.folder / "index.json").read_bytes())
    inner = {key: value for key, value in document["manifests"][0].items() if key != "annotations"}
    kind = "application/vnd.oci.image.index.v1+json"
    layout.write({"schemaVersion": 2, "mediaType": kind, "manifests": [inner | {"platform": platform}]})
    document = json.loads((layout.folder / "index.json").read_bytes())
    document["manifests"][0]["mediaType"] = kind
    (layout.folder / "index.json").write_text(json.dumps(document))


class TestAnAgent:
    @pytest.mark.parametrize("address", ["192.0.2.1:50000", "agent.example:50000", "unix:relative", ""])
    def test_one_on_another_machine(self, address: str) -> None:
        done = verdict("image", "decrypt", "--agent", address, "oci:x:y", "oci:z:y")
        assert (done.code, "[usage.agent]" in done.err) == (2, True)

    def test_one_that_refuses(self, layout: Layout, tmp_path: Path) -> None:
        def refuse(_: bytes) -> bytes:
            raise AccessDenied("the policy does not grant default/key/image", detail="policy")

        sealed = sealed_layout(layout, tmp_path)
        with key_provider(unwrap=refuse) as agent:
            address = address_of(agent.config)
            done = copied("decrypt", sealed.image, f"oci:{tmp_path / 'back'}:v1", "--agent", address)
        assert done.code == 10
        assert "layer 1 of 3" in done.err
        assert "the policy does not grant default/key/image [permission_denied]" in done.err

    def test_one_that_only_wraps(self, layout: Layout, tmp_path: Path) -> None:
        sealed = sealed_layout(layout, tmp_path)
        with key_provider(wrap=lambda data: data) as agent:
            address = address_of(agent.config)
            done = copied("decrypt", sealed.image, f"oci:{tmp_path / 'back'}:v1", "--agent", address)
        assert (done.code, "asked to unwrap a key while an image is encrypted" in done.err) == (10, True)


class TestAnIndex:
    """skopeo chooses the image, so the key provider is the first to know what is wrong with it."""

    def test_it_is_opened(self, layout: Layout, tmp_path: Path) -> None:
        sealed, back = sealed_layout(layout, tmp_path), Layout(tmp_path / "back")
        as_index(sealed, os="linux", architecture="amd64")
        assert "linux/amd64" in verdict("image", "inspect", sealed.image).out
        done = copied("decrypt", sealed.image, back.image)
        assert done.code == 0, done
        assert back.layers == layout.layers

    def test_a_key_id_that_nobody_knows(self, layout: Layout, tmp_path: Path) -> None:
        sealed = sealed_layout(layout, tmp_path)
        for number in range(3):
            change_packet(sealed, number, kid="kbs:///default/key/nobody")
        as_index(sealed, os="linux", architecture="amd64")
        done = copied("decrypt", sealed.image, f"oci:{tmp_path / 'back'}:v1")
        assert done.code == 1
        assert "Error decrypting layer sha256:" in done.err
        assert "[resource_not_found" in done.err


class TestLayersOfOthers:
    def test_one_that_only_another_scheme_opens(self, layout: Layout, tmp_path: Path) -> None:
        sealed = sealed_layout(layout, tmp_path)
        manifest = sealed.manifest
        del manifest["layers"][2]["annotations"][KEYS_ANNOTATION]
        sealed.write(manifest)
        done = copied("decrypt", sealed.image, f"oci:{tmp_path / 'back'}:v1")
        assert (
            done.code,
            f"layer 3 of 3 ({sealed.layers[2]['digest']}): it has no {KEYS_ANNOTATION}" in done.err,
        ) == (1, True)

    def test_one_of_two_packets_opens_it(self, layout: Layout, tmp_path: Path) -> None:
        sealed = sealed_layout(layout, tmp_path)
        manifest = sealed.manifest
        annotations = manifest["layers"][0]["annotations"]
        annotations[KEYS_ANNOTATION] = base64.b64encode(b"{}").decode() + "," + annotations[KEYS_ANNOTATION]
        sealed.write(manifest)
        keys = verdict("image", "inspect", "-o", "json", sealed.image).json["layers"][0]["keys"]
        assert "[format.missing]" in keys[0]["error"]
        assert keys[1] == {"kid": KID, "wrap_type": "A256GCM"}
        assert copied("decrypt", sealed.image, f"oci:{tmp_path / 'back'}:v1").code == 0

    def test_an_annotation_that_is_none(self, layout: Layout, tmp_path: Path) -> None:
        sealed = sealed_layout(layout, tmp_path)
        manifest = sealed.manifest
        manifest["layers"][0]["annotations"][KEYS_ANNOTATION] = "!"
        sealed.write(manifest)
        assert "[format.bad_value]" in verdict("image", "inspect", sealed.image).out
        done = copied("decrypt", sealed.image, f"oci:{tmp_path / 'back'}:v1")
        assert (done.code, "layer 1 of 3" in done.err, "[format.bad_value]" in done.err) == (30, True, True)


class TestAProgramThatIsNoSkopeo:
    def test_none(self) -> None:
        done = verdict("image", "inspect", "--skopeo", "/nowhere/skopeo", "oci:x:y")
        assert (done.code, "Install a skopeo" in done.err) == (2, True)

    def test_one_that_may_not_be_run(self, tmp_path: Path) -> None:
        program = script(tmp_path, "true", 0o644)
        done = verdict("image", "inspect", "--skopeo", program, "oci:x:y")
        assert (done.code, f"cannot run {program}" in done.err) == (2, True)

    def test_one_that_does_not_end(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(verdict_image_skopeo, "_SECONDS", 0.1)
        done = verdict("image", "inspect", "--skopeo", script(tmp_path, "exec sleep 30"), "oci:x:y")
        assert (done.code, "no end after" in done.err) == (1, True)

    def test_one_that_copies_without_encrypting(self, layout: Layout, tmp_path: Path) -> None:
        dst = f"oci:{tmp_path / 'out'}:v1"
        plain = f'[ "$2" = copy ] && set -- --insecure-policy copy {layout.image} {dst}'
        program = script(tmp_path, f"{plain}\n{REAL}")
        done = copied("encrypt", layout.image, dst, "--skopeo", program, "--key-id", KID)
        assert (done.code, "it is not encrypted, though skopeo says nothing" in done.err) == (1, True)


def test_sigterm_ends_skopeo_too_and_leaves_no_file(layout: Layout, tmp_path: Path) -> None:
    dst, started = f"oci:{tmp_path / 'out'}:v1", tmp_path / "started"
    waits = f"echo $$ > {started}.new; mv {started}.new {started}; exec sleep 60"
    program = script(tmp_path, f'case "$*" in *" {layout.image} {dst}") {waits};; esac\n{REAL}')
    options = ("--insecure-policy", "--skopeo", program, "--key-id", KID)
    command = argv("verdict_main", "image", "encrypt", *options, layout.image, dst)
    with (
        tempfile.TemporaryDirectory() as scratch,
        subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env=process_env({"TMPDIR": scratch})
        ) as process,
    ):
        until(started.exists)
        assert os.listdir(scratch)
        process.terminate()
        _, said = process.communicate(timeout=20)
        assert (process.returncode, f"key {KID} stays at verdictd" in said) == (143, True)
        assert not os.listdir(scratch)
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


class TestWhatIsReadAfterwards:
    """A program that copies something else: what is at the destination counts, not what it says."""

    def encrypt(self, layout: Layout, other: Layout, tmp_path: Path) -> str:
        program = script(tmp_path, f'[ "$2" = copy ] && exec cp -r {other.folder} {tmp_path / "out"}\n{REAL}')
        dst = f"oci:{tmp_path / 'out'}:v1"
        done = copied("encrypt", layout.image, dst, "--skopeo", program, "--key-id", KID)
        assert done.code in (1, 2, 30), done
        return done.err

    def test_another_key(self, layout: Layout, tmp_path: Path) -> None:
        other = sealed_layout(layout, tmp_path)
        change_packet(other, 1, kid="kbs:///default/key/other")
        assert f"{KID} does not open it" in self.encrypt(layout, other, tmp_path)

    def test_an_annotation_that_is_none(self, layout: Layout, tmp_path: Path) -> None:
        other = sealed_layout(layout, tmp_path)
        change_packet(other, 1, kid="")
        assert "[format.name]" in self.encrypt(layout, other, tmp_path)

    def test_an_index(self, layout: Layout, tmp_path: Path) -> None:
        other = sealed_layout(layout, tmp_path)
        as_index(other, os="linux", architecture="amd64")
        assert "[usage.index]" in self.encrypt(layout, other, tmp_path)


class TestWhatSkopeoSays:
    def test_of_an_image_that_its_policy_rejects(self, layout: Layout, tmp_path: Path) -> None:
        policy = tmp_path / "policy.json"
        policy.write_text('{"default": [{"type": "reject"}]}')
        dst = f"oci:{tmp_path / 'out'}:v1"
        done = verdict("image", "encrypt", "--policy", policy, "--key-id", KID, layout.image, dst)
        assert (done.code, "rejected by policy" in done.err) == (1, True)

    def test_of_a_layer(self, layout: Layout, tmp_path: Path) -> None:
        digest = layout.layers[1]["digest"]
        program = script(tmp_path, f'[ "$2" = copy ] && echo "no room for {digest}" >&2 && exit 1\n{REAL}')
        dst = f"oci:{tmp_path / 'out'}:v1"
        done = copied("encrypt", layout.image, dst, "--skopeo", program, "--key-id", KID)
        assert (done.code, f"layer 2 of 3 ({digest}): copying" in done.err) == (1, True)

    def test_of_public_options_that_are_none(self, layout: Layout, tmp_path: Path) -> None:
        sealed = sealed_layout(layout, tmp_path)
        manifest = sealed.manifest
        manifest["layers"][0]["annotations"][PUBLIC_OPTIONS_ANNOTATION] = "!"
        sealed.write(manifest)
        done = copied("decrypt", sealed.image, f"oci:{tmp_path / 'back'}:v1")
        assert (done.code, "illegal base64 data" in done.err) == (1, True)
        program = script(tmp_path, f'[ "$2" = copy ] && echo "no room" >&2 && exit 1\n{REAL}')
        done = copied("decrypt", sealed.image, f"oci:{tmp_path / 'back'}:v1", "--skopeo", program)
        assert done.err.startswith(f"Error: copying {sealed.image} to ")


def test_an_image_of_which_one_layer_is_not_encrypted(layout: Layout, tmp_path: Path) -> None:
    sealed, back = sealed_layout(layout, tmp_path), Layout(tmp_path / "back")
    manifest = sealed.manifest
    plain = manifest["layers"][0] = layout.layers[0]
    sealed.blob(plain["digest"]).write_bytes(layout.blob(plain["digest"]).read_bytes())
    sealed.write(manifest)
    done = copied("decrypt", sealed.image, back.image)
    assert done.code == 0, done
    assert back.layers == layout.layers


def test_a_key_that_somebody_else_makes_at_the_same_time(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are first, after we have looked: theirs stays, ours is gone."""
    theirs = secrets.token_bytes(32)
    (tmp_path / "key").write_bytes(theirs)
    assert verdict("resource", "put", "default/key/raced", tmp_path / "key").code == 0
    monkeypatch.setattr("eaa.cli.verdict_image_keys.pages", lambda *_: iter(()))
    kid = "kbs:///default/key/raced"
    done = copied("encrypt", layout.image, f"oci:{tmp_path / 'out'}:v1", "--key-id", kid)
    assert (done.code, "[conflict.key_created]" in done.err) == (2, True)
    assert not (tmp_path / "out").exists()
    assert key_of(kid) == theirs
