"""Configuration of ``verdictd``: flags over environment over file over default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from eaa.appraisal.amd_advisories import AMD_ADVISORIES
from eaa.appraisal.minimum_tcb import parse_minimum_tcb
from eaa.appraisal.policy_snp import SnpPolicy
from eaa.errors import ConfigError, UsageError
from eaa.provider.settings import parse_provider
from eaa.services.configuration import (
    MAX_FILE_BYTES,
    HttpSection,
    LogSection,
    Section,
    load_settings,
    on_loopback,
    require_tls_off_loopback,
    split_address,
    state_directory,
)

__all__ = [
    "MAX_FILE_BYTES",
    "AdminKeyEntry",
    "VerdictdConfig",
    "default_state_directory",
    "load_config",
    "on_loopback",
    "split_address",
]

_PREFIX = "VERDICTD_"
#: Where ``verdict`` finds the service.
_OF_OTHERS = frozenset({"VERDICTD_URL", "VERDICTD_PORT"})
#: What Kubernetes sets in every pod beside a Service of the name ``verdictd``.
_OF_KUBERNETES = ("VERDICTD_PORT_", "VERDICTD_SERVICE_")


class Http(HttpSection):
    """The KBS protocol, and administration over HTTP."""

    listen: str = "127.0.0.1:8080"
    insecure_http: bool = Field(
        default=False,
        description="clear text off loopback: for guests alone, administration is not served then",
    )
    max_head_bytes: int = Field(default=256 * 1024, ge=4096, description="of a request; holds a bearer token")


class Channel(Section):
    """The EAA protocol over attested TLS. An empty ``listen`` switches it off."""

    listen: str = "127.0.0.1:1234"
    tls: str = ""
    crypto: str = ""
    attester: str = ""
    verifier: str = ""
    mutual: bool = Field(
        default=True, description="the peer shows evidence; without, nothing is released to anybody"
    )
    profile: Literal["exporter-v1", "ratls-cert"] = "exporter-v1"
    unsafe_null: bool = False
    max_connections: int = Field(
        default=2000, ge=1, description="at a time to each worker; more are closed at once"
    )
    unread_seconds: float = Field(
        default=60, gt=0, le=3600, description="a peer that takes no answer for that long is cut off"
    )


class ClientApi(Section):
    """Administration over gRPC. An empty ``listen`` switches it off."""

    listen: str = "[::1]:60000"
    certificate: Path | None = None
    private_key: Path | None = None

    @model_validator(mode="after")
    def _safe(self) -> ClientApi:
        require_tls_off_loopback(self.listen or "127.0.0.1:0", self.certificate, self.private_key)
        return self


class Metrics(Section):
    """``/metrics``, ``/healthz`` and ``/readyz`` of their own. An empty ``listen`` switches it off."""

    listen: str = "127.0.0.1:8081"


class Storage(Section):
    """Where everything is kept. Empty values are files in the state directory."""

    url: str = Field(default="", description="sqlite:///PATH or postgresql://USER@HOST/DATABASE")
    master_key: str = Field(default="", description="file:PATH, openbao+https://…, or pkcs11:…")
    former_master_keys: tuple[str, ...] = Field(
        default=(), description="master keys that were changed, until verdictd --rewrap has run"
    )
    refresh_seconds: float = Field(
        default=1, gt=0, le=60, description="how soon another replica's change is seen"
    )


class Snp(Section):
    """What is put up with in SEV-SNP reports, see docs/guide/snp.md."""

    require_vcek: bool = Field(default=False, description="refuse reports signed with a cloud's VLEK")
    allow_masked_chip_id: bool = Field(
        default=False, description="accept reports that do not name their chip"
    )
    allow_provisional_firmware: bool = Field(
        default=False, description="accept firmware that the host can still roll back"
    )
    allow_missing_crl: bool = Field(
        default=False, description="accept reports where there is no revocation list: revoked ones among them"
    )
    max_vmpl: int = Field(default=0, ge=0, le=3, description="of who asked for the report in the guest")
    minimum_tcb: tuple[str, ...] = Field(
        default=(),
        description="least reported and launch TCB, e.g. 'Milan:snp=29,microcode=219', at most one for each "
        "product; once there is one, products without one are refused",
    )
    accepted_advisories: tuple[str, ...] | None = Field(
        default=None,
        description="AMD's bulletins whose fixes a platform may lack, e.g. 'AMD-SB-3027'; []: none, "
        "without the key: any, and policies decide",
    )

    @model_validator(mode="after")
    def _sound(self) -> Snp:
        try:
            self.policy  # noqa: B018 - which refuses what cannot be meant
        except UsageError as error:
            raise ValueError(str(error)) from None
        return self

    @property
    def policy(self) -> SnpPolicy:
        """What is asked of a report before policies: what it runs is theirs.

        Raises:
            UsageError: a minimum TCB or an id is misspelt.
        """
        accepted = self.accepted_advisories
        return SnpPolicy(
            accepted_advisories=frozenset(
                [item.id for item in AMD_ADVISORIES] if accepted is None else accepted
            ),
            minimum_tcb=tuple(parse_minimum_tcb(text) for text in self.minimum_tcb),
            require_vcek=self.require_vcek,
            allow_masked_chip_id=self.allow_masked_chip_id,
            allow_provisional_firmware=self.allow_provisional_firmware,
            refused_guest_policy=frozenset(),
            max_vmpl=self.max_vmpl,
        )


class Verification(Section):
    """What evidence is verified with."""

    collateral: tuple[Path, ...] = Field(default=(), description="endorsements: files and folders")
    trust_anchors: tuple[Path, ...] = Field(
        default=(), description="roots to believe instead of Intel's and AMD's"
    )
    simulated: bool = Field(
        default=False, description="believe the simulated vendor of this user, and nobody else"
    )
    simulated_directory: Path | None = None
    unsafe_sample: bool = Field(default=False, description="accept the TEE 'sample', which proves nothing")
    allow_rsa1_5: bool = Field(default=False, description="wrap for keys that ask for RSA1_5")
    snp: Snp = Field(default_factory=Snp)


class Endorsements(Section):
    """Whom endorsements are fetched from, for evidence that comes without. Without providers nothing is."""

    providers: tuple[str, ...] = Field(
        default=(),
        description="in this order, e.g. 'pccs:https://localhost:8081/sgx/certification/v4/', 'kds'",
    )
    cache: Path | None = Field(default=None, description="folder; by default in the state directory")
    tls_ca: Path | None = Field(default=None, description="the only authorities that may vouch for servers")
    pcs_key_file: Path | None = Field(default=None, description="subscription key of Intel's PCS")
    tcb_update: Literal["standard", "early"] = "standard"
    refresh_seconds: float = Field(
        default=300, ge=1, le=86400, description="how often it is looked what is due"
    )
    fetches_per_minute: int = Field(
        default=60, ge=1,
        description="for platforms that were not seen before, by quotes and by reports each",
    )  # fmt: skip

    @field_validator("providers")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                parse_provider(text)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return value


class Tokens(Section):
    """Attestation results."""

    issuer: str = "verdictd"
    seconds: int = Field(default=300, ge=10, le=86400)
    rotate_days: int = Field(default=30, ge=1, le=3650)
    verbose: bool = Field(default=True, description="with the evidence's claims; without, tokens are small")


class Limits(Section):
    """How much at once."""

    challenge_seconds: int = Field(default=300, ge=10, le=3600)
    auth_per_second: float = Field(
        default=0, ge=0, description="challenges, and as many attestations, for each address; 0: no bound"
    )
    appraisals: int = Field(default=256, ge=1, description="at a time; more wait, and then are refused")


class Decisions(Section):
    """The record of what was decided."""

    keep_days: int = Field(
        default=0, ge=0, le=36500, description="older decisions are removed, of whatever kind; 0: none, ever"
    )


class AdminKeyEntry(Section):
    """Whose tokens are believed on administration."""

    kid: str = Field(min_length=1, max_length=128)
    public_key: Path
    issuer: str = ""
    audience: str = "verdictd"
    roles: tuple[Literal["admin", "provisioner", "reader"], ...] = ("admin",)


class Admin(Section):
    """Who may administrate. Without keys, one is made at the first start in the state directory."""

    keys: tuple[AdminKeyEntry, ...] = ()


class References(Section):
    """Whose reference values are taken. An administrator's token is needed besides."""

    signers: tuple[Path, ...] = Field(default=(), description="Ed25519 public keys, PEM, of signed values")
    require_signed: bool = Field(default=False, description="no other values are taken")

    @model_validator(mode="after")
    def _signers(self) -> References:
        if self.require_signed and not self.signers:
            raise ValueError("require_signed needs signers")
        return self


