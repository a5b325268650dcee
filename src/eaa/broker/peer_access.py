"""What the peer of an attested channel may have: its evidence is appraised as any guest's."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from eaa.broker.judgement import Environment, Terms, appraised, judge, not_appraised
from eaa.broker.names import ResourcePath
from eaa.broker.ports import DecisionLog, PolicyEngine
from eaa.broker.release import KEY_PLUGIN, RESOURCE_PLUGIN, CurrentBooks, Events, Releaser, Subject
from eaa.broker.trustee_claims import policy_claims, policy_input, tee_class
from eaa.errors import AccessDenied, EAAError, ValidityPeriodError
from eaa.tls.peer import PeerIdentity
from eaa.verify.result import VerifiedEvidence

__all__ = ["PeerAccess"]


class PeerAccess:
    """Access of one connection; ``peer`` gives who is at its other end, as proven last.

    Its evidence is appraised at the first request, and again when it was renewed, when the policies changed,
    and when the result has expired: a connection that stays open outlives no reference value.
    """

    def __init__(
        self,
        peer: Callable[[], PeerIdentity],
        *,
        name: str,
        books: CurrentBooks,
        engine: PolicyEngine,
        releaser: Releaser,
        decisions: DecisionLog,
        terms: Terms,
        clock: Callable[[], datetime],
        new_id: Callable[[datetime], str],
        events: Events,
    ) -> None:
        self._peer, self._name = peer, name
        self._books, self._engine, self._releaser = books, engine, releaser
        self._decisions, self._terms, self._clock, self._new_id = decisions, terms, clock, new_id
        self._events = events
        self._subject: Subject | None = None
        self._appraised: tuple[VerifiedEvidence, int] | None = None
        self._judged_at = datetime.min.replace(tzinfo=UTC)

    async def resource(self, path: ResourcePath) -> bytes:
        """The newest version of the resource at ``path``; raises as :meth:`Releaser.release`."""
        return await self._releaser.release(await self._who(), RESOURCE_PLUGIN, path.segments, {})

    async def key(self, kid: str) -> bytes:
        """The newest version of the key ``kid``; raises as :meth:`Releaser.release`."""
        return await self._releaser.release(await self._who(), KEY_PLUGIN, (kid,), {})

    async def _who(self) -> Subject:
        """The peer and the claims of its attestation result.

        Raises:
            AccessDenied: ``access_denied.not_attested``: it has proven nothing.
            ValidityPeriodError: ``validity_period.endorsements``: what vouched for its evidence has expired.
        """
        result = self._peer().result
        if result is None:
            raise AccessDenied("the peer has shown no evidence", detail="not_attested")
        verified, now = result.verified, self._clock()
        expiry = verified.endorsements_expire
        if expiry is not None and now >= expiry:
            expired = ValidityPeriodError(
                f"the endorsements of the peer's evidence expired at {expiry}, now is {now}",
                detail="endorsements",
            )
            await self._refused(expired, verified, self._new_id(now), now)
            raise expired
        book = self._books.policies
        # Below zero if the clock was set back.
        fresh = timedelta(0) <= now - self._judged_at < self._terms.lifetime
        if self._subject is None or self._appraised != (verified, book.generation) or not fresh:
            self._subject = await self._judged(verified)
            self._appraised, self._judged_at = (verified, book.generation), now
        return self._subject

    async def _judged(self, verified: VerifiedEvidence) -> Subject:
        now = self._clock()
        decision_id = self._new_id(now)
        sha256 = hashlib.sha256(verified.evidence).hexdigest()
        try:
            judgement = judge(
                [_environment(verified, sha256)], engine=self._engine, book=self._books.policies,
                asked_policy="", terms=self._terms, token_id=decision_id, now=now, audience="", nonce="",
            )  # fmt: skip
        except EAAError as error:
            await self._refused(error, verified, decision_id, now)
            raise
        self._events.attested(verified.tee, None)
        await self._decisions.record(appraised(decision_id, now, self._name, judgement))
        return Subject(f"{self._name} attestation {decision_id}", verified.tee, sha256, judgement.claims)

    async def _refused(
        self, error: EAAError, verified: VerifiedEvidence, decision_id: str, now: datetime
    ) -> None:
        self._events.attested(verified.tee, error)
        error.decision = decision_id
        sha256 = hashlib.sha256(verified.evidence).hexdigest()
        refusal = not_appraised(decision_id, now, self._name, verified.tee, sha256, error)
        await self._decisions.record(refusal)


def _environment(verified: VerifiedEvidence, sha256: str) -> Environment:
    tee, claims = policy_claims(verified, None)
    return Environment(tee, tee_class(tee), sha256, policy_input(tee, claims))
