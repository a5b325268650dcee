from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from eaa.appraisal.appraise import appraise
from eaa.appraisal.policy import Policy
from eaa.appraisal.result import AttestationResult
from eaa.errors import BindingError, EndorsementUnavailable
from eaa.tls.peer import AttachedEvidence, EvidenceKind
from eaa.transport.appraisals import Appraisals
from tests.fakes.clock import Clock
from tests.fakes.vendor import NOW, REPORT_DATA, shared_evidence, verify

EVIDENCE = AttachedEvidence(EvidenceKind.SGX_QUOTE, shared_evidence("sgx-v3").quote)
RESULT = appraise(verify(shared_evidence("sgx-v3")), Policy(), now=NOW)


class Verifier:
    name = "counting"

    def __init__(self, answer: AttestationResult | Exception) -> None:
        self.answer, self.count = answer, 0
        self.go = threading.Event()
        self.go.set()

    def verify(self, evidence: AttachedEvidence, *, report_data: bytes, now: datetime) -> AttestationResult:
        self.go.wait(10)
        self.count += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def appraisals(verifier: Verifier, clock: Clock, version: str = "", seconds: float = 300) -> Appraisals:
    return Appraisals(
        verifier, policy_version=version, max_seconds=seconds, clock=clock, executor=ThreadPoolExecutor(4)
    )


def test_an_acceptance_is_remembered_for_its_time() -> None:
    verifier, clock = Verifier(RESULT), Clock()
    verdicts = appraisals(verifier, clock)
    for _ in range(3):
        assert verdicts.appraise(EVIDENCE, REPORT_DATA).result(10) is RESULT
    assert verifier.count == 1
    clock.now += timedelta(seconds=300)
    verdicts.appraise(EVIDENCE, REPORT_DATA).result(10)
    assert verifier.count == 2


def test_never_past_the_end_of_the_endorsements() -> None:
    verifier, clock = Verifier(RESULT), Clock()
    verdicts = appraisals(verifier, clock, seconds=10**9)
    verdicts.appraise(EVIDENCE, REPORT_DATA).result(10)
    expire = RESULT.verified.endorsements_expire
    assert expire is not None
    clock.now = expire
    verdicts.appraise(EVIDENCE, REPORT_DATA).result(10)
    assert verifier.count == 2


@pytest.mark.parametrize(
    "other",
    [
        (replace(EVIDENCE, evidence=EVIDENCE.evidence + b"\0"), REPORT_DATA),
        (replace(EVIDENCE, kind=EvidenceKind.TDX_QUOTE), REPORT_DATA),
        (replace(EVIDENCE, collateral=shared_evidence("sgx-v3").collateral), REPORT_DATA),
        (EVIDENCE, bytes(64)),
    ],
)
def test_another_question_has_another_answer(other: tuple[AttachedEvidence, bytes]) -> None:
    verifier = Verifier(RESULT)
    verdicts = appraisals(verifier, Clock())
    verdicts.appraise(EVIDENCE, REPORT_DATA).result(10)
    verdicts.appraise(*other).result(10)
    assert verifier.count == 2


def test_who_asks_meanwhile_waits_for_the_same_answer() -> None:
    verifier = Verifier(RESULT)
    verifier.go.clear()
    verdicts = appraisals(verifier, Clock())
    futures = [verdicts.appraise(EVIDENCE, REPORT_DATA) for _ in range(8)]
    verifier.go.set()
    assert {id(future.result(10)) for future in futures} == {id(RESULT)}
    assert verifier.count == 1


def test_a_refusal_is_remembered_for_seconds() -> None:
    verifier, clock = Verifier(BindingError("no")), Clock()
    verdicts = appraisals(verifier, clock)
    for _ in range(2):
        with pytest.raises(BindingError):
            verdicts.appraise(EVIDENCE, REPORT_DATA).result(10)
    assert verifier.count == 1
    clock.now += timedelta(seconds=2)
    verifier.answer = RESULT
    assert verdicts.appraise(EVIDENCE, REPORT_DATA).result(10) is RESULT


@pytest.mark.parametrize("error", [EndorsementUnavailable("no network"), ZeroDivisionError()])
def test_what_is_no_answer_is_not_remembered(error: Exception) -> None:
    verifier = Verifier(error)
    verdicts = appraisals(verifier, Clock())
    for _ in range(2):
        with pytest.raises(type(error)):
            verdicts.appraise(EVIDENCE, REPORT_DATA).result(10)
    assert verifier.count == 2


def test_the_oldest_goes_first() -> None:
    verifier = Verifier(RESULT)
    verdicts = appraisals(verifier, Clock())
    for number in range(1025):
        verdicts.appraise(EVIDENCE, number.to_bytes(64, "big")).result(10)
    verdicts.appraise(EVIDENCE, (1024).to_bytes(64, "big")).result(10)
    assert verifier.count == 1025
    verdicts.appraise(EVIDENCE, bytes(64)).result(10)
    assert verifier.count == 1026


def test_after_the_threads_have_gone() -> None:
    executor = ThreadPoolExecutor(1)
    verdicts = Appraisals(
        Verifier(RESULT), policy_version="", max_seconds=1, clock=Clock(), executor=executor
    )
    executor.shutdown()
    for _ in range(2):
        with pytest.raises(RuntimeError):
            verdicts.appraise(EVIDENCE, REPORT_DATA)
