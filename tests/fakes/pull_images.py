"""Images made in memory: layers of any entries, in any compression, encrypted or not."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from backports import zstd

from eaa.oci.annotation import KEYS_ANNOTATION, encode_annotation
from eaa.oci.key_id import parse_key_id
from eaa.oci.layer_cipher import PUBLIC_OPTIONS_ANNOTATION, LayerSealer, encode_public_options
from eaa.oci.layer_key import encode_layer_options, wrap_options

__all__ = ["KEK", "KID", "Image", "Layer", "digest", "entry", "tar"]

KEK = bytes(range(32))
KID = "kbs:///default/image/key"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    "+gzip": lambda data: gzip.compress(data, compresslevel=1, mtime=0),
    "+zstd": zstd.compress,
}


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def entry(name: str, content: bytes | None = None, **attributes: Any) -> tuple[tarfile.TarInfo, bytes]:
    """A regular file with ``content``; a folder without; anything else by ``type``."""
    member = tarfile.TarInfo(name)
    member.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
    member.mode = 0o755 if content is None else 0o644
    member.mtime = 1_700_000_000
    for attribute, value in attributes.items():
        setattr(member, attribute, value)
    member.size = len(content or b"")
    return member, content or b""


def tar(entries: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """The archive, ended as it should be."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member, content in entries:
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


@dataclass
class Layer:
    """One layer; every part may be changed before it is used."""

    tar: bytes
    compression: str = "+gzip"
    encrypted: bool = False
    blob: bytes = b""
    annotations: dict[str, str] = field(default_factory=dict)
    diff_id: str = ""

    def __post_init__(self) -> None:
        self.diff_id = digest(self.tar)
        self.blob = _COMPRESS[self.compression](self.tar)
        if self.encrypted:
            self.encrypt()

    def encrypt(self, kek: bytes = KEK, kid: str = KID) -> None:
        sealer = LayerSealer(symkey=os.urandom(32), nonce=os.urandom(16))
        self.blob = sealer.update(self.blob)
        sealed = sealer.finish()
        packet = wrap_options(
            encode_layer_options(sealed.options), kek=kek, kid=parse_key_id(kid), iv=os.urandom(12)
        )
        self.annotations = {
            KEYS_ANNOTATION: base64.b64encode(encode_annotation(packet)).decode(),
            PUBLIC_OPTIONS_ANNOTATION: encode_public_options(sealed.public),
        }

    @property
    def descriptor(self) -> dict[str, Any]:
        media_type = _LAYER + self.compression + ("+encrypted" if self.encrypted else "")
        found: dict[str, Any] = {"mediaType": media_type, "digest": digest(self.blob), "size": len(self.blob)}
        return {**found, "annotations": self.annotations} if self.annotations else found


@dataclass
class Image:
    """Layers from the bottom up, and what runs."""

    layers: list[Layer]
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def config_bytes(self) -> bytes:
        rootfs = {"type": "layers", "diff_ids": [layer.diff_id for layer in self.layers]}
        return json.dumps(
            {"architecture": "amd64", "os": "linux", "config": dict(self.config), "rootfs": rootfs}
        ).encode()

    @property
    def manifest(self) -> bytes:
        config = self.config_bytes
        return json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": {
                    "mediaType": "application/vnd.oci.image.config.v1+json",
                    "digest": digest(config),
                    "size": len(config),
                },
                "layers": [layer.descriptor for layer in self.layers],
            }
        ).encode()

    @property
    def blobs(self) -> list[bytes]:
        return [self.config_bytes, *(layer.blob for layer in self.layers)]
