"""Every compression in pieces of every size, and nothing that is cut off or goes on too long."""

from __future__ import annotations

import gzip
import os
import zlib

import pytest
from backports import zstd

from eaa.errors import EAAError
from eaa.oci.media_type import Compression
from eaa.services.image_pull.decompress import CHUNK_BYTES, decompress

CONTENT = os.urandom(20_000) + bytes(1_000_000)
GZIP, ZSTD = gzip.compress(CONTENT), zstd.compress(CONTENT)
#: A frame that readers pass over, and that says nothing.
SKIPPED = bytes.fromhex("502a4d18") + (4).to_bytes(4, "little") + b"note"


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 1000, 10_000_000])
@pytest.mark.parametrize(
    ("data", "compression", "times"),
    [
        (CONTENT, Compression.NONE, 1),
        (GZIP, Compression.GZIP, 1),
        (GZIP + GZIP, Compression.GZIP, 2),
        (ZSTD, Compression.ZSTD, 1),
        (ZSTD + ZSTD, Compression.ZSTD, 2),
        (ZSTD + SKIPPED + ZSTD, Compression.ZSTD, 2),
    ],
    ids=["none", "gzip", "members", "zstd", "frames", "skippable"],
)
def test_the_same_comes_out(data: bytes, compression: Compression, times: int, size: int) -> None:
    if compression is Compression.NONE and size == 1:
        data, expected = data[:1000], CONTENT[:1000]
    else:
        expected = CONTENT * times
    assert b"".join(decompress(pieces(data, size), compression)) == expected


@pytest.mark.parametrize(("data", "compression"), [(GZIP, Compression.GZIP), (ZSTD, Compression.ZSTD)])
def test_no_piece_is_large(data: bytes, compression: Compression) -> None:
    assert max(len(piece) for piece in decompress([data], compression)) <= CHUNK_BYTES


def test_nothing_is_nothing() -> None:
    for compression in Compression:
        assert b"".join(decompress([], compression)) == b""


@pytest.mark.parametrize(
    ("data", "compression"),
    [
        (GZIP[:-1], Compression.GZIP),
        (GZIP[:1000], Compression.GZIP),
        (GZIP + b"x", Compression.GZIP),
        (GZIP[:500] + bytes([GZIP[500] ^ 1]) + GZIP[501:], Compression.GZIP),
        (zlib.compress(CONTENT), Compression.GZIP),
        (ZSTD, Compression.GZIP),
        (ZSTD[:-1], Compression.ZSTD),
        (ZSTD + b"xxxxx", Compression.ZSTD),
        (GZIP, Compression.ZSTD),
    ],
)
def test_refused(data: bytes, compression: Compression) -> None:
    with pytest.raises(EAAError) as caught:
        b"".join(decompress(pieces(data, 4096), compression))
    assert caught.value.code == "format.compression"


def test_a_window_that_would_fill_the_memory() -> None:
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 28}
    compressor = zstd.ZstdCompressor(options=options)
    data = compressor.compress(b"x" * 1000) + compressor.flush()
    with pytest.raises(EAAError) as caught:
        b"".join(decompress([data], Compression.ZSTD))
    assert caught.value.code == "format.compression"
