"""How often a broker is asked again, and for how long."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from eaa.errors import EAAError, InternalError, RemoteProtocolError
from eaa.services.attestation_agent.failures import is_transient

__all__ = ["Patience"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """At most ``attempts`` within ``request_seconds`` all in all.

    Between two of them there is a pause, twice as long each time, from ``first_seconds`` to
    ``longest_seconds``, and by a random part shorter, so that guests that failed at once do not come back
    at once.
    """

    attempts: int = 4
    request_seconds: float = 20.0
    first_seconds: float = 0.2
    longest_seconds: float = 2.0

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """The answer, the question asked again only if an error may pass.

        Raises:
            RemoteProtocolError: ``remote_protocol.timeout``.
            EAAError: the last one of ``question``.
        """
        failed: EAAError | None = None
        try:
            async with asyncio.timeout(self.request_seconds):
                for attempt in range(self.attempts):
                    if failed is not None:
                        await asyncio.sleep(self._pause(attempt))
                    try:
                        return await question()
                    except EAAError as error:
                        if not is_transient(error):
                            raise
                        failed = error
        except TimeoutError:
            failed = failed or RemoteProtocolError(
                f"the broker has not answered within {self.request_seconds:g} s", detail="timeout"
            )
        raise failed or InternalError("a question was never asked")

    def _pause(self, attempt: int) -> float:
        whole = min(self.first_seconds * 2.0 ** (attempt - 1), self.longest_seconds)
        return whole * (0.5 + secrets.randbelow(1000) / 2000)
