"""The KBS protocol's three steps: challenge, attest, release. What is kept in between is the guest's.

A challenge is sealed and given to the guest, so that any replica can serve the next step and asking for
many of them allocates nothing. It is spent by the first attestation, whatever becomes of it, and leads to
the attestation result from then on.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol

from eaa.appraisal.ear import is_small, small_claims
from eaa.broker.judgement import Judgement, Terms, appraised, judge, not_appraised
from eaa.broker.kbs.challenge import ID_BYTES, NONCE_BYTES, Challenge, open_challenge, seal_challenge
from eaa.broker.kbs.evidence import require_readable
from eaa.broker.kbs.jwe import encrypt, require_allowed
from eaa.broker.kbs.messages import auth_response, parse_attest_request, parse_auth_request
from eaa.broker.kbs.tee_key import TeePublicKey, parse_tee_key
from eaa.broker.kbs.versions import ProtocolVersion
from eaa.broker.ports import DecisionLog, PolicyEngine, Sessions
from eaa.broker.records import Decision, Session
from eaa.broker.release import CurrentBooks, Events, Releaser, Subject
from eaa.broker.tokens import issue_token, token_claims, verify_token
from eaa.broker.verified_environment import EnvironmentVerifier
from eaa.errors import AccessDenied, EAAError, EndorsementNotFound, SessionError, UnsupportedError

__all__ = ["Asked", "Attested", "Challenged", "KbsBroker", "KbsTerms"]

#: Attestations of at most so many bytes take so short that others do not mind waiting for them.
_SHORT_BYTES = 64 * 1024
#: Attestation results of sessions that are read again and again: so many, of tokens of so many characters.
#: An event log may make one of a megabyte.
_KEPT_SESSIONS, _KEPT_CHARACTERS = 4096, 16 * 1024 * 1024
#: Where an attestation result has the guest's key, ours first and then as Trustee's verifiers put it.
_KEY_PLACES = (
    ("submods", "cpu0", "ear.veraison.annotated-evidence", "runtime_data_claims", "tee-pubkey"),
    ("tdx", "attester_runtime_data", "tee-pubkey"),
    ("tdx", "attester_user_data", "tee-pubkey"),
    ("customized_claims", "runtime_data", "tee-pubkey"),
    ("tee-pubkey",),
)


class Run(Protocol):
    """Runs what takes long elsewhere, so that others are served meanwhile."""

    def __call__(self, work: Callable[[], tuple[Judgement, str]], /) -> Awaitable[tuple[Judgement, str]]: ...


@dataclass(frozen=True, slots=True)
class KbsTerms:
    """What the protocol's steps are held to."""

    tokens: Terms
    challenge_lifetime: timedelta
    allow_rsa1_5: bool
    verbose_tokens: bool


@dataclass(frozen=True, slots=True)
class Challenged:
    """The answer to ``/auth``."""

    body: dict[str, Any]
    cookie: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """What a guest wants of its token beyond the default; from the query of ``/attest``."""

    audience: str = ""
    nonce: str = ""
    small: bool = False


@dataclass(frozen=True, slots=True)
class Attested:
    """The answer to ``/attest``."""

    token: str = field(repr=False)
    decision: str


