"""What is short is appraised where it comes; what is long, elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from eaa.broker.judgement import Judgement
from eaa.broker.kbs_broker import Asked
from eaa.errors import LimitExceeded
from tests.unit.broker.broker_fixtures import Fixture, run

#: The longest body that is appraised at once.
SHORT_BYTES = 64 * 1024


@pytest.mark.parametrize(("size", "elsewhere"), [(SHORT_BYTES, 0), (SHORT_BYTES + 1, 1)])
def test_long_evidence_is_appraised_elsewhere(
    size: int, elsewhere: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixture, ran = Fixture(), list[object]()

    async def aside(work: Callable[[], tuple[Judgement, str]]) -> tuple[Judgement, str]:
        ran.append(work)
        return work()

    monkeypatch.setattr(fixture.broker, "_run", aside)
    guest = fixture.guest()
    challenged = fixture.broker.challenge(json.dumps(guest.request()).encode())
    body = guest.attestation(challenged.body)
    body["padding"] = ""
    body["padding"] = "x" * (size - len(json.dumps(body)))
    text = json.dumps(body).encode()
    assert len(text) == size
    assert run(fixture.broker.attest(text, challenged.cookie, peer="10.0.0.1", asked=Asked())).token
    assert len(ran) == elsewhere


def test_a_challenge_is_not_spent_where_too_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    fixture = Fixture()

    async def full(work: Callable[[], tuple[Judgement, str]]) -> tuple[Judgement, str]:
        raise LimitExceeded("too many", detail="rate")

    guest = fixture.guest()
    challenged = fixture.broker.challenge(json.dumps(guest.request()).encode())
    text = json.dumps({**guest.attestation(challenged.body), "padding": "x" * SHORT_BYTES}).encode()
    with monkeypatch.context() as busy:
        busy.setattr(fixture.broker, "_run", full)
        with pytest.raises(LimitExceeded) as refused:
            run(fixture.broker.attest(text, challenged.cookie, peer="10.0.0.1", asked=Asked()))
    assert run(fixture.stores.decisions.read(refused.value.decision)).code == "limit.rate"
    assert run(fixture.broker.attest(text, challenged.cookie, peer="10.0.0.1", asked=Asked())).token
