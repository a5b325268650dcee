"""How much an image may become when it is unpacked."""

from __future__ import annotations

from dataclasses import dataclass

from eaa.errors import LimitExceeded

__all__ = ["Budget", "UnpackLimits"]

_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class UnpackLimits:
    """Of one image.

    Attributes:
        unpacked_bytes: of all layers' tars together, and of all files together, holes included.
        ratio: of a layer's tar to what was downloaded of it; above what gzip can do, 1032.
        ratio_free_bytes: of a layer's tar, before the ratio counts.
        entries: of all layers together, with the folders above them that have none of their own.
    """

    unpacked_bytes: int = 64 * _GIB
    ratio: int = 1100
    ratio_free_bytes: int = 64 * 1024 * 1024
    entries: int = 1_000_000


class Budget:
    """What is left of ``limits`` while an image is unpacked. Every method raises ``LimitExceeded``."""

    def __init__(self, limits: UnpackLimits) -> None:
        self._limits = limits
        self._tar_bytes = self._file_bytes = self._entries = 0

    def take_tar(self, size: int, *, layer_tar: int, layer_download: int) -> None:
        """``size`` more bytes of tar, which make ``layer_tar`` out of ``layer_download``."""
        self._tar_bytes += size
        self._require(self._tar_bytes, "bytes of layers")
        limits = self._limits
        if layer_tar > limits.ratio_free_bytes and layer_tar > limits.ratio * layer_download:
            raise LimitExceeded(
                f"{layer_download} bytes became more than {limits.ratio} times as many: a decompression bomb",
                detail="ratio",
            )

    def take_entry(self, file_bytes: int) -> None:
        """One more entry, of a file of ``file_bytes``."""
        self._entries += 1
        if self._entries > self._limits.entries:
            raise LimitExceeded(f"more than {self._limits.entries} entries", detail="entries")
        self._file_bytes += file_bytes
        self._require(self._file_bytes, "bytes of files")

    def _require(self, count: int, what: str) -> None:
        if count > self._limits.unpacked_bytes:
            raise LimitExceeded(f"more than {self._limits.unpacked_bytes} {what}", detail="size")