class VerdictdConfig(BaseSettings):
    """All of it."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=_PREFIX, env_nested_delimiter="__"
    )

    state_directory: Path = Field(default_factory=lambda: default_state_directory(os.environ))
    workers: int = Field(default=1, ge=1, le=64)
    drain_seconds: float = Field(default=20, ge=0, le=3600)
    http: Http = Field(default_factory=Http)
    channel: Channel = Field(default_factory=Channel)
    client_api: ClientApi = Field(default_factory=ClientApi)
    metrics: Metrics = Field(default_factory=Metrics)
    storage: Storage = Field(default_factory=Storage)
    verification: Verification = Field(default_factory=Verification)
    endorsements: Endorsements = Field(default_factory=Endorsements)
    tokens: Tokens = Field(default_factory=Tokens)
    limits: Limits = Field(default_factory=Limits)
    decisions: Decisions = Field(default_factory=Decisions)
    admin: Admin = Field(default_factory=Admin)
    references: References = Field(default_factory=References)
    log: LogSection = Field(default_factory=LogSection)

    @property
    def storage_url(self) -> str:
        return self.storage.url or f"sqlite:///{self.state_directory / 'verdictd.sqlite'}"

    @property
    def master_key(self) -> str:
        return self.storage.master_key or f"file:{self.state_directory / 'master.key'}"


def load_config(
    file: Path | None, flags: Mapping[str, Any], environment: Mapping[str, str]
) -> VerdictdConfig:
    """The configuration of ``file``, if any, overridden by ``environment``, overridden by ``flags``.

    As :func:`eaa.services.configuration.load_settings` has it.

    Raises:
        ConfigError: names the file, or the variable, or the flag's key, and what is wrong with it.
    """
    return load_settings(
        VerdictdConfig, file, flags, environment,
        prefix=_PREFIX, of_others=_OF_OTHERS, of_kubernetes=_OF_KUBERNETES,
    )  # fmt: skip


def default_state_directory(environment: Mapping[str, str]) -> Path:
    """``/var/lib/verdictd`` for root, else below the user's state directory."""
    return state_directory("verdictd", environment)
