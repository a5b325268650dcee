"""What seals secrets before they reach the database."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Sealer"]


class Sealer(Protocol):
    """Authenticated encryption under keys that the database does not have.

    ``context`` names the place of the sealed bytes, e.g. ``b"resource/default/key/1@3"``. What was sealed
    for one place does not open at another.
    """

    async def seal(self, plaintext: bytes, *, context: bytes) -> bytes:
        """``plaintext``, encrypted and bound to ``context``."""
        ...

    async def open(self, sealed: bytes, *, context: bytes) -> bytes:
        """The plaintext.

        Raises:
            StorageError: ``storage.sealed``: it does not authenticate, or is bound to another context.
        """
        ...
