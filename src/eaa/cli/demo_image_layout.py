"""The demo's image: an OCI layout that is made here, and encrypted here where no skopeo does."""

from __future__ import annotations

import base64
import gzip
import io
import json
import platform
import secrets
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eaa.oci.annotation import KEYS_ANNOTATION, encode_annotation
from eaa.oci.digest import digest_of
from eaa.oci.key_id import parse_key_id
from eaa.oci.layer_cipher import PUBLIC_OPTIONS_ANNOTATION, LayerSealer, encode_public_options
from eaa.oci.layer_key import encode_layer_options, wrap_options

__all__ = ["MANIFEST_TYPE", "SECRET_FILE", "TAG", "Layout", "seal_layout", "write_layout"]

SECRET_FILE, TAG = "secret.txt", "1"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Layout:
    """An OCI layout with one image, whose tag is :data:`TAG`."""

    folder: Path

    @property
    def image(self) -> str:
        """As skopeo names it."""
        return f"oci:{self.folder}:{TAG}"

    @property
    def manifest(self) -> bytes:
        (descriptor,) = json.loads((self.folder / "index.json").read_bytes())["manifests"]
        return self.blob(descriptor["digest"])

    def blob(self, digest: str) -> bytes:
        return self.folder.joinpath("blobs", *digest.split(":")).read_bytes()

    def add(
        self, data: bytes, media_type: str, annotations: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Keep the blob ``data``; its descriptor."""
        digest = str(digest_of(data))
        path = self.folder.joinpath("blobs", *digest.split(":"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        found: dict[str, Any] = {"mediaType": media_type, "digest": digest, "size": len(data)}
        return {**found, "annotations": dict(annotations)} if annotations else found

    def finish(self, manifest: Mapping[str, Any]) -> Layout:
        """Make ``manifest`` the image."""
        name = {"org.opencontainers.image.ref.name": TAG}
        descriptor = self.add(json.dumps(manifest).encode(), MANIFEST_TYPE, name)
        index = {"schemaVersion": 2, "manifests": [descriptor]}
        (self.folder / "index.json").write_text(json.dumps(index))
        (self.folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        return self


def write_layout(folder: Path, secret: bytes, busybox: str) -> Layout:
    """An image that shows its file :data:`SECRET_FILE`, by the program ``busybox`` if there is one."""
    layout = Layout(folder)
    program = [("bin/busybox", Path(busybox).read_bytes(), 0o755)] if busybox else []
    tars = [_tar(*file) for file in (*program, (SECRET_FILE, secret, 0o644))]
    machine = platform.machine()
    config = {
        "architecture": _ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": {"Cmd": ["/bin/busybox", "cat", f"/{SECRET_FILE}"]},
        "rootfs": {"type": "layers", "diff_ids": [str(digest_of(tar)) for tar in tars]},
    }
    return layout.finish(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": layout.add(json.dumps(config).encode(), _CONFIG),
            "layers": [layout.add(gzip.compress(tar, compresslevel=1, mtime=0), _LAYER) for tar in tars],
        }
    )


def seal_layout(plain: Layout, folder: Path, *, kek: bytes, key_id: str) -> Layout:
    """``plain`` with every layer encrypted under a key of its own, wrapped under ``kek``, 32 bytes."""
    sealed, manifest = Layout(folder), json.loads(plain.manifest)
    sealed.add(plain.blob(manifest["config"]["digest"]), _CONFIG)
    layers = []
    for layer in manifest["layers"]:
        sealer = LayerSealer(symkey=secrets.token_bytes(32), nonce=secrets.token_bytes(16))
        data = sealer.update(plain.blob(layer["digest"]))
        made = sealer.finish()
        packet = wrap_options(
            encode_layer_options(made.options), kek=kek, kid=parse_key_id(key_id), iv=secrets.token_bytes(12)
        )
        annotations = {
            KEYS_ANNOTATION: base64.b64encode(encode_annotation(packet)).decode(),
            PUBLIC_OPTIONS_ANNOTATION: encode_public_options(made.public),
        }
        layers.append(sealed.add(data, f"{layer['mediaType']}+encrypted", annotations))
    return sealed.finish({**manifest, "layers": layers})


def _tar(name: str, content: bytes, mode: int) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(content), mode
        archive.addfile(member, io.BytesIO(content))
    return file.getvalue()
