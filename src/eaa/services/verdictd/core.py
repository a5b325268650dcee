"""What one process of verdictd decides with: storage, keys, policies, engine, broker, administration."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from eaa import __version__
from eaa.appraisal.ear import EarVerifier
from eaa.broker.admin_credentials import AdminCredentials, AdminKey
from eaa.broker.administration import Administration
from eaa.broker.administration.signed_references import ReferenceSigners
from eaa.broker.decision_id import RANDOM_BYTES, decision_id
from eaa.broker.judgement import Judgement, Terms
from eaa.broker.kbs_broker import KbsBroker, KbsTerms
from eaa.broker.key_book import Rotation
from eaa.broker.release import Events, Releaser
from eaa.broker.verified_environment import EnvironmentVerifier, ProvidedEndorsements
from eaa.endorsements.x509 import Certificate
from eaa.errors import ConfigError, LimitExceeded
from eaa.policy.regorus_engine import RegorusEngine
from eaa.policy.trial import TrialEngine
from eaa.services.verdictd.admin_key import load_or_create_admin_key
from eaa.services.verdictd.books import Books
from eaa.services.verdictd.config import AdminKeyEntry, VerdictdConfig
from eaa.services.verdictd.seeds import ensure_policies
from eaa.storage.database.database import ConnectedDatabase, Database
from eaa.storage.sealing.envelope import Envelope
from eaa.storage.sealing.uri import check_master_key, open_master_key
from eaa.tls.evidence_verifier import EvidenceVerifier
from eaa.tls.peer import Endorsements, EvidenceKind

__all__ = [
    "Core",
    "EvidenceSource",
    "check_master_keys",
    "clock",
    "environment_verifier",
    "new_data_key",
    "new_id",
    "open_core",
    "rewrap",
]

#: Waiting for one of the appraisals under way; more are refused.
_WAITING_FACTOR = 4


def clock() -> datetime:
    """The aware time."""
    return datetime.now(UTC)


def new_id(at: datetime) -> str:
    """An id for a decision made at that time."""
    return decision_id(at, secrets.token_bytes(RANDOM_BYTES))


@dataclass(frozen=True, slots=True)
class EvidenceSource:
    """What guests' evidence is verified with, see :class:`EnvironmentVerifier`."""

    verifier: EvidenceVerifier
    attached: Callable[[EvidenceKind], Endorsements | None]
    trust_anchors: tuple[Certificate, ...] = ()  # by which fetched endorsements are judged


@dataclass(frozen=True, slots=True)
class Core:
    """All of it, started."""

    database: Database
    books: Books
    engine: RegorusEngine
    releaser: Releaser
    broker: KbsBroker
    terms: Terms
    administration: Administration
    credentials: AdminCredentials
    appraisals: Appraisals
    notes: tuple[str, ...]

    async def close(self) -> None:
        """Write what waits, and give everything back."""
        await self.books.stop()
        self.appraisals.close()
        await self.database.close()


class Appraisals:
    """Threads that verify and appraise, and a bound on how many wait for them."""

    def __init__(self, limit: int) -> None:
        self._threads = ThreadPoolExecutor(min(4, (os.cpu_count() or 1) + 1), "appraisal")
        self._limit, self._under_way = limit * _WAITING_FACTOR, 0

    async def __call__(self, work: Callable[[], tuple[Judgement, str]]) -> tuple[Judgement, str]:
        """What ``work`` returns.

        Raises:
            LimitExceeded: ``limit.rate``: too many wait.
        """
        if self._under_way >= self._limit:
            raise LimitExceeded(f"{self._under_way} appraisals are under way", detail="rate")
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._under_way -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


async def open_core(
    config: VerdictdConfig,
    evidence: EvidenceSource,
    events: Events,
    provided: ProvidedEndorsements | None = None,
) -> Core:
    """Open the storage, make what a first start needs, and put the parts together.

    Raises:
        ConfigError: what is configured cannot be had, and why.
        StorageError: the storage or the master key does not answer.
    """
    notes: list[str] = []
    connected = await ConnectedDatabase.connect(config.storage_url)
    try:
        database = connected.with_sealer(await _envelope(config, connected))
        seeded = await ensure_policies(database.policies, now=clock())
        notes += [f"no policy was set: {name} is our default" for name in seeded]
        books = Books(
            database, rotation=_rotation(config), issuer=config.tokens.issuer, clock=clock,
            refresh_seconds=config.storage.refresh_seconds,
        )  # fmt: skip
        await books.start()
    except BaseException:
        await connected.close()
        raise
    engine = RegorusEngine()
    terms = _terms(config)
    releaser = Releaser(
        books=books, engine=engine, resources=database.resources, keys=database.keys,
        decisions=database.decisions, clock=clock, new_id=new_id, events=events,
    )  # fmt: skip
    appraisals = Appraisals(config.limits.appraisals)
    broker = KbsBroker(
        books=books, engine=engine,
        verifier=environment_verifier(config, evidence, provided),
        sessions=database.sessions, decisions=database.decisions, releaser=releaser, terms=terms, clock=clock,
        new_id=new_id, random=secrets.token_bytes, run=appraisals, events=events,
    )  # fmt: skip
    administration = Administration(
        database, TrialEngine(), now=clock, new_id=new_id, random=secrets.token_bytes,
        aside=asyncio.to_thread, signers=_signers(config),
    )  # fmt: skip
    credentials, said = _credentials(config)
    return Core(
        database, books, engine, releaser, broker, terms.tokens, administration, credentials, appraisals,
        (*notes, *said),
    )  # fmt: skip


