"""Verdicts on peers' evidence, made in threads and remembered by content.

The key is a digest of all that a verdict rests on: evidence, endorsements attached, the report data
asked for, the verifier's name and the version of its policy. Whoever asks while the same question is
being answered waits for that answer. A refusal is remembered for seconds only, so that a peer cannot be
locked out for long by what was wrong a moment ago; an answer that could not be given, not at all.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import datetime, timedelta

from eaa.appraisal.result import AttestationResult
from eaa.errors import AppraisalDenied, EAAError, FormatError, UnsupportedError, VerificationError
from eaa.tls.peer import AttachedEvidence, PeerVerifier

__all__ = ["Appraisals", "Verdict"]

Verdict = AttestationResult | None

_MAX_VERDICTS = 1024
_REFUSAL = timedelta(seconds=2)
_REFUSALS = (VerificationError, FormatError, UnsupportedError, AppraisalDenied)


@dataclass(frozen=True, slots=True)
class _Remembered:
    future: Future[Verdict]
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
        self._pending: dict[bytes, Future[Verdict]] = {}
        self._remembered: dict[bytes, _Remembered] = {}

    def appraise(self, evidence: AttachedEvidence, report_data: bytes) -> Future[Verdict]:
        """The verdict, raising as ``PeerVerifier.verify``. The future is shared: not to be cancelled."""
        key = self._key(evidence, report_data)
        now = self._clock()
        with self._lock:
            known = self._remembered.get(key)
            if known is not None and now < known.until:
                return known.future
            pending = self._pending.get(key)
            if pending is not None:
                return pending
            future: Future[Verdict] = Future()
            self._pending[key] = future
        try:
            self._executor.submit(self._decide, key, future, evidence, report_data)
        except RuntimeError:  # shut down
            with self._lock:
                del self._pending[key]
            raise
        return future

    def _decide(
        self, key: bytes, future: Future[Verdict], evidence: AttachedEvidence, report_data: bytes
    ) -> None:
        now = self._clock()
        try:
            verdict = self._verifier.verify(evidence, report_data=report_data, now=now)
        except BaseException as error:
            self._settle(key, future, now + _REFUSAL if isinstance(error, _REFUSALS) else None)
            # The one exception is raised in each waiting task: what it holds of this frame is not needed.
            future.set_exception(error.with_traceback(None) if isinstance(error, EAAError) else error)
        else:
            self._settle(key, future, self._until(verdict, now))
            future.set_result(verdict)

    def _settle(self, key: bytes, future: Future[Verdict], until: datetime | None) -> None:
        with self._lock:
            del self._pending[key]
            self._remembered.pop(key, None)
            if until is not None:
                if len(self._remembered) >= _MAX_VERDICTS:
                    del self._remembered[next(iter(self._remembered))]
                self._remembered[key] = _Remembered(future, until)

    def _until(self, verdict: Verdict, now: datetime) -> datetime:
        latest = now + self._max
        return latest if verdict is None else min(latest, verdict.verified.endorsements_expire)

    def _key(self, evidence: AttachedEvidence, report_data: bytes) -> bytes:
        hasher = hashlib.sha256()
        collateral = evidence.collateral.digest if evidence.collateral else b""
        for part in (evidence.kind.encode(), evidence.evidence, collateral, report_data, self._basis):
            hasher.update(len(part).to_bytes(4, "big") + part)
        return hasher.digest()
