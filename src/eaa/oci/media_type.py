"""Media types of manifests and layers, of OCI and of Docker [OCI-IMAGE media-types]."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from eaa.errors import UnsupportedError

__all__ = ["INDEXES", "MANIFESTS", "Compression", "LayerKind", "parse_layer_media_type"]

MANIFESTS = frozenset(
    {
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    }
)
INDEXES = frozenset(
    {
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    }
)


class Compression(StrEnum):
    """Of a layer's tar, before it was encrypted."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


@dataclass(frozen=True, slots=True)
class LayerKind:
    """How a layer's tar is wrapped: compressed first, encrypted then."""

    compression: Compression
    encrypted: bool


_ENCRYPTED = "+encrypted"
_PLAIN = {
    "application/vnd.oci.image.layer.v1.tar": Compression.NONE,
    "application/vnd.oci.image.layer.v1.tar+gzip": Compression.GZIP,
    "application/vnd.oci.image.layer.v1.tar+zstd": Compression.ZSTD,
    "application/vnd.docker.image.rootfs.diff.tar": Compression.NONE,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": Compression.GZIP,
    "application/vnd.docker.image.rootfs.diff.tar.zstd": Compression.ZSTD,
}


def parse_layer_media_type(text: str) -> LayerKind:
    """What a layer of this media type is.

    Raises:
        UnsupportedError: ``unsupported.layer_media_type``. Layers that are fetched from elsewhere
            (foreign, nondistributable) are of that kind.
    """
    base = text.removesuffix(_ENCRYPTED)
    if base not in _PLAIN:
        raise UnsupportedError(f"no image layer: {text[:128]!r}", detail="layer_media_type")
    return LayerKind(_PLAIN[base], encrypted=base != text)
