"""Verdicts on peers' evidence, made in threads and remembered by content.

The key is a digest of all that a verdict rests on: evidence, endorsements attached, the report data
asked for, the verifier's name and the version of its policy. Whoever asks while the same question is
being answered waits for that answer. A refusal is remembered for seconds only, so that a peer cannot be
locked out for long by what was wrong a moment ago; an answer that could not be given, not at all.
"""

from __future__ import annotations

import hashlib
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import datetime, timedelta

from eaa.appraisal.result import AttestationResult
from eaa.errors import AppraisalDenied, FormatError, UnsupportedError, VerificationError
from eaa.tls.peer import AttachedEvidence, PeerVerifier

__all__ = ["Appraisals", "Verdict"]

Verdict = AttestationResult | None

_MAX_VERDICTS = 1024
_REFUSAL = timedelta(seconds=2)
_LENGTHS = struct.Struct(">5I")
_REFUSALS = (VerificationError, FormatError, UnsupportedError, AppraisalDenied)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A verdict, or the error in its place, which is never raised itself: whoever waits gets a copy."""

    verdict: Verdict = None
    error: BaseException | None = None

    def hand_to(self, future: Future[Verdict]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        if self.error is None:
            future.set_result(self.verdict)
        else:
            future.set_exception(_copy(self.error))


@dataclass(frozen=True, slots=True)
class _Remembered:
    outcome: _Outcome
    until: datetime


class Appraisals:
    """The verdicts of one verifier. Thread-safe.

    Args:
        verifier: who decides.
        policy_version: of what it decides by.
        max_seconds: how long an acceptance is remembered, and never past the endorsements' end.
        clock: aware.
        executor: whose threads do the work.
    """

    def __init__(
        self,
        verifier: PeerVerifier,
        *,
        policy_version: str,
        max_seconds: float,
        clock: Callable[[], datetime],
        executor: Executor,
    ) -> None:
        self._verifier = verifier
        self._basis = f"{verifier.name}\0{policy_version}".encode()
        self._max = timedelta(seconds=max_seconds)
        self._clock = clock
        self._executor = executor
        self._lock = threading.Lock()
        self._pending: dict[bytes, list[Future[Verdict]]] = {}
        self._remembered: dict[bytes, _Remembered] = {}

    def appraise(self, evidence: AttachedEvidence, report_data: bytes) -> Future[Verdict]:
        """The verdict, in a future of the caller's own. It raises as ``PeerVerifier.verify``."""
        key = self._key(evidence, report_data)
        now = self._clock()
        future: Future[Verdict] = Future()
        with self._lock:
            known = self._remembered.get(key)
            if known is None or now >= known.until:
                known = None
                waiting = self._pending.get(key)
                if waiting is not None:
                    waiting.append(future)
                    return future
                self._pending[key] = [future]
        if known is not None:
            known.outcome.hand_to(future)
            return future
        try:
            self._executor.submit(self._decide, key, evidence, report_data)
        except RuntimeError:  # shut down
            with self._lock:
                del self._pending[key]
            raise
        return future

    def _decide(self, key: bytes, evidence: AttachedEvidence, report_data: bytes) -> None:
        now = self._clock()
        try:
            verdict = self._verifier.verify(evidence, report_data=report_data, now=now)
        except BaseException as error:
            # Without its traceback: that holds frames, and they hold connections.
            outcome = _Outcome(error=_copy(error))
            until = now + _REFUSAL if isinstance(error, _REFUSALS) else None
        else:
            outcome, until = _Outcome(verdict), self._until(verdict, now)
        for future in self._settle(key, outcome, until):
            outcome.hand_to(future)

    def _settle(self, key: bytes, outcome: _Outcome, until: datetime | None) -> list[Future[Verdict]]:
        with self._lock:
            self._remembered.pop(key, None)
            if until is not None:
                if len(self._remembered) >= _MAX_VERDICTS:
                    del self._remembered[next(iter(self._remembered))]
                self._remembered[key] = _Remembered(outcome, until)
            return self._pending.pop(key)

    def _until(self, verdict: Verdict, now: datetime) -> datetime:
        latest = now + self._max
        end = None if verdict is None else verdict.verified.endorsements_expire
        return latest if end is None else min(latest, end)

    def _key(self, evidence: AttachedEvidence, report_data: bytes) -> bytes:
        collateral = evidence.collateral.digest if evidence.collateral else b""
        parts = (evidence.kind.encode(), evidence.evidence, collateral, report_data, self._basis)
        # In one call: each gives up the interpreter lock, and waits for those who verify to give it back.
        return hashlib.sha256(b"".join([_LENGTHS.pack(*map(len, parts)), *parts])).digest()


def _copy(error: BaseException) -> BaseException:
    """``error`` as it was made: what has been raised holds the frames that it went through."""
    copied = type(error).__new__(type(error), *error.args)
    copied.__dict__.update(error.__dict__)
    return copied
