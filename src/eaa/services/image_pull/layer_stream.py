"""A layer from its file to its tar, in one pass: digest, decryption, decompression, diff id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eaa.errors import BindingError
from eaa.oci.digest import Digest
from eaa.oci.layer_cipher import LayerOpener, PublicOptions
from eaa.oci.layer_key import LayerOptions
from eaa.oci.manifest import Descriptor
from eaa.oci.media_type import Compression
from eaa.services.image_pull.decompress import CHUNK_BYTES, decompress
from eaa.services.image_pull.limits import Budget

__all__ = ["Layer", "bytes_of", "tar_of"]


@dataclass(frozen=True, slots=True)
class Layer:
    """What a layer is and has to be. ``sealed`` is what opens it, None if it is not encrypted."""

    number: int
    descriptor: Descriptor
    diff_id: Digest
    compression: Compression
    sealed: tuple[LayerOptions, PublicOptions] | None

    def __str__(self) -> str:
        return f"layer {self.number} ({self.descriptor.digest})"


def tar_of(layer: Layer, file: Path, budget: Budget) -> Iterator[bytes]:
    """The layer's tar. Only when it has ended without an error may anything of it be used.

    At the end (1) the digest of the bytes in ``file`` is the manifest's, (2) the HMAC of an encrypted
    layer holds, and (3) the digest of the tar is the diff id in the image's configuration.

    Raises:
        BindingError: ``binding.layer_file`` or ``binding.diff_id``.
        SignatureError: ``signature.layer_hmac``.
        FormatError: not compressed as its media type says.
        LimitExceeded: too large.
    """
    pipeline = _Pipeline(layer, file)
    total = 0
    diff = layer.diff_id.hasher()
    for piece in decompress(pipeline.opened(), layer.compression):
        total += len(piece)
        budget.take_tar(len(piece), layer_tar=total, layer_download=pipeline.taken)
        diff.update(piece)
        yield piece
    pipeline.finish()
    layer.diff_id.require(diff, what=f"{layer}: unpacked", detail="diff_id")


def bytes_of(layer: Layer, file: Path) -> Iterator[bytes]:
    """As :func:`tar_of`, but before decompression: at the end (1) and (2) hold.

    Raises:
        BindingError: ``binding.layer_file``.
        SignatureError: ``signature.layer_hmac``.
    """
    pipeline = _Pipeline(layer, file)
    yield from pipeline.opened()
    pipeline.finish()


class _Pipeline:
    """The file's bytes, hashed, and decrypted if they are encrypted."""

    def __init__(self, layer: Layer, file: Path) -> None:
        self._layer, self._file = layer, file
        self._digest = layer.descriptor.digest.hasher()
        self._opener = LayerOpener(*layer.sealed) if layer.sealed is not None else None
        self.taken = 0

    def opened(self) -> Iterator[bytes]:
        with self._file.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                self.taken += len(chunk)
                self._digest.update(chunk)
                yield chunk if self._opener is None else self._opener.update(chunk)

    def finish(self) -> None:
        self._layer.descriptor.digest.require(self._digest, what=str(self._layer), detail="layer_file")
        if self._opener is None:
            return
        try:
            self._opener.finish()
        except BindingError as error:
            # The HMAC has held, and the diff id decides. skopeo writes the digest of what it read, which it
            # may have compressed before it encrypted it [OCICRYPT].
            if error.code != "binding.layer_digest":
                raise