def check_master_keys(config: VerdictdConfig) -> None:
    """Hold if the configured master keys can be opened; nothing is made, and no service is asked.

    Raises:
        ConfigError: ``config.master_key``.
    """
    check_master_key(config.master_key)
    for uri in config.storage.former_master_keys:
        open_master_key(uri, create=False)


async def rewrap(config: VerdictdConfig) -> int:
    """Wrap all data keys with the configured master key, whichever had wrapped them; how many.

    Raises:
        ConfigError, StorageError: a master key, or the storage, cannot be had.
    """
    connected = await ConnectedDatabase.connect(config.storage_url)
    try:
        master = await asyncio.to_thread(open_master_key, config.master_key)
        return await (await _envelope(config, connected)).rewrap(master)
    finally:
        await connected.close()


async def new_data_key(config: VerdictdConfig) -> str:
    """Seal under a new data key from now on, running processes within a minute; its id.

    Raises:
        ConfigError, StorageError: the master key, or the storage, cannot be had.
    """
    connected = await ConnectedDatabase.connect(config.storage_url)
    try:
        return await (await _envelope(config, connected)).rotate_data_key()
    finally:
        await connected.close()


async def _envelope(config: VerdictdConfig, connected: ConnectedDatabase) -> Envelope:
    master = await asyncio.to_thread(open_master_key, config.master_key)
    former = [
        await asyncio.to_thread(open_master_key, uri, create=False)
        for uri in config.storage.former_master_keys
    ]
    return Envelope(master, connected.data_keys, also=former)


def environment_verifier(
    config: VerdictdConfig, evidence: EvidenceSource, provided: ProvidedEndorsements | None = None
) -> EnvironmentVerifier:
    """What guests' evidence is verified with."""
    return EnvironmentVerifier(
        evidence.verifier, evidence.attached, config.verification.unsafe_sample, provided
    )


def _terms(config: VerdictdConfig) -> KbsTerms:
    tokens = config.tokens
    return KbsTerms(
        Terms(
            tokens.issuer,
            EarVerifier("https://github.com/inclavare-containers", f"eaa {__version__}"),
            timedelta(seconds=tokens.seconds),
        ),
        timedelta(seconds=config.limits.challenge_seconds),
        config.verification.allow_rsa1_5,
        tokens.verbose,
    )


def _rotation(config: VerdictdConfig) -> Rotation:
    """A key is published early enough for key sets that are fetched every ten minutes."""
    believed = max(config.tokens.seconds, config.limits.challenge_seconds)
    return Rotation(
        timedelta(days=config.tokens.rotate_days), timedelta(minutes=20), timedelta(seconds=believed + 3600)
    )


def _credentials(config: VerdictdConfig) -> tuple[AdminCredentials, tuple[str, ...]]:
    if config.admin.keys:
        return AdminCredentials(_configured(entry) for entry in config.admin.keys), ()
    with contextlib.suppress(OSError):  # what cannot be made is said of the folder in it
        config.state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = config.state_directory / "admin"
    key, made = load_or_create_admin_key(folder)
    return AdminCredentials([key.public]), ((f"made the administrator's key in {folder}",) if made else ())


def _configured(entry: AdminKeyEntry) -> AdminKey:
    return AdminKey(
        entry.kid,
        _public_key(entry.public_key),
        roles=frozenset(entry.roles),
        audience=entry.audience or None,
        issuer=entry.issuer or None,
    )


def _signers(config: VerdictdConfig) -> ReferenceSigners:
    keys = []
    for path in config.references.signers:
        key = _public_key(path, "reference_signer")
        if not isinstance(key, Ed25519PublicKey):
            raise ConfigError(
                f"{path}: expected an Ed25519 public key", detail="reference_signer", file=str(path)
            )
        keys.append(key)
    return ReferenceSigners.of(keys, required=config.references.require_signed)


def _public_key(path: Path, detail: str = "admin_key") -> Ed25519PublicKey | EllipticCurvePublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", detail=detail, file=str(path)) from None
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey | EllipticCurvePublicKey):
        raise ConfigError(
            f"{path}: expected a public key, Ed25519 or P-256, in PEM", detail=detail, file=str(path)
        )
    return key
