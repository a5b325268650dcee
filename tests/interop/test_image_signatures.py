"""Signatures that real tools make: GnuPG by way of skopeo, and OpenSSL in cosign's format.

Where Debian's skopeo can decide too, it has to decide the same.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from eaa.errors import SignatureError
from eaa.services.image_pull.openpgp import SequoiaOpenPgp
from tests.fakes.bit_flips import flips
from tests.fakes.pull_guest import Guest
from tests.fakes.pull_images import Image, Layer, digest, entry, tar
from tests.fakes.pull_registry import MANIFEST_TYPE, push, push_blob, push_manifest
from tests.fakes.registry import Registry
from tests.fakes.skopeo import require_program

SECONDS = 60
PAYLOAD_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def guest(tmp_path: Path) -> Guest:
    return Guest(tmp_path / "guest")


def image(text: str) -> Image:
    return Image([Layer(tar([entry("file", text.encode())]))])


@dataclass
class Gpg:
    """A home of GnuPG with two keys, a lookaside store, and skopeo set up for both."""

    home: Path
    store: Path
    registries: Path
    owner: str = ""
    stranger: str = ""

    def run(self, *arguments: object) -> bytes:
        gpg = require_program("gpg", "gpg")
        return subprocess.run(
            [gpg, "--homedir", str(self.home), "--batch", "--quiet", *map(str, arguments)],
            capture_output=True, timeout=SECONDS, check=True,
        ).stdout  # fmt: skip

    def skopeo(self, *arguments: object) -> subprocess.CompletedProcess[bytes]:
        skopeo = require_program("skopeo", "skopeo")
        return subprocess.run(
            [skopeo, "--registries.d", str(self.registries), *map(str, arguments)],
            capture_output=True,
            timeout=SECONDS,
            check=False,
            env={**os.environ, "GNUPGHOME": str(self.home)},
        )

    def sign(self, name: str, key: str) -> None:
        """Copy the image onto itself, signed by ``key``."""
        plain = ("--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false")
        done = self.skopeo("copy", *plain, "--sign-by", key, f"docker://{name}", f"docker://{name}")
        assert done.returncode == 0, done.stderr.decode()

    def allows(self, name: str, policy: Any, folder: Path) -> bool:
        """Whether skopeo takes the image under ``policy``."""
        file = folder / "skopeo-policy.json"
        file.write_text(json.dumps(policy))
        target = folder / f"copied-{len(list(folder.iterdir()))}"
        done = self.skopeo(
            "--policy", file, "copy", "--src-tls-verify=false", f"docker://{name}", f"dir:{target}"
        )
        return done.returncode == 0


@pytest.fixture(scope="module")
def gpg(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Iterator[Gpg]:
    # Not below pytest's own folder: the name of the agent's socket has to be short.
    folder = tmp_path_factory.mktemp("g")
    made = Gpg(folder / "home", folder / "store", folder / "registries.d")
    made.home.mkdir(mode=0o700)
    made.registries.mkdir()
    config = f"default-docker:\n  sigstore: file://{made.store}\n  sigstore-staging: file://{made.store}\n"
    (made.registries / "default.yaml").write_text(config)
    for name in ("owner", "stranger"):
        made.run("--passphrase", "", "--quick-gen-key", f"{name}@example.org", "ed25519", "sign", "never")
        made.run("--armor", "--output", folder / f"{name}.asc", "--export", f"{name}@example.org")
        listed = made.run("--with-colons", "--list-keys", f"{name}@example.org").decode()
        fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))
        setattr(made, name, fingerprint)
    yield made
    subprocess.run(["gpgconf", "--homedir", str(made.home), "--kill", "all"], check=False, timeout=SECONDS)


def signed_by(gpg: Gpg, name: str = "owner", /, **members: Any) -> dict[str, object]:
    ring = str(gpg.home.parent / f"{name}.asc")
    requirement = {"type": "signedBy", "keyType": "GPGKeys", "keyPath": ring, **members}
    return {"default": [{"type": "reject"}], "transports": {"docker": {"": [requirement]}}}


def outcome(guest: Guest, name: str) -> str:
    """``accepted``, or the code of the refusal."""
    try:
        guest.pull(name)
    except Exception:
        return guest.refused(name).code
    for inside, _, files in os.walk(guest.bundle, topdown=False):
        for file in files:
            Path(inside, file).unlink()
        Path(inside).rmdir()
    return "accepted"


def test_gpg_signatures_decided_as_skopeo_decides(
    registry: Registry, guest: Guest, gpg: Gpg, tmp_path: Path
) -> None:
    guest.lookaside = str(gpg.registries / "default.yaml")
    signed, unsigned = f"{registry.address}/gpg/signed:1", f"{registry.address}/gpg/unsigned:1"
    stranger, moved = f"{registry.address}/gpg/stranger:1", f"{registry.address}/gpg/moved:1"
    push(registry, "gpg/signed:1", image("signed"))
    push(registry, "gpg/unsigned:1", image("unsigned"))
    push(registry, "gpg/stranger:1", image("by a stranger"))
    gpg.sign(signed, gpg.owner)
    gpg.sign(stranger, gpg.stranger)
    original = image("signed")
    push(registry, "gpg/moved:1", original)
    where = gpg.store / "gpg"
    (where / f"moved@sha256={digest(original.manifest)[7:]}").symlink_to(
        where / f"signed@sha256={digest(original.manifest)[7:]}"
    )
    push(registry, "gpg/signed:2", original)
    by_digest = f"{registry.address}/gpg/signed@{digest(original.manifest)}"
    repository: dict[str, Any] = {"signedIdentity": {"type": "matchRepository"}}
    exact: dict[str, Any] = {"signedIdentity": {"type": "matchExact"}}
    of_signed: dict[str, Any] = {
        "signedIdentity": {"type": "exactRepository", "dockerRepository": signed[:-2]}
    }
    remap: dict[str, Any] = {
        "signedIdentity": {
            "type": "remapIdentity", "prefix": moved[:-2], "signedPrefix": signed[:-2]
        }
    }  # fmt: skip
    for name, policy, expected in [
        (signed, signed_by(gpg), "accepted"),
        (by_digest, signed_by(gpg), "accepted"),
        (by_digest, signed_by(gpg, **exact), "binding.image_identity"),
        (signed, signed_by(gpg, "stranger"), "signature.image_signature_key"),
        (stranger, signed_by(gpg), "signature.image_signature_key"),
        (stranger, signed_by(gpg, "stranger"), "accepted"),
        (unsigned, signed_by(gpg), "signature.image_unsigned"),
        (moved, signed_by(gpg), "binding.image_identity"),
        (moved, signed_by(gpg, **repository), "binding.image_identity"),
        (moved, signed_by(gpg, **of_signed), "accepted"),
        (moved, signed_by(gpg, **remap), "accepted"),
        (f"{signed[:-2]}:2", signed_by(gpg), "binding.image_identity"),
        (f"{signed[:-2]}:2", signed_by(gpg, **repository), "accepted"),
    ]:
        guest.policy = policy
        assert outcome(guest, name) == expected, (name, policy)
        assert gpg.allows(name, policy, tmp_path) is (expected == "accepted"), (name, policy)


def test_a_gpg_signature_of_another_image(registry: Registry, guest: Guest, gpg: Gpg, tmp_path: Path) -> None:
    """Genuine, by the right key, for the right name, and of yesterday's image."""
    guest.lookaside, guest.policy = str(gpg.registries / "default.yaml"), signed_by(gpg)
    name = f"{registry.address}/gpg/app:1"
    push(registry, "gpg/app:1", image("yesterday"))
    gpg.sign(name, gpg.owner)
    push(registry, "gpg/app:1", image("today"))
    where = gpg.store / "gpg"
    (where / f"app@sha256={digest(image('today').manifest)[7:]}").symlink_to(
        where / f"app@sha256={digest(image('yesterday').manifest)[7:]}"
    )
    assert outcome(guest, name) == "binding.image_digest"
    assert not gpg.allows(name, guest.policy, tmp_path)


