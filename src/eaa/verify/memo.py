"""What has been verified already, remembered by the exact bytes that it vouches for.

A memo maps bytes, and all else that the verdict on them rests on, to the value that verification
constructed. Only success is stored, after the last check. Validity windows are part of
the value and are asked again at each use. The oldest entry goes when the bound is reached; reads
take no lock.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Generic, TypeVar

from eaa.errors import UsageError

__all__ = ["MAX_REMEMBERED_BYTES", "BoundedMemo"]

#: A PCK chain with its QE report has 4 KiB; what is larger is verified anew each time.
MAX_REMEMBERED_BYTES = 16 * 1024

T = TypeVar("T")


class BoundedMemo(Generic[T]):
    """At most ``bound`` values, at least one; thread-safe."""

    __slots__ = ("_bound", "_lock", "_values")

    def __init__(self, bound: int) -> None:
        if bound < 1:
            raise UsageError(f"a memo holds at least one value, asked for {bound}", detail="memo_bound")
        self._bound = bound
        self._values: dict[Hashable, T] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable) -> T | None:
        return self._values.get(key)

    def put(self, key: Hashable, value: T) -> None:
        with self._lock:
            if key not in self._values and len(self._values) >= self._bound:
                del self._values[next(iter(self._values))]
            self._values[key] = value
