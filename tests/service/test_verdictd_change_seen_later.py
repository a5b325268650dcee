"""A change that the storage holds is answered as one, though this process cannot read it back at once."""

from __future__ import annotations

import asyncio
import base64
import logging
from pathlib import Path
from typing import Any

import pytest

from eaa.errors import StorageError
from eaa.services.verdictd.service import _seen
from tests.service.verdictds import Hardware, Running, running

POLICY = "package policy\ndefault allow = false\n"
DOCUMENT = {"policy": base64.urlsafe_b64encode(POLICY.encode()).rstrip(b"=").decode()}


async def broken() -> int:
    raise StorageError("the storage is away", detail="unavailable")


def version(served: Running) -> object:
    return served.service.core.books.policies.generation


def test_a_change_holds_though_it_is_read_back_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "eaa.verdictd")
    with running(tmp_path, Hardware().source(), storage={"refresh_seconds": 60}) as served:
        before = version(served)
        with monkeypatch.context() as away:
            away.setattr(served.service.core.database.policies, "generation", broken)
            for _ in range(2):
                answer = served.admin().post("/kbs/v0/resource-policy", json=DOCUMENT)
                assert answer.status_code == 200, answer.text
            assert version(served) == before
            grpc = _seen(served.service.core, {"change": _changed})["change"]
            coming = grpc(None, None)  # type: ignore[arg-type]  # the handler looks at neither
            assert asyncio.run_coroutine_threadsafe(_awaited(coming), served.loop).result(10) == "changed"
        answer = served.admin().post("/kbs/v0/resource-policy", json=DOCUMENT)
        assert answer.status_code == 200
        assert version(served) != before
    said = [item.getMessage() for item in caplog.records if "policies and keys" in item.getMessage()]
    assert said == [
        "policies and keys cannot be read: storage.unavailable: the storage is away",
        "policies and keys are read again",
    ]


async def _changed(principal: object, request: object) -> Any:
    return "changed"


async def _awaited(coming: Any) -> Any:
    return await coming
