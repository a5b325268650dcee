"""What ``verdictd`` verifies evidence with, and its own evidence for the attested channel."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from eaa.appraisal.policy import Policy
from eaa.attester.instances import AttesterOptions, choose_attester
from eaa.attester.simulated_amd_store import SimulatedAmdStore
from eaa.attester.simulated_attester import StoredSimulatedAttester
from eaa.attester.simulated_snp_attester import SimulatedSnpMachine, StoredSimulatedSnpAttester
from eaa.attester.simulated_store import SimulatedStore, simulated_directory
from eaa.cli.anchors import load_anchors
from eaa.cli.files import load_collateral
from eaa.endorsements.amd_roots import AMD_ARKS
from eaa.endorsements.bundle import read_endorsement_folder, read_endorsements
from eaa.endorsements.hygon_roots import HYGON_HRKS
from eaa.endorsements.pool import EndorsementPool, merge
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.endorsements.tcb import TcbStatus
from eaa.endorsements.x509 import Certificate
from eaa.errors import AttesterError, UsageError
from eaa.services.verdictd.config import VerdictdConfig
from eaa.services.verdictd.core import EvidenceSource
from eaa.tls.instances import SIMULATED, require_crypto, require_tls
from eaa.tls.peer import Endorsements, EvidenceKind, Profile
from eaa.tls.verifiers import EvidenceVerifier, NullVerifier, make_verifier
from eaa.transport.config import ChannelConfig
from eaa.verify.dcap import Memo

__all__ = ["channel_config", "evidence_source"]

#: Chains, identities, TCB infos and revocation lists of a few hundred platforms, and their attestation keys.
_MEMO_ENTRIES = 65536
#: The simulated vendor's endorsements change once in 14 days, and each overlaps the next.
_SIMULATED_SECONDS = 60.0
#: What is acceptable the broker's policies decide; before, only what no policy may leave open is asked.
_STATUSES = frozenset(TcbStatus) - {TcbStatus.REVOKED}


def evidence_source(config: VerdictdConfig) -> tuple[EvidenceSource, tuple[str, ...]]:
    """What guests' evidence is verified with, and what is to be said of it.

    Raises:
        UsageError, ConfigError, FormatError: a file cannot be used, and why.
    """
    verification = config.verification
    pool, notes = _pool(verification.collateral)
    verifier = _verifier(SIMULATED if verification.simulated else "", config, pool, allow_null=False)
    if not isinstance(verifier, EvidenceVerifier):
        raise UsageError("guests' evidence is verified, never taken as it is", detail="verifier")
    notes += verifier.notes
    if verification.unsafe_sample:
        notes.append("unsafe_sample: evidence of the TEE 'sample' is taken, which proves nothing")
    if pool is None and not verification.simulated and not config.endorsements.providers:
        notes.append(
            "there are no endorsements: no evidence that comes without can be verified "
            "(collateral, endorsements.providers)"
        )
    attached = _simulated_collateral(_store(config)) if verification.simulated else (lambda kind: None)
    return EvidenceSource(verifier, attached, _anchors(config)), tuple(notes)


def channel_config(
    config: VerdictdConfig, evidence: EvidenceSource
) -> tuple[ChannelConfig | None, tuple[str, ...]]:
    """The attested channel's configuration, ``None`` if it is switched off, and what is to be said of it.

    Raises:
        UsageError, ConfigError, UnsupportedError, AttesterError: what is named cannot be had, and why.
    """
    channel = config.channel
    if not channel.listen:
        return None, ()
    require_tls(channel.tls)
    require_crypto(channel.crypto)
    settings = AttesterOptions(simulated_directory=_store(config).directory, simulated_fields={})
    try:
        chosen = choose_attester(
            channel.attester, root=Path("/"), options=settings, allow_null=channel.unsafe_null
        )
    except AttesterError as error:
        raise AttesterError(
            f"{error}. Without an attester there is no attested channel: --listen '' switches it off",
            detail="none",
        ) from None
    notes = [f"attester {item.name} is passed over: {item.reason}" for item in chosen.passed_over]
    verifier: EvidenceVerifier | NullVerifier = evidence.verifier
    if channel.verifier:
        pool, _ = _pool(config.verification.collateral)
        verifier = _verifier(channel.verifier, config, pool, allow_null=channel.unsafe_null)
    if not channel.mutual:
        notes.append("the channel's peers show no evidence (mutual = false): nothing is released to them")
    profile = Profile(channel.profile)
    renews = channel.mutual and profile is Profile.EXPORTER_V1
    made = ChannelConfig(
        attester=chosen.attester,
        verifier=verifier if channel.mutual else None,
        profile=profile,
        mutual=channel.mutual,
        max_connections=channel.max_connections,
        unread_seconds=channel.unread_seconds,
        # Evidence on a channel is good for as long as a token.
        reattest_seconds=config.tokens.seconds if renews else None,
    )
    return made, tuple(notes)


def _pool(paths: tuple[Path, ...]) -> tuple[EndorsementPool | None, list[str]]:
    files = load_collateral(str(path) for path in paths)
    if not files:
        return None, []
    named = (read_endorsements(name, data) for name, data in files.named.items())
    pool = merge([*named, read_endorsement_folder(files.found)])
    return pool, [f"{name}: not an endorsement that is known, ignored" for name in pool.ignored]


def _verifier(
    name: str, config: VerdictdConfig, pool: EndorsementPool | None, *, allow_null: bool
) -> EvidenceVerifier | NullVerifier:
    verification = config.verification
    snp = verification.snp
    policy = Policy(accepted_statuses=_STATUSES, allow_debug=True, snp=snp.policy)
    return make_verifier(
        name, policy=policy, pool=pool, trust_anchors=_anchors(config), memo=Memo(_MEMO_ENTRIES),
        allow_null=allow_null, allow_missing_crl=snp.allow_missing_crl,
        hygon_anchors=() if verification.simulated or verification.trust_anchors else HYGON_HRKS,
    )  # fmt: skip


def _store(config: VerdictdConfig) -> SimulatedStore:
    return SimulatedStore(config.verification.simulated_directory or simulated_directory(os.environ))


def _anchors(config: VerdictdConfig) -> tuple[Certificate, ...]:
    named = config.verification.trust_anchors
    if not config.verification.simulated:
        return load_anchors(str(path) for path in named) or (*INTEL_SGX_ROOTS, *AMD_ARKS)
    if named:
        raise UsageError(
            "simulated believes one root, and trust_anchors are given too", detail="trust_anchors"
        )
    store, now = _store(config), datetime.now(UTC)
    return (store.trust_anchor(now=now), *SimulatedAmdStore(store).trust_anchors(now=now))


def _simulated_collateral(store: SimulatedStore) -> Callable[[EvidenceKind], Endorsements | None]:
    """The simulated vendors' endorsements of the day, for guests that cannot attach them."""
    attesters: dict[EvidenceKind, StoredSimulatedAttester | StoredSimulatedSnpAttester] = {
        EvidenceKind.SGX_QUOTE: StoredSimulatedAttester(
            SIMULATED, "sgx", store=store, now=lambda: datetime.now(UTC), fields={}, debug=False
        ),
        EvidenceKind.TDX_QUOTE: StoredSimulatedAttester(
            SIMULATED, "tdx", store=store, now=lambda: datetime.now(UTC), fields={}, debug=False
        ),
        EvidenceKind.SNP_REPORT: StoredSimulatedSnpAttester(
            store=SimulatedAmdStore(store), now=lambda: datetime.now(UTC), machine=SimulatedSnpMachine(),
            fields={}, debug=False,
        ),
    }  # fmt: skip

    known: dict[EvidenceKind, tuple[float, Endorsements]] = {}

    def attached(kind: EvidenceKind) -> Endorsements | None:
        if kind not in attesters:
            return None
        now = time.monotonic()
        until, collateral = known.get(kind, (0.0, None))
        if collateral is None or now >= until:
            collateral = attesters[kind].collateral()
            known[kind] = (now + _SIMULATED_SECONDS, collateral)
        return collateral

    return attached
