"""The options of every command that opens or serves attested channels, and the configuration they make."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from eaa.appraisal.policy import Policy
from eaa.appraisal.policy_snp import SnpPolicy
from eaa.appraisal.reference_values import parse_reference_values
from eaa.attester.instances import AttesterOptions, choose_attester
from eaa.attester.simulated_amd_store import SimulatedAmdStore
from eaa.attester.simulated_store import SimulatedStore, simulated_directory
from eaa.cli.anchors import load_anchors
from eaa.cli.files import load_collateral, load_input
from eaa.cli.options import with_options
from eaa.cli.params import StatusList
from eaa.cli.provider_options import ProviderOptions, provider_options
from eaa.cli.provider_verifier import blocking_provide
from eaa.cli.simulated_fields import simulated_fields
from eaa.cli.simulated_snp_fields import simulated_snp_guest
from eaa.cli.snp_options import SNP_OPTIONS, snp_options, snp_policy
from eaa.endorsements.amd_roots import AMD_ARKS
from eaa.endorsements.bundle import read_endorsement_folder, read_endorsements
from eaa.endorsements.hygon_roots import HYGON_HRKS
from eaa.endorsements.pool import EndorsementPool, merge
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.endorsements.tcb import TcbStatus
from eaa.endorsements.x509 import Certificate
from eaa.errors import ConfigError, FormatError, UsageError
from eaa.services.fetching_verifier import ProvidedAttester, with_provider
from eaa.tls.instances import SIMULATED, SIMULATED_SNP, VERIFIERS, find_instance, require_crypto, require_tls
from eaa.tls.peer import Attester, PeerVerifier, Profile
from eaa.tls.verifiers import EvidenceVerifier, make_verifier
from eaa.transport.config import ChannelConfig
from eaa.verify.dcap import Memo

__all__ = [
    "LOG_LEVELS",
    "ChannelOptions",
    "build_channel_config",
    "channel_options",
]

F = TypeVar("F", bound=Callable[..., Any])

#: As the originals spell them.
LOG_LEVELS = ("debug", "info", "warn", "error", "fatal", "off")
#: Chains, identities, TCB infos and revocation lists of a few hundred platforms.
_MEMO_ENTRIES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelOptions:
    """What the options of :func:`channel_options` say. Empty names select automatically.

    ``log_level`` is ``None`` where the command line names none. ``allow_missing_crl`` is about SNP reports,
    see :func:`make_verifier`.
    """

    attester: str = ""
    verifier: str = ""
    tls: str = ""
    crypto: str = ""
    mutual: bool = False
    log_level: str | None = None
    profile: Profile = Profile.EXPORTER_V1
    collateral: tuple[str, ...] = ()
    trust_anchor: tuple[str, ...] = ()
    reference: str | None = None
    accept_status: frozenset[TcbStatus] = frozenset()
    allow_debug: bool = False
    snp: SnpPolicy = field(default_factory=SnpPolicy)
    allow_missing_crl: bool = False
    unsafe_null: bool = False
    simulated_dir: str | None = None
    providers: ProviderOptions = field(default_factory=ProviderOptions)

    @classmethod
    def take(cls, values: dict[str, Any]) -> ChannelOptions:
        """Those of click's ``values``; they are removed, so that a command's own are left.

        Raises:
            UsageError: those about SNP contradict each other, or an id is misspelt.
        """
        mine = {name: values.pop(name) for name in cls.__slots__ if name in values}
        mine["profile"] = Profile(mine["profile"])
        mine["accept_status"] = frozenset[TcbStatus]().union(*mine["accept_status"])
        snp = snp_policy({name: values.pop(name) for name in SNP_OPTIONS})
        return cls(**mine, snp=snp, providers=ProviderOptions.take(values))

    @property
    def simulated_store(self) -> SimulatedStore:
        """Of ``--simulated-dir``, else of the environment or this user."""
        named = self.simulated_dir
        return SimulatedStore(Path(named) if named else simulated_directory(os.environ))

    def policy(self) -> Policy:
        """What is accepted of a peer, with ``--reference`` if it was given.

        Raises:
            UsageError, ConfigError: the file cannot be read, or is none of reference values.
        """
        name = self.reference
        try:
            reference = parse_reference_values(load_input(name)) if name is not None else None
        except FormatError as error:
            raise ConfigError(f"{name}: {error}", detail="reference_values", file=name) from None
        return Policy(
            accepted_statuses=self.accept_status or frozenset({TcbStatus.UP_TO_DATE}),
            allow_debug=self.allow_debug,
            reference_values=reference,
            snp=self.snp,
        )


def channel_options(short: str = "", *, log_level: str = "info") -> Callable[[F], F]:
    """All options, for :meth:`ChannelOptions.take`; ``short`` has the letters to give: of ``avtcml``.

    ``log_level`` is what the help says is the default.
    """

    def decorate(function: F) -> F:
        return with_options(snp_options(provider_options(function)), _options(short, log_level))

    return decorate


def _options(short: str, log_level: str) -> list[Callable[[Any], Any]]:
    def option(name: str, letter: str = "", **settings: Any) -> Callable[[Any], Any]:
        names = (f"-{letter}", name) if letter and letter in short else (name,)
        return click.option(*names, **settings)

    return [
        option("--attester", "a", default="", metavar="NAME",
               help="Who collects this end's evidence.  [default: the best that works here]"),
        option("--verifier", "v", default="", metavar="NAME",
               help="Who decides about the peer's evidence.  [default: by its kind]"),
        option("--tls", "t", default="", metavar="NAME", help="TLS library: openssl."),
        option("--crypto", "c", default="", metavar="NAME", help="Crypto library: openssl."),
        option("--mutual", "m", is_flag=True, help="Both ends show evidence."),
        option("--log-level", "l", type=click.Choice(LOG_LEVELS, case_sensitive=False),
               help=f"Least severe messages that are shown.  [default: {log_level}]"),
        option("--profile", type=click.Choice([str(item) for item in Profile]),
               default=str(Profile.EXPORTER_V1), show_default=True,
               help="How evidence is bound to the channel; the same at both ends."),
        option("--collateral", multiple=True, metavar="PATH",
               help="Own endorsements, preferred to what peers attach: a file or a folder. Repeatable."),
        option("--trust-anchor", multiple=True, metavar="FILE",
               help="Root certificate, PEM or DER, to trust instead of the vendors'. Repeatable."),
        option("--reference", metavar="FILE",
               help="Reference values that the peer's measurements must match."),
        option("--accept-status", type=StatusList(), multiple=True, metavar="STATUS",
               help="TCB statuses to accept. Repeatable, or separated by commas.  [default: UpToDate]"),
        option("--allow-debug", is_flag=True, help="Accept evidence of a debug enclave, TD or guest."),
        option("--unsafe-null", is_flag=True,
               help="Allow nullattester and nullverifier to be named: nothing is proven then."),
        option("--simulated-dir", metavar="DIR",
               help="Folder of the simulated vendor.  [env: EAA_SIMULATED_DIR]"),
    ]  # fmt: skip


def build_channel_config(
    options: ChannelOptions,
    *,
    needs_attester: bool,
    needs_verifier: bool,
    policy: Policy | None = None,
) -> tuple[ChannelConfig, tuple[str, ...]]:
    """The configuration, and what is to be said once before it is used.

    ``mutual`` needs both an attester and a verifier, whatever the flags say. ``policy`` replaces that of
    the options. Providers that the options name are asked for endorsements that a peer, or the own
    attester, does not attach.

    Raises:
        UsageError, ConfigError, UnsupportedError, AttesterError: what is named cannot be had, and why.
    """
    require_tls(options.tls)
    require_crypto(options.crypto)
    notes: list[str] = []
    verifier = None
    if needs_verifier or options.mutual:
        verifier = _verifier(options, policy, notes)
    attester = _attester(options, notes) if needs_attester or options.mutual else None
    providers = options.providers.settings()
    if providers is not None:
        provide = blocking_provide(providers, _anchors(options))
        verifier = verifier and with_provider(verifier, provide)
        attester = attester and ProvidedAttester(attester, provide)
    config = ChannelConfig(
        attester=attester,
        verifier=verifier,
        profile=options.profile,
        mutual=options.mutual,
    )
    return config, tuple(notes)


def _attester(options: ChannelOptions, notes: list[str]) -> Attester:
    settings = AttesterOptions(simulated_directory=options.simulated_store.directory)
    if options.attester == SIMULATED_SNP:
        guest = simulated_snp_guest(os.environ)
        settings = replace(
            settings,
            simulated_fields=guest.fields,
            simulated_machine=guest.machine,
            simulated_debug=guest.debug,
        )
    else:
        settings = replace(settings, simulated_fields=simulated_fields(options.attester, os.environ))
    chosen = choose_attester(
        options.attester, root=Path("/"), options=settings, allow_null=options.unsafe_null
    )
    notes += [f"attester {item.name} is passed over: {item.reason}" for item in chosen.passed_over]
    return chosen.attester


def _verifier(options: ChannelOptions, policy: Policy | None, notes: list[str]) -> PeerVerifier:
    policy = policy or options.policy()
    verifier = make_verifier(
        options.verifier,
        policy=policy,
        pool=_pool(options, notes),
        trust_anchors=_anchors(options),
        memo=Memo(_MEMO_ENTRIES),
        allow_null=options.unsafe_null,
        hygon_anchors=() if options.trust_anchor else HYGON_HRKS,
        allow_missing_crl=options.allow_missing_crl,
    )
    notes += verifier.notes
    if isinstance(verifier, EvidenceVerifier) and policy.reference_values is None:
        notes.append("no measurement is compared: there is no --reference; any code passes")
    return verifier


def _pool(options: ChannelOptions, notes: list[str]) -> EndorsementPool | None:
    files = load_collateral(options.collateral)
    if not files:
        return None
    named = (read_endorsements(name, data) for name, data in files.named.items())
    pool = merge([*named, read_endorsement_folder(files.found)])
    notes += [f"{name}: not an endorsement that is known, ignored" for name in pool.ignored]
    return pool


def _anchors(options: ChannelOptions) -> tuple[Certificate, ...]:
    """Of ``simulated`` its vendors' roots alone; else those that were named, or Intel's and AMD's."""
    simulated = options.verifier and find_instance(VERIFIERS, "verifier", options.verifier).name == SIMULATED
    if not simulated:
        return load_anchors(options.trust_anchor) or (*INTEL_SGX_ROOTS, *AMD_ARKS)
    if options.trust_anchor:
        raise UsageError(
            "--verifier simulated believes the roots in its own folder; --trust-anchor does not go with it",
            detail="trust_anchors",
        )
    store, now = options.simulated_store, datetime.now(UTC)
    amd = SimulatedAmdStore(store)
    # Its keys take seconds to make: not for those who have other evidence.
    arks = amd.trust_anchors(now=now) if options.verifier == SIMULATED_SNP else amd.known_anchors()
    return (store.trust_anchor(now=now), *arks)
