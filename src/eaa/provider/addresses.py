"""Where vendors' services are, and what an address of one may be."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from eaa.codec.hosts import is_loopback
from eaa.errors import ConfigError

__all__ = ["HYGON_URL", "PCS_CERTIFICATES_URL", "PCS_URL", "alibaba_cloud_url", "require_base_url"]

PCS_URL = "https://api.trustedservices.intel.com"
#: Where Intel's root CA and its revocation list are.
PCS_CERTIFICATES_URL = "https://certificates.trustedservices.intel.com"
HYGON_URL = "https://cert.hygon.cn"
_REGION = re.compile("[a-z]{2}(-[a-z0-9]+)+")


def alibaba_cloud_url(region: str, *, vpc: bool = False) -> str:
    """Where Alibaba Cloud's PCCS of ``region`` is, from the internet or from inside a VPC [ALIYUN-SGX].

    Raises:
        ConfigError: it is no id of a region.
    """
    if not _REGION.fullmatch(region):
        raise ConfigError(f"expected a region's id, e.g. cn-beijing, came {region!a:.80}", detail="provider")
    return f"https://sgx-dcap-server{'-vpc' if vpc else ''}.{region}.aliyuncs.com/sgx/certification/v4/"


def require_base_url(url: str, what: str) -> str:
    """``url`` without a slash at its end: https, or http on this machine's loopback, and no user in it.

    Raises:
        ConfigError: anything else.
    """
    try:
        parts = urlsplit(url)
        plain = parts.scheme == "http" and is_loopback(parts.hostname)
        good = parts.hostname and (parts.scheme == "https" or plain) and "@" not in parts.netloc
        good = good and not parts.query and not parts.fragment and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ConfigError(f"{what}: expected an https URL, came {url!a:.120}", detail="provider_url")
    return url.rstrip("/")