def test_a_gpg_signature_with_a_bit_flipped_in_what_is_signed(
    registry: Registry, guest: Guest, gpg: Gpg
) -> None:
    guest.lookaside, guest.policy = str(gpg.registries / "default.yaml"), signed_by(gpg)
    name = f"{registry.address}/gpg/flipped:1"
    push(registry, "gpg/flipped:1", image("flipped"))
    gpg.sign(name, gpg.owner)
    (file,) = (gpg.store / "gpg").glob("flipped@*/signature-1")
    packets, payload = _uncompressed(file.read_bytes()), gpg.run("--decrypt", file)
    file.write_bytes(packets)
    assert outcome(guest, name) == "accepted"
    signature = packets.index(payload) + len(payload)
    assert packets[signature] == 0x88, "expected a signature packet with one byte of length"
    hashed = int.from_bytes(packets[signature + 6 : signature + 8])
    for part in (
        range(signature - len(payload), signature),
        range(signature + 2, signature + 8 + hashed),  # from the version to the hashed subpackets
        range(len(packets) - 60, len(packets) - 40),  # R; it and S may have a leading zero that is left out
        range(len(packets) - 30, len(packets)),  # S
    ):
        for position in part[::5]:
            bit = 1 << position % 8
            file.write_bytes(packets[:position] + bytes([packets[position] ^ bit]) + packets[position + 1 :])
            assert guest.refused(name).code == "signature.image_signature_key", position


