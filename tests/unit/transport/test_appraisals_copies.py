"""Whoever waits for a refusal gets an error of their own: a raised one holds frames and connections."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from eaa.appraisal.result import AttestationResult
from eaa.errors import BindingError, FormatError
from eaa.tls.peer import AttachedEvidence, EvidenceKind
from eaa.transport.appraisals import Appraisals

EVIDENCE = AttachedEvidence(EvidenceKind.SGX_QUOTE, b"quote")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Refuses:
    name = "refuses"

    def __init__(self, error: Exception) -> None:
        self.error, self.asked = error, 0

    def verify(
        self, evidence: AttachedEvidence, *, report_data: bytes, now: datetime
    ) -> AttestationResult | None:
        self.asked += 1
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        BindingError("not bound", detail="report_data", expected="a"),
        FormatError("bad", what="quote", field="version", offset=2, spec="[DCAP-QUOTE A.3]"),
    ],
)
def test_a_remembered_refusal_is_raised_as_a_copy_each_time(error: BindingError | FormatError) -> None:
    verifier = Refuses(error)
    with ThreadPoolExecutor(2) as executor:
        appraisals = Appraisals(
            verifier, policy_version="", max_seconds=60, clock=lambda: NOW, executor=executor
        )
        raised = []
        for _ in range(3):
            with pytest.raises(type(error)) as caught:
                appraisals.appraise(EVIDENCE, bytes(64)).result(10)
            raised.append(caught.value)
    assert verifier.asked == 1
    assert len({id(item) for item in raised}) == 3
    assert error not in raised
    for item in raised:
        assert (item.code, str(item), dict(item.fields)) == (error.code, str(error), dict(error.fields))
        assert item.__context__ is None


def test_a_caller_that_gave_up_is_passed_over() -> None:
    verifier = Refuses(BindingError("not bound"))
    with ThreadPoolExecutor(1) as executor:
        blocked = executor.submit(time.sleep, 0.2)
        appraisals = Appraisals(
            verifier, policy_version="", max_seconds=60, clock=lambda: NOW, executor=executor
        )
        gone, waiting = (appraisals.appraise(EVIDENCE, bytes(64)) for _ in range(2))
        assert gone.cancel()
        with pytest.raises(BindingError):
            waiting.result(10)
    assert blocked.done()
    assert verifier.asked == 1
