"""A layer unpacked in a thread that ends before the pull does, however the pull ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from eaa.errors import EAAError, FormatError
from eaa.services.image_pull.bundle import Staging
from eaa.services.image_pull.layer_stream import Layer, bytes_of, tar_of
from eaa.services.image_pull.layers import placed
from eaa.services.image_pull.limits import Budget
from eaa.services.image_pull.report import SkippedList
from eaa.services.image_pull.unpack import unpack_layer

__all__ = ["unpack_in_thread"]


async def unpack_in_thread(
    staging: Staging, layer: Layer, file: Path, budget: Budget, skipped: SkippedList
) -> None:
    """Lay ``layer``, which is in ``file``, over those in ``staging``.

    Raises:
        EAAError: as :func:`tar_of` and :func:`unpack_layer`; the message names the layer. A file that has
            other bytes than its digest is removed, so that a further pull downloads it again.
    """
    await _in_thread(partial(_unpack_one, staging, layer, file, budget, skipped))


class _Stopped(Exception):
    """The pull ended while a layer was unpacked."""


async def _in_thread(work: Callable[[threading.Event], None]) -> None:
    """``work`` in a thread; when this task is cancelled, ``work`` is told to stop and waited for."""
    stop = threading.Event()
    running = asyncio.ensure_future(asyncio.to_thread(work, stop))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([running])
        running.exception()
        raise


def _unpack_one(
    staging: Staging, layer: Layer, file: Path, budget: Budget, skipped: SkippedList, stop: threading.Event
) -> None:
    with staging.root() as root:
        try:
            try:
                unpack_layer(root, _until(stop, tar_of(layer, file, budget)), budget, skipped)
            except FormatError:
                # Of changed bytes the change is the cause, and not what is wrong with them.
                for _ in _until(stop, bytes_of(layer, file)):
                    pass
                raise
        except EAAError as error:
            if error.code == "binding.layer_file":
                file.unlink(missing_ok=True)
            raise placed(error, str(layer)) from error


def _until(stop: threading.Event, pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        if stop.is_set():
            raise _Stopped
        yield piece
