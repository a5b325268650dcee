"""Configuration of ``pccs``: flags over environment over file over default."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from eaa.endorsements.kds_address import KDS_URL
from eaa.errors import ConfigError
from eaa.provider.addresses import HYGON_URL, PCS_URL, alibaba_cloud_url
from eaa.services.configuration import (
    HttpSection,
    LogSection,
    Section,
    load_settings,
    state_directory,
)

__all__ = ["INTEL_PCS", "Mode", "PccsConfig", "load_config"]

#: Intel's own service [PCS-API v4].
INTEL_PCS = f"{PCS_URL}/sgx/certification/v4/"
_PREFIX = "PCCS_"
#: What clients of a PCCS read, not the service.
_OF_OTHERS = frozenset({"PCCS_URL", "PCCS_PORT"})
_OF_KUBERNETES = ("PCCS_PORT_", "PCCS_SERVICE_")
_TOKEN_HASH = re.compile("[0-9a-f]{128}")


class Mode(StrEnum):
    """What is done about an endorsement that is not there, as PCCS calls it."""

    LAZY = "lazy"  # fetched when it is asked for
    REQ = "req"  # fetched when a platform registers
    OFFLINE = "offline"  # never fetched: an administrator puts it


class Http(HttpSection):
    """Where clients ask."""

    listen: str = "127.0.0.1:8081"
    insecure_http: bool = Field(
        default=False, description="clear text off loopback; tokens are not taken then"
    )
    max_connections: int = Field(default=4000, ge=1)
    request_seconds: float = Field(default=60, gt=0, le=600)


class Metrics(Section):
    """``/metrics``, ``/healthz`` and ``/readyz`` of their own. An empty ``listen`` switches it off."""

    listen: str = "127.0.0.1:8082"


class Storage(Section):
    """Where everything is kept. An empty value is a file in the state directory."""

    url: str = Field(default="", description="sqlite:///PATH or postgresql://USER@HOST/DATABASE")


class Tokens(Section):
    """SHA-512 of the tokens, 128 hexadecimal digits. Without one, nobody has that role."""

    admin_sha512: str = Field(default="", description="puts collateral, lists platforms, refreshes")
    user_sha512: str = Field(default="", description="registers platforms")

    @field_validator("admin_sha512", "user_sha512")
    @classmethod
    def _hash(cls, value: str) -> str:
        if value and not _TOKEN_HASH.fullmatch(value.lower()):
            raise ValueError("expected SHA-512 in 128 hexadecimal digits: printf %s TOKEN | sha512sum")
        return value.lower()


class Upstream(Section):
    """Who is asked. An empty URL switches a vendor off."""

    url: str = Field(default=INTEL_PCS, description="of PCS or a PCCS, up to and with /v4/")
    kind: Literal["pcs", "pccs"] = Field(default="pcs", description="what answers there")
    region: str = Field(default="", description="of Alibaba Cloud, whose PCCS is asked then, e.g. cn-beijing")
    vpc: bool = Field(default=False, description="by the region's address inside a VPC")
    api_key: str = Field(default="", description="Ocp-Apim-Subscription-Key", repr=False)
    api_key_file: Path | None = None
    certificates_url: str = Field(default="", description="where the root CA's revocation list is; Intel's")
    amd_url: str = KDS_URL
    hygon_url: str = HYGON_URL
    authorities: Path | None = Field(default=None, description="PEM of those who vouch for upstream's TLS")
    proxy: str = Field(default="", description="http://HOST:PORT")
    seconds: float = Field(default=20, gt=0, le=120, description="for one answer, from first to last byte")
    concurrency: int = Field(default=8, ge=1, le=256, description="requests at a time")

    @model_validator(mode="after")
    def _checked(self) -> Upstream:
        if self.region:
            try:
                alibaba_cloud_url(self.region)
            except ConfigError as error:
                raise ValueError(f"region: {error}") from None
        return self

    @property
    def pcs_url(self) -> str:
        """Of PCS or PCCS, up to and with ``/v4/``; empty if there is none."""
        url = alibaba_cloud_url(self.region, vpc=self.vpc) if self.region else self.url
        return url if not url or url.endswith("/") else f"{url}/"

    @property
    def is_pccs(self) -> bool:
        """Whether a PCCS answers there."""
        return bool(self.region) or self.kind == "pccs"


class Cache(Section):
    """What is kept, for how long, and when it is fetched anew."""

    refresh_hours: float = Field(default=24, gt=0, le=24 * 30, description="of documents, at the latest")
    platform_refresh_days: float = Field(default=7, ge=0, le=365, description="of PCK certificates; 0: never")
    refresh_per_second: float = Field(default=5, gt=0, le=1000, description="how many are fetched anew")
    negative_seconds: float = Field(
        default=300, ge=0, le=86400, description="how long «there is none» is believed"
    )
    serve_expired: bool = Field(
        default=False, description="serve what has expired where there is nothing better"
    )
    warn_days: float = Field(default=3, ge=0, description="/readyz names what expires within")


class Verification(Section):
    """What is believed."""

    trust_anchors: tuple[Path, ...] = Field(
        default=(), description="roots to believe instead of the vendors'; then none of Hygon's is"
    )


class Limits(Section):
    """How much at once."""

    misses_per_second: float = Field(
        default=20, ge=0, description="questions that need upstream, of each address; 0: no bound"
    )
    per_second: float = Field(default=0, ge=0, description="requests of each address; 0: no bound")


class PccsConfig(BaseSettings):
    """All of it."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=_PREFIX, env_nested_delimiter="__"
    )

    mode: Mode = Mode.LAZY
    state_directory: Path = Field(default_factory=lambda: state_directory("pccs", os.environ))
    workers: int = Field(default=1, ge=1, le=64)
    drain_seconds: float = Field(default=20, ge=0, le=3600)
    http: Http = Field(default_factory=Http)
    metrics: Metrics = Field(default_factory=Metrics)
    storage: Storage = Field(default_factory=Storage)
    tokens: Tokens = Field(default_factory=Tokens)
    upstream: Upstream = Field(default_factory=Upstream)
    cache: Cache = Field(default_factory=Cache)
    verification: Verification = Field(default_factory=Verification)
    limits: Limits = Field(default_factory=Limits)
    log: LogSection = Field(default_factory=LogSection)

    @field_validator("mode", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @property
    def storage_url(self) -> str:
        return self.storage.url or f"sqlite:///{self.state_directory / 'pccs.sqlite'}"


def load_config(file: Path | None, flags: Mapping[str, Any], environment: Mapping[str, str]) -> PccsConfig:
    """The configuration of ``file``, if any, overridden by ``environment``, overridden by ``flags``.

    As :func:`eaa.services.configuration.load_settings` has it.

    Raises:
        ConfigError: names the file, or the variable, or the flag's key, and what is wrong with it.
    """
    return load_settings(
        PccsConfig, file, flags, environment,
        prefix=_PREFIX, of_others=_OF_OTHERS, of_kubernetes=_OF_KUBERNETES,
    )  # fmt: skip
