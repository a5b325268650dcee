"""What Intel's SGX root has issued, with the SHA-256 of the DER; source: ``roots/intel_README.md``."""

from __future__ import annotations

# The one module that may read package data has the one loader.
from eaa.endorsements.roots import load_pinned
from eaa.endorsements.x509 import Certificate

__all__ = ["INTEL_SGX_ISSUERS"]

_ISSUERS = {
    "intel_tcb_signing_2025.pem": "ec37d98107bfb7dab6ff8de4d4dda6fde30a6f50b0d7b03eefb5652f1e652969",
    "intel_tcb_signing_2032.pem": "c0575e76d0303b61d09cde8cbdb70db34a74f38318300d7c0e6ba8cf4bf45aea",
    "intel_tcb_signing_2033.pem": "bc224121b9593e98e6749dd7149f9a5cfc24536b1f9396128c35ed7ac7f1e93a",
    "intel_pck_platform_ca.pem": "22eb770dca215b607b5ccfc21a672b1da5cc660b1ad0365020567979edcaa0e1",
    "intel_pck_processor_ca_104508.pem": "f65b249be2e8030b2e1682e7f7a1f2d48bf4c35eec930483a4ee200897081ffe",
    "intel_pck_processor_ca_105010.pem": "13b2dccef8fc4ec977ee5249743b0f758ebd1e28d768b2e1e12bc348adaa09fb",
}

#: "Intel SGX TCB Signing", "Intel SGX PCK Platform CA" and "Intel SGX PCK Processor CA". They vouch for
#: nothing by themselves.
INTEL_SGX_ISSUERS: tuple[Certificate, ...] = tuple(
    load_pinned(name, sha256) for name, sha256 in _ISSUERS.items()
)
