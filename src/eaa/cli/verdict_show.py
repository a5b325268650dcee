"""Answers of verdictd for people, or as they are."""

from __future__ import annotations

from typing import Any

from eaa.cli.console import as_json, emit

__all__ = ["EVERYWHERE", "show", "yes_or_no"]

#: The id of the resource policy of all paths, as Trustee calls it; its own is empty.
EVERYWHERE = "resource-policy"


def show(document: dict[str, Any], output: str, text: str) -> None:
    """``document`` for ``-o json``, else ``text``."""
    emit(as_json(document) if output == "json" else text)


def yes_or_no(value: bool) -> str:
    return "yes" if value else "no"
