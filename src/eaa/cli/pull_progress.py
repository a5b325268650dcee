"""How far a pull is: one line that changes on a terminal, a line for each step elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

import click

from eaa.cli.console import clean

__all__ = ["TerminalProgress"]

_SECONDS_BETWEEN = 0.1
_MIB = 1024 * 1024


class TerminalProgress:
    """On stderr. Implements :class:`~eaa.services.image_pull.pull.Progress`."""

    def __init__(self) -> None:
        self._live = sys.stderr is not None and sys.stderr.isatty()
        self._layers: dict[int, tuple[int, int]] = {}
        self._shown_at = 0.0

    def __enter__(self) -> TerminalProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wipe()

    def note(self, text: str) -> None:
        """A step is done."""
        self._wipe()
        click.echo(clean(text), err=True)
        self._show()

    def downloaded(self, layer: int, here: int, size: int) -> None:
        """``here`` of ``size`` bytes of a layer are here."""
        self._layers[layer] = (here, size)
        if time.monotonic() - self._shown_at >= _SECONDS_BETWEEN:
            self._show()

    def _show(self) -> None:
        if not self._live:
            return
        self._shown_at = time.monotonic()
        here = sum(part for part, _ in self._layers.values())
        size = sum(whole for _, whole in self._layers.values())
        parts = " ".join(
            f"{layer}:{100 * part // whole}%" for layer, (part, whole) in sorted(self._layers.items())
            if part < whole
        )  # fmt: skip
        click.echo(f"\r\x1b[K{here / _MIB:.1f} of {size / _MIB:.1f} MiB  {parts:.60}", nl=False, err=True)

    def _wipe(self) -> None:
        if self._live:
            click.echo("\r\x1b[K", nl=False, err=True)