def test_a_gpg_signature_with_any_bit_flipped_opens_what_was_signed_or_nothing(gpg: Gpg) -> None:
    """The literal packet's date, and the spare bits of compression, are not signed."""
    plain = gpg.home.parent / "plain"
    plain.write_bytes(b"what was signed" * 9)
    message = gpg.run("--local-user", gpg.owner, "--output", "-", "--sign", plain)
    ring = gpg.home.parent / "owner.asc"
    opened = SequoiaOpenPgp().verifier([ring.read_bytes()])
    for genuine in (message, _uncompressed(message)):
        assert opened(genuine) == plain.read_bytes()
        refused = 0
        for flipped in flips(genuine, bits=8):
            try:
                assert opened(flipped) == plain.read_bytes()
            except SignatureError:
                refused += 1
        assert refused > 8 * len(genuine) // 2


def _uncompressed(message: bytes) -> bytes:
    """The packets in GnuPG's compressed packet: old format, length not given, raw deflate. RFC 9580, 5.6."""
    assert message[:2] == b"\xa3\x01"
    return zlib.decompress(message[2:], wbits=-15)


def test_an_expired_or_revoked_key_signs_nothing(registry: Registry, guest: Guest, gpg: Gpg) -> None:
    guest.lookaside = str(gpg.registries / "default.yaml")
    gpg.run("--passphrase", "", "--quick-gen-key", "old@example.org", "ed25519", "sign", "never")
    name = f"{registry.address}/gpg/old:1"
    push(registry, "gpg/old:1", image("old"))
    gpg.sign(name, "old@example.org")
    ring = gpg.home.parent / "old.asc"
    ring.write_bytes(gpg.run("--export", "old@example.org"))
    guest.policy = signed_by(gpg, "old")
    assert outcome(guest, name) == "accepted"
    listed = gpg.run("--with-colons", "--list-keys", "old@example.org").decode()
    fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))
    revocation = (gpg.home / f"openpgp-revocs.d/{fingerprint}.rev").read_text()
    (gpg.home / "revoke").write_text(revocation.replace(":-----BEGIN", "-----BEGIN"))
    gpg.run("--import", gpg.home / "revoke")
    ring.write_bytes(gpg.run("--export", "old@example.org"))
    assert outcome(guest, name) == "signature.image_signature_key"


@pytest.mark.parametrize("ring", [b"", b"no keyring", b"\x99" * 100], ids=["empty", "text", "cut"])
def test_no_keyring(registry: Registry, guest: Guest, gpg: Gpg, ring: bytes) -> None:
    guest.lookaside, guest.policy = str(gpg.registries / "default.yaml"), signed_by(gpg, "none")
    push(registry, "gpg/ring:1", image("ring"))
    (gpg.home.parent / "none.asc").write_bytes(ring)
    assert outcome(guest, f"{registry.address}/gpg/ring:1") == "format.image_key"


