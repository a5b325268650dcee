"""The store of recorded reference values, as commands find it: ``--store``, or its place by default."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from eaa.storage.reference_store import ReferenceStore

__all__ = ["STORE_VARIABLE", "default_store", "open_store", "store_folder", "store_option"]

F = TypeVar("F", bound=Callable[..., Any])

STORE_VARIABLE = "SHELTER_STORE"


def store_option(function: F) -> F:
    """``--store DIR``; the value is for :func:`open_store`."""
    option = click.option(
        "--store", metavar="DIR", envvar=STORE_VARIABLE,
        help="Folder of the recorded measurements.  [env: SHELTER_STORE; default: ~/.config/shelter]",
    )  # fmt: skip
    return option(function)


def open_store(name: str | None) -> ReferenceStore:
    """The store in the folder ``name``, or in that of the user."""
    return ReferenceStore(store_folder(name))


def store_folder(name: str | None) -> Path:
    """The folder ``name``, or that of the user."""
    return Path(name) if name else default_store(os.environ)


def default_store(environment: Mapping[str, str]) -> Path:
    """``$XDG_CONFIG_HOME/shelter``; a relative one is ignored, as its specification says."""
    base = Path(environment.get("XDG_CONFIG_HOME") or "")
    return (base if base.is_absolute() else Path.home() / ".config") / "shelter"
