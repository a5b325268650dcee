"""An image with one file of any size, made piece by piece."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import zlib
from pathlib import Path
from typing import BinaryIO

__all__ = ["large_layout"]

_MB = 1_000_000
_GZIP = 31  # window bits of zlib with gzip's framing
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def large_layout(folder: Path, megabytes: int) -> str:
    """An OCI layout in ``folder``, as skopeo names it. Its file ``data`` compresses to half its size."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    with (folder / "layer").open("wb") as file:
        packed = _Packed(file)
        with tarfile.open(  # type: ignore[call-overload]  # it writes to a stream, and asks no more of it
            mode="w|", fileobj=packed, format=tarfile.USTAR_FORMAT
        ) as archive:
            member = tarfile.TarInfo("data")
            member.size = megabytes * _MB
            archive.addfile(member, _Text())
        packed.end()
    layer = {
        "mediaType": _LAYER,
        "digest": f"sha256:{packed.blob.hexdigest()}",
        "size": (folder / "layer").stat().st_size,
    }
    (folder / "layer").rename(blobs / packed.blob.hexdigest())
    config = {
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/data"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{packed.tar.hexdigest()}"]},
    }  # fmt: skip
    described = _add(blobs, config, _CONFIG)
    manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": described, "layers": [layer]}
    named = _add(blobs, manifest, _MANIFEST) | {"annotations": {"org.opencontainers.image.ref.name": "1"}}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return f"oci:{folder}:1"


class _Packed:
    """Where a tar is written to: its digest, and that of what it is compressed to."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._gzip = file, zlib.compressobj(1, wbits=_GZIP)
        self.tar, self.blob = hashlib.sha256(), hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.tar.update(data)
        self._out(self._gzip.compress(data))
        return len(data)

    def end(self) -> None:
        self._out(self._gzip.flush())

    def _out(self, data: bytes) -> None:
        self.blob.update(data)
        self._file.write(data)


class _Text:
    """Random hex digits without an end."""

    def read(self, size: int) -> bytes:
        return os.urandom(size // 2 + 1).hex().encode()[:size]


def _add(blobs: Path, document: object, media_type: str) -> dict[str, object]:
    data = json.dumps(document).encode()
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}
