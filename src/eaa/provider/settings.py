"""Which providers are asked, in words that flags and configuration files share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from eaa.endorsements.kds_address import KDS_URL
from eaa.endorsements.subject import Update
from eaa.errors import ConfigError
from eaa.provider.addresses import HYGON_URL, PCS_URL, alibaba_cloud_url, require_base_url

__all__ = ["PROVIDERS", "ProviderSettings", "ProviderSpec", "parse_provider"]

#: What may be named → what the part after the colon is.
PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "pcs": "Intel's PCS; pcs:URL is another instance of it",
        "pccs": "pccs:URL, a caching service with Intel's API",
        "aliyun": "aliyun:REGION, Alibaba Cloud's PCCS; aliyun-vpc:REGION inside its networks",
        "aliyun-vpc": "aliyun-vpc:REGION, Alibaba Cloud's PCCS inside its private networks",
        "qcnl": "the PCCS that sgx_default_qcnl.conf names; qcnl:FILE is another such file",
        "kds": "AMD's KDS; kds:URL is a cache of it",
        "hygon": "Hygon's service; hygon:URL is a cache of it",
        "folder": "folder:PATH, files in any shape that --collateral takes",
        "store": "store:PATH, VCEK certificates in Trustee's offline layout",
    }
)


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """One of :data:`PROVIDERS`, and what it is to use: a URL or a path, empty for ``qcnl``'s usual file."""

    kind: str
    target: str


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """All that opens providers, in the order in which they are asked.

    ``pcs_api_key`` is secret. ``tls_ca`` is a file of the only authorities that
    may vouch for servers, the system's if ``None``. ``update`` is which TCB info is asked for.
    """

    providers: tuple[ProviderSpec, ...] = ()
    cache: Path | None = None
    cache_max_bytes: int = 256 * 1024 * 1024
    tls_ca: Path | None = None
    pcs_api_key: str = field(default="", repr=False)
    update: Update = "standard"
    allow_rollback: bool = False


def parse_provider(text: str) -> ProviderSpec:
    """The provider that ``text`` names, e.g. ``pccs:https://localhost:8081/sgx/certification/v4/``.

    Raises:
        ConfigError: ``config.provider``, ``config.provider_url``.
    """
    kind, _, target = text.partition(":")
    if kind not in PROVIDERS:
        raise ConfigError(
            f"the provider {text!a:.80} is not known; there are: {', '.join(PROVIDERS)}", detail="provider"
        )
    if kind in ("aliyun", "aliyun-vpc"):
        return ProviderSpec("pccs", alibaba_cloud_url(target, vpc=kind == "aliyun-vpc"))
    target = target or _USUAL.get(kind, "")
    if not target and kind != "qcnl":
        raise ConfigError(f"expected {PROVIDERS[kind]}, came {text!a:.80}", detail="provider")
    if kind in _WITH_URL:
        require_base_url(target, kind)
    return ProviderSpec(kind, target)


_USUAL = {"pcs": PCS_URL, "kds": KDS_URL, "hygon": HYGON_URL}
_WITH_URL = frozenset({"pcs", "pccs", "kds", "hygon"})
