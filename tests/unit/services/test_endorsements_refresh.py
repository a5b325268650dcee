"""What a service keeps fresh, it keeps fresh for ever."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from eaa.endorsements.subject import RootCaCrlSubject
from eaa.provider.endorser import Endorser
from eaa.services.endorsements import ServiceEndorsements

HELD: Any = SimpleNamespace(
    genuine=SimpleNamespace(subject=RootCaCrlSubject()), expires=datetime(2026, 1, 15, tzinfo=UTC)
)


class _Breaks:
    """An endorser that raises what nobody expected, each time."""

    def __init__(self) -> None:
        self.asked = 0

    def held(self) -> tuple[Any, ...]:
        return (HELD,) if self.asked < 3 else ()

    def due(self, held: Any) -> bool:
        return True

    async def endorsement(self, subject: object) -> Any:
        self.asked += 1
        raise RuntimeError("secret words")


def test_a_fetch_that_breaks_is_not_the_last(caplog: pytest.LogCaptureFixture) -> None:
    endorser = _Breaks()
    service = ServiceEndorsements(
        cast(Endorser, endorser), update="standard", fetches_per_minute=1, trust_anchors=()
    )

    async def runs() -> None:
        async with service.keep_fresh(0.001), asyncio.timeout(10):
            while endorser.asked < 3:
                await asyncio.sleep(0.001)

    asyncio.run(runs())
    assert "RuntimeError" in caplog.text
    assert "secret words" not in caplog.text
