"""Errors that are raised again later, without what they would hold on to meanwhile."""

from __future__ import annotations

from typing import TypeVar

from eaa.errors import EAAError

__all__ = ["remembered"]

E = TypeVar("E", bound=EAAError)


def remembered(error: E) -> E:
    """A twin of ``error`` with its message, code and fields, and nothing else.

    An error that has been raised has the frames through which it went, with requests and bodies in them, and
    gets others each time that it is raised: to keep one, or to raise one that is kept, is to keep those.
    """
    cls = type(error)
    twin: E = cls.__new__(cls, *error.args)
    vars(twin).update(vars(error))
    return twin
