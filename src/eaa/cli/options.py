"""Several options as one decorator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

__all__ = ["with_options"]

F = TypeVar("F", bound=Callable[..., Any])


def with_options(function: F, options: Sequence[Callable[[F], F]]) -> F:
    """``function`` with ``options``, decorators of click, which help shows in this order."""
    for option in reversed(options):
        function = option(function)
    return function
