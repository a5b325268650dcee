"""Attestations of any size that is read: long ones are appraised in threads, and bound as short ones are."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.fakes.kbs_client import Guest, TeeKey
from tests.service.verdictds import Hardware, Running, running

HARDWARE = Hardware()
LONG = "x" * 300_000


@pytest.fixture(scope="module")
def verdictd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("verdictd"), HARDWARE.source()) as served:
        yield served


def _attest(http: httpx.Client, guest: Guest, **more: object) -> httpx.Response:
    challenge = http.post("/kbs/v0/auth", json=guest.request()).json()
    return http.post("/kbs/v0/attest", json={**guest.attestation(challenge), **more})


def test_a_long_attestation_is_appraised(verdictd: Running) -> None:
    guest = Guest("tdx", HARDWARE.td.collect, TeeKey("ECDH-ES+A256KW-P256"))
    assert _attest(verdictd.http(), guest, padding=LONG).status_code == 200


def test_a_long_one_that_is_not_bound_is_refused(verdictd: Running) -> None:
    guest = Guest("tdx", lambda data: HARDWARE.td.collect(bytes(64)), TeeKey("ECDH-ES+A256KW-P256"))
    answer = _attest(verdictd.http(), guest, padding=LONG)
    assert answer.status_code == 403
    assert "binding" in answer.json()["detail"]