class KbsBroker:
    """The guest's side of the broker.

    ``clock`` gives the aware time, ``new_id`` the id of a decision at a time, ``random`` so many random
    bytes, and ``run`` takes appraisals of long evidence off the way.
    """

    def __init__(
        self,
        *,
        books: CurrentBooks,
        engine: PolicyEngine,
        verifier: EnvironmentVerifier,
        sessions: Sessions,
        decisions: DecisionLog,
        releaser: Releaser,
        terms: KbsTerms,
        clock: Callable[[], datetime],
        new_id: Callable[[datetime], str],
        random: Callable[[int], bytes],
        run: Run,
        events: Events,
    ) -> None:
        self._books, self._engine, self._verifier = books, engine, verifier
        self._sessions, self._decisions, self._releaser = sessions, decisions, releaser
        self._terms, self._clock, self._new_id, self._random = terms, clock, new_id, random
        self._run, self._events = run, events
        self._kept: OrderedDict[str, tuple[Mapping[str, Any], int]] = OrderedDict()
        self._kept_characters = 0

    def use(self, verifier: EnvironmentVerifier) -> None:
        """From now on evidence is verified by ``verifier``."""
        self._verifier = verifier

    def challenge(self, body: bytes) -> Challenged:
        """A challenge for the guest that sent ``body`` to ``/auth``. Nothing is kept.

        Raises:
            FormatError, UnsupportedError: what it says of itself; ``unsupported.policy_id`` if the policy
                that it asks for is not there.
        """
        try:
            challenge = self._challenge(body)
        except EAAError as error:
            self._events.challenged(error)
            raise
        keys = self._books.keys
        cookie = seal_challenge(challenge, (keys.challenge_kid, keys.challenges[keys.challenge_kid]))
        self._events.challenged(None)
        return Challenged(auth_response(challenge), cookie, challenge.expires_at)

    def _challenge(self, body: bytes) -> Challenge:
        request = parse_auth_request(body)
        require_readable(request.tee)
        if request.policy_id and not self._books.policies.knows(request.policy_id):
            raise UnsupportedError(
                f"there is no attestation policy {request.policy_id!r}", detail="policy_id"
            )
        now = self._clock()
        return Challenge(
            self._random(ID_BYTES), self._random(NONCE_BYTES), request.version, request.tee,
            request.policy_id, request.select_hash(), now, now + self._terms.challenge_lifetime,
        )  # fmt: skip

    async def attest(self, body: bytes, cookie: str | None, *, peer: str, asked: Asked) -> Attested:
        """The attestation result for the evidence in ``body``, and from now on for ``cookie``.

        Raises:
            SessionError: no challenge, or one that is not ours, has expired, or is spent.
            EAAError: the evidence is not genuine, not bound, or cannot be appraised; then it is spent too,
                unless it may be tried again because the fault is here.
        """
        now = self._clock()
        challenge = self._opened(cookie, now)
        decision_id = self._new_id(now)
        who = f"{peer} session {challenge.session_id}"
        try:
            work = partial(self._judged, body, challenge, decision_id, now, asked)
            judgement, token = await self._appraised(work, body, challenge, peer)
            decision = appraised(decision_id, now, who, judgement)
            # What the guest wants left out of its token, policies see all the same.
            kept = self._issued(judgement, small=False) if asked.small else token
            await self._sessions.spend(Session(challenge.session_id, kept, challenge.expires_at), decision)
        except EAAError as error:
            self._events.attested(challenge.tee, error)
            error.decision = decision_id
            refusal = not_appraised(decision_id, now, who, challenge.tee.value, "", error)
            await self._refused(error, challenge, refusal)
            raise
        self._events.attested(challenge.tee, None)
        return Attested(token, decision_id)

    async def _appraised(
        self, work: Callable[[], tuple[Judgement, str]], body: bytes, challenge: Challenge, peer: str
    ) -> tuple[Judgement, str]:
        """What ``work`` returns; once more, if endorsements were missing and could be fetched."""
        try:
            return work() if len(body) <= _SHORT_BYTES else await self._run(work)
        except EndorsementNotFound:
            request = parse_attest_request(body, challenge)
            if not await self._verifier.fetch(request, challenge, peer=peer):
                raise
        return work() if len(body) <= _SHORT_BYTES else await self._run(work)

    def _judged(
        self, body: bytes, challenge: Challenge, decision_id: str, now: datetime, asked: Asked
    ) -> tuple[Judgement, str]:
        request = parse_attest_request(body, challenge)
        environments = self._verifier.verify(request, challenge, now=now)
        judgement = judge(
            environments, engine=self._engine, book=self._books.policies, asked_policy=challenge.policy_id,
            terms=self._terms.tokens, token_id=decision_id, now=now, audience=asked.audience,
            nonce=asked.nonce,
        )  # fmt: skip
        return judgement, self._issued(judgement, small=asked.small)

    def _issued(self, judgement: Judgement, *, small: bool) -> str:
        whole = self._terms.verbose_tokens and not small
        claims = judgement.claims if whole else small_claims(judgement.claims)
        return issue_token(claims, self._books.keys.signing)

    async def _refused(self, error: EAAError, challenge: Challenge, decision: Decision) -> None:
        """Keep the refusal. Only one session of an id is ever kept, so that a replay is kept without."""
        if error.retryable or error.code == "limit.rate" or isinstance(error, SessionError):
            await self._decisions.record(decision)
            return
        try:
            await self._sessions.spend(Session(challenge.session_id, None, challenge.expires_at), decision)
        except SessionError:
            await self._decisions.record(decision)

    async def resource(
        self,
        plugin: str,
        path: Sequence[str],
        query: Mapping[str, str],
        *,
        cookie: str | None,
        bearer: str | None,
        peer: str,
    ) -> bytes:
        """A resource as JWE for the key of the guest whose session, or else whose token, holds.

        Raises:
            SessionError: neither holds.
            AccessDenied, ResourceNotFound, FormatError, PolicyError: see :class:`Releaser`.
            UnsupportedError: nothing can be encrypted for the guest's key.
        """
        claims, version = await self._claims(cookie, bearer)
        key = _guest_key(claims, version)
        require_allowed(key, allow_rsa1_5=self._terms.allow_rsa1_5)
        subject = Subject(f"{peer} attestation {claims.get('jti', '')}"[:256], "", "", claims)
        content = await self._releaser.release(subject, plugin, path, query)
        return encrypt(content, key, version=version, allow_rsa1_5=self._terms.allow_rsa1_5)

    async def _claims(
        self, cookie: str | None, bearer: str | None
    ) -> tuple[Mapping[str, Any], ProtocolVersion]:
        now = self._clock()
        try:
            return await self._session_claims(cookie, now)
        except SessionError:
            if bearer is None:
                raise
        return self._believed(bearer, now), ProtocolVersion.V0_4_0

    async def _session_claims(
        self, cookie: str | None, now: datetime
    ) -> tuple[Mapping[str, Any], ProtocolVersion]:
        challenge = self._opened(cookie, now)
        held, _ = self._kept.get(challenge.session_id, (None, 0))
        if held is None:
            session = await self._sessions.read(challenge.session_id)
            if session is None or session.token is None:
                raise SessionError("the session has not attested", detail="not_attested")
            held = token_claims(session.token)
            self._keep(challenge.session_id, held, len(session.token))
        if datetime.fromtimestamp(held["exp"], UTC) <= now:
            raise SessionError("the session's attestation result has expired", detail="expired")
        return held, challenge.version

    def _believed(self, bearer: str, now: datetime) -> dict[str, Any]:
        """Any fault of a token is one of the session: the guest starts over.

        A guest that chooses what its token leaves out would choose what a policy finds missing.

        Raises:
            SessionError: it does not hold.
            AccessDenied: ``access_denied.small_token``, unless all tokens are small.
        """
        try:
            claims = verify_token(
                bearer, now=now, keys=self._books.keys.published, trust_anchors=(),
                issuer=self._terms.tokens.issuer, audience="", nonce="",
            )  # fmt: skip
        except EAAError as error:
            raise SessionError(f"the token does not hold: {error}", detail="token") from None
        if self._terms.verbose_tokens and is_small(claims):
            raise AccessDenied(
                "the token is small: policies are not asked about what a guest left out", detail="small_token"
            )
        return claims

    def _opened(self, cookie: str | None, now: datetime) -> Challenge:
        if cookie is None:
            raise SessionError("the request comes without session and without token", detail="missing")
        return open_challenge(cookie, self._books.keys.challenges, now)

    def _keep(self, session_id: str, held: Mapping[str, Any], characters: int) -> None:
        _, before = self._kept.pop(session_id, (None, 0))  # two requests at once
        self._kept[session_id] = held, characters
        self._kept_characters += characters - before
        while len(self._kept) > _KEPT_SESSIONS or self._kept_characters > _KEPT_CHARACTERS:
            _, (_, gone) = self._kept.popitem(last=False)
            self._kept_characters -= gone


def _guest_key(claims: Mapping[str, Any], version: ProtocolVersion) -> TeePublicKey:
    for place in _KEY_PLACES:
        value: Any = claims
        for name in place:
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is not None:
            return parse_tee_key(value, version)
    raise AccessDenied("the attestation result names no key to encrypt to", detail="no_key")