@dataclass
class Cosign:
    """A key on P-256 that OpenSSL made, and that it signs with."""

    key: Path
    public: bytes

    @classmethod
    def make(cls, folder: Path, name: str) -> Cosign:
        key = folder / f"{name}.key"
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        return cls(key, _openssl("ec", "-in", key, "-pubout"))

    def sign(
        self, registry: Registry, repository: str, manifest: bytes, reference: str, **changed: str
    ) -> None:
        """As ``cosign sign`` puts it: the payload as a layer under the tag of the manifest."""
        critical = {
            "identity": {"docker-reference": reference},
            "image": {"docker-manifest-digest": digest(manifest)},
            "type": "cosign container image signature",
        }
        payload = json.dumps({"critical": {**critical, **changed}, "optional": None}).encode()
        signature = base64.b64encode(_openssl("dgst", "-sha256", "-sign", self.key, data=payload)).decode()
        config = b"{}"
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "size": len(config),
                "digest": push_blob(registry, repository, config),
            },
            "layers": [
                {
                    "mediaType": PAYLOAD_TYPE,
                    "size": len(payload),
                    "digest": push_blob(registry, repository, payload),
                    "annotations": {"dev.cosignproject.cosign/signature": signature},
                }
            ],
        }
        tag = digest(manifest).replace(":", "-") + ".sig"
        push_manifest(registry, repository, tag, json.dumps(document).encode(), MANIFEST_TYPE)


def _openssl(*arguments: object, data: bytes = b"") -> bytes:
    openssl = require_program("openssl", "openssl")
    return subprocess.run(
        [openssl, *map(str, arguments)], input=data, capture_output=True, timeout=SECONDS, check=True
    ).stdout


def test_cosign_signatures(registry: Registry, guest: Guest, tmp_path: Path) -> None:
    """The policy and the key are resources of the broker."""
    owner, stranger = Cosign.make(tmp_path, "owner"), Cosign.make(tmp_path, "stranger")
    guest.secrets.resources = {"default/cosign-public-key/test": owner.public}
    resource = {"type": "sigstoreSigned", "keyPath": "kbs:///default/cosign-public-key/test"}
    guest.policy = {"default": [resource]}
    name = f"{registry.address}/cosign/app:1"
    pushed = image("cosign")
    push(registry, "cosign/app:1", pushed)
    assert outcome(guest, name) == "signature.image_unsigned"
    stranger.sign(registry, "cosign/app", pushed.manifest, name)
    assert outcome(guest, name) == "signature.image_signature_key"
    owner.sign(registry, "cosign/app", pushed.manifest, name[:-2] + ":2")
    assert outcome(guest, name) == "binding.image_identity"
    owner.sign(registry, "cosign/app", pushed.manifest, name, type="atomic container signature")
    assert outcome(guest, name) == "format.image_signature"
    owner.sign(registry, "cosign/app", pushed.manifest, name)
    assert outcome(guest, name) == "accepted"
    other = image("other")
    push(registry, "cosign/app:1", other)
    assert outcome(guest, name) == "signature.image_unsigned"
    # cosign itself says the repository alone, which matchRepoDigestOrExact does not take.
    owner.sign(registry, "cosign/app", other.manifest, name[:-2])
    assert outcome(guest, name) == "binding.image_identity"
    guest.policy = {"default": [{**resource, "signedIdentity": {"type": "matchRepository"}}]}
    assert outcome(guest, name) == "accepted"
    guest.secrets.resources = {}
    assert outcome(guest, name) == "resource_not_found.test"


def test_an_encrypted_image_stays_closed_if_its_signature_does_not_hold(
    registry: Registry, guest: Guest
) -> None:
    guest.policy = {"default": [{"type": "sigstoreSigned", "keyData": base64.b64encode(b"no key").decode()}]}
    closed = Image([Layer(tar([entry("f", b"x")]), encrypted=True)])
    push(registry, "cosign/closed:1", closed)
    assert guest.refused(f"{registry.address}/cosign/closed:1").code == "format.image_key"
    assert guest.secrets.asked == [], "no key is asked for"
    assert list(guest.folder.iterdir()) == [], "no layer is fetched"
