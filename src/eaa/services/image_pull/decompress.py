"""Layers' compressions, as streams: gzip of any number of members, zstd of any number of frames."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from eaa.errors import ConfigError, FormatError
from eaa.oci.media_type import Compression

__all__ = ["CHUNK_BYTES", "decompress"]

#: What is in memory of a layer at each step.
CHUNK_BYTES = 256 * 1024
_GZIP = 16 + zlib.MAX_WBITS
#: zstd's own default for streams: a window of 128 MiB.
_MAX_WINDOW_LOG = 27


class _Decompressor(Protocol):
    """One member or frame."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def feed(self, data: bytes) -> Iterator[bytes]:
        """What comes out for ``data``, in pieces of at most :data:`CHUNK_BYTES`."""
        ...


def decompress(chunks: Iterable[bytes], compression: Compression) -> Iterator[bytes]:
    """The bytes that were compressed, in pieces of at most some :data:`CHUNK_BYTES`.

    Raises:
        FormatError: ``format.compression``: not of that form, cut off, or followed by something else.
    """
    if compression is Compression.NONE:
        return iter(chunks)
    make = _Gzip if compression is Compression.GZIP else _Zstd
    return _all_members(chunks, make, compression)


def _all_members(
    chunks: Iterable[bytes], make: Callable[[], _Decompressor], compression: Compression
) -> Iterator[bytes]:
    member: _Decompressor | None = None
    for chunk in chunks:
        data = chunk
        while data:
            member = member or make()
            yield from member.feed(data)
            data = member.unused_data if member.eof else b""
            if member.eof:
                member = None
    if member is not None:
        raise _error(compression, "the data ends too early")


class _Gzip:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(_GZIP)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data and not self._inner.eof:
            try:
                piece = self._inner.decompress(data, CHUNK_BYTES)
            except zlib.error:
                raise _error(Compression.GZIP, "the data is damaged") from None
            yield piece
            data = self._inner.unconsumed_tail


class _Zstd:
    def __init__(self) -> None:
        module = _zstd()
        self._error = module.ZstdError
        self._inner = module.ZstdDecompressor(
            options={module.DecompressionParameter.window_log_max: _MAX_WINDOW_LOG}
        )

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data)

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data or not (self._inner.eof or self._inner.needs_input):
            try:
                piece = self._inner.decompress(data, CHUNK_BYTES)
            except self._error:
                raise _error(Compression.ZSTD, "the data is damaged") from None
            yield piece
            data = b""


def _zstd() -> Any:
    """One of two modules with the same names."""
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd  # noqa: PLC0415 - optional
        else:
            from backports import zstd  # noqa: PLC0415 - optional
    except ImportError:
        raise ConfigError(
            "a layer is compressed with zstd: install eaa[attestation-agent]", detail="missing_extra"
        ) from None
    return zstd


def _error(compression: Compression, message: str) -> FormatError:
    return FormatError(message, what="image layer", field=str(compression), detail="compression")
