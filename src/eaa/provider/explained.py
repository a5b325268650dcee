"""What the services' answers mean, and what to do: one table for each service, and Intel's 0xe0 codes.

Statuses of PCS are those of [PCS-API v4], of PCCS those of ``pccs_status_code.js`` [PCCS constants], of KDS
those of [AMD-KDS 4]. The codes of quoting and verification libraries are those of ``sgx_ql_lib_common.h``
[DCAP-QL quote3_error_t].
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

__all__ = [
    "HYGON_STATUSES",
    "KDS_STATUSES",
    "PCCS_STATUSES",
    "PCS_STATUSES",
    "QUOTE_CODES",
    "Explanation",
    "explain_quote_code",
]


class Explanation(NamedTuple):
    """``meaning`` is what it says, ``remedy`` what to do about it."""

    meaning: str
    remedy: str


_LATER = "it is tried again by itself; if it stays, look at the service's status"
_SLOWER = "ask less often, or put a caching service (pccs) between"

PCS_STATUSES: Mapping[int, Explanation] = MappingProxyType(
    {
        400: Explanation("the request is not well-formed", "look at FMSPC, CA and SVNs that were asked for"),
        401: Explanation(
            "the subscription key is missing or not valid", "set the API key; PCK certificates need one"
        ),
        403: Explanation("the subscription key does not allow this", "look at the subscription's products"),
        404: Explanation(
            "Intel has nothing under these parameters",
            "look at the FMSPC; a PCK certificate needs a registered platform, with its manifest if it has "
            "several packages",
        ),
        410: Explanation("this version of the API has ended", "use version 4"),
        429: Explanation("too many requests", _SLOWER),
        500: Explanation("Intel's service failed", _LATER),
        503: Explanation("Intel's service is not available now", _LATER),
    }
)

PCCS_STATUSES: Mapping[int, Explanation] = MappingProxyType(
    {
        400: Explanation("the request is not well-formed", "look at the parameters and the API version"),
        401: Explanation("the token is missing or not right", "set the user or admin token of this PCCS"),
        404: Explanation(
            "the PCCS has nothing for this platform, and may not or could not get it",
            "let it fetch (mode LAZY, or refresh), or import the platform's collateral",
        ),
        410: Explanation("version 3 of the API has ended there", "use a URL with /v4/"),
        413: Explanation("the request is too large for it", "send less"),
        429: Explanation("too many requests", _SLOWER),
        460: Explanation(
            "the PCCS cannot verify what it has or was given", "refresh it; import intact collateral"
        ),
        461: Explanation(
            "the platform was not found in the cache", "register the platform at the PCCS (POST platforms)"
        ),
        462: Explanation(
            "there is no certificate for some TCBs of the platform",
            "register the platform anew after its TCB recovery, with its manifest",
        ),
        500: Explanation("the PCCS failed inside", "look at its log"),
        502: Explanation("the PCCS cannot reach Intel's PCS", "look at its network, proxy and API key"),
        503: Explanation("the PCCS cannot serve now", _LATER),
        504: Explanation("the PCCS cannot reach Intel's PCS", "look at its network, proxy and API key"),
    }
)

KDS_STATUSES: Mapping[int, Explanation] = MappingProxyType(
    {
        400: Explanation("the request is not well-formed", "look at product, chip id and TCB"),
        401: Explanation("a VLEK is given to its cloud only", "take it from the report's certificate table"),
        403: Explanation("a VLEK is given to its cloud only", "take it from the report's certificate table"),
        404: Explanation(
            "AMD has no certificate for this chip at this TCB", "look at the chip id, TCB and product"
        ),
        429: Explanation("too many requests: AMD allows few", _SLOWER),
        500: Explanation("AMD's service failed", _LATER),
        503: Explanation("AMD's service is not available now", _LATER),
    }
)

HYGON_STATUSES: Mapping[int, Explanation] = MappingProxyType(
    {
        404: Explanation("Hygon has no certificates for this chip", "look at the chip id"),
        429: Explanation("too many requests", _SLOWER),
    }
)

_RENEW = "fetch the endorsements anew: shelter endorsements fetch"
_PLATFORM = "look at the SGX driver, the PSW and AESM on the machine that attests"
_REGISTER = "register the platform with its PCCS, or with Intel"
_QCNL = "look at /etc/sgx_default_qcnl.conf and the PCCS that it names"
_UPDATE = "update microcode, BIOS and the platform's software"

#: By the last byte of 0xe0xx.
QUOTE_CODES: Mapping[int, Explanation] = MappingProxyType(
    {
        0x01: Explanation("an unexpected error", _PLATFORM),
        0x02: Explanation("a parameter is not right", "look at the quote and the collateral that were given"),
        0x03: Explanation("not enough memory", "give the process more memory"),
        0x0B: Explanation("the attestation key id is not supported", _PLATFORM),
        0x0D: Explanation("the quoting or provisioning enclave cannot be loaded", _PLATFORM),
        0x0E: Explanation("the provider library is missing", "install libsgx-dcap-default-qpl"),
        0x0F: Explanation("the attestation key is not there or not certified", _PLATFORM),
        0x10: Explanation("the certification data from the provider library is not valid", _QCNL),
        0x11: Explanation("there is no PCK certificate for the platform", _REGISTER),
        0x12: Explanation("not enough enclave memory (EPC)", "give the machine or the guest more EPC"),
        0x14: Explanation("the enclave was lost in a power transition", "start it again"),
        0x16: Explanation("an enclave cannot be loaded", _PLATFORM),
        0x18: Explanation("the provider library answered a TCB that is too high", _REGISTER),
        0x19: Explanation("a network error while PCK certificates were fetched", _QCNL),
        0x1A: Explanation("an answer could not be read while PCK certificates were fetched", _QCNL),
        0x1B: Explanation("there is no collateral to verify the quote with", _QCNL),
        0x1C: Explanation(
            "the quote's certification data is not supported", "quotes need a PCK chain, type 5"
        ),
        0x1D: Explanation("the quote's format is not supported", "look at what was given as a quote"),
        0x22: Explanation("the PCK certificate chain does not hold", _REGISTER),
        0x24: Explanation("the TCB info is of another platform", _RENEW),
        0x26: Explanation("the QE is not the one that Intel's identity describes", _UPDATE),
        0x27: Explanation("the TCB is out of date", _UPDATE),
        0x28: Explanation("the TCB is out of date and its configuration too", _UPDATE),
        0x2B: Explanation("the QE is out of date", _UPDATE),
        0x2C: Explanation("the TCB info expired", _RENEW),
        0x2D: Explanation("the PCK certificate chain expired", _REGISTER),
        0x2E: Explanation("a revocation list expired", _RENEW),
        0x2F: Explanation("the signing certificate chain expired", _RENEW),
        0x30: Explanation("the enclave identity expired", _RENEW),
        0x31: Explanation("the PCK certificate is revoked", "do not trust the platform; ask Intel"),
        0x32: Explanation("the TCB is revoked", _UPDATE),
        0x33: Explanation("the platform needs configuration", "look at the advisories of its TCB level"),
        0x34: Explanation("the collateral could not be fetched", _QCNL),
        0x35: Explanation("not enough privilege", "look at the groups sgx and sgx_prv"),
        0x37: Explanation("there is no QvE identity", _QCNL),
        0x3C: Explanation("the software needs hardening", "look at the advisories of its TCB level"),
        0x3D: Explanation("the platform needs configuration, the software hardening", _UPDATE),
        0x3F: Explanation("there is no device", _PLATFORM),
        0x40: Explanation("the service on the machine does not answer", "look at AESM or QGS"),
        0x41: Explanation("a network failure", _QCNL),
        0x42: Explanation("the service on the machine was too slow", "look at AESM or QGS"),
        0x43: Explanation("the service is busy", "try again"),
        0x44: Explanation("an unexpected answer of the PCCS", _QCNL),
        0x45: Explanation("what was fetched could not be stored", "look at the disk and its permissions"),
        0x46: Explanation("an answer could not be parsed", _QCNL),
        0x47: Explanation("the platform was not found in the cache of the PCCS", _REGISTER),
        0x48: Explanation("the configured API version is unknown", "use 3.1 or a URL with /v4/"),
        0x49: Explanation("there are no certificates for this platform", _REGISTER),
        0x50: Explanation("the QvE is not the one that Intel's identity describes", _UPDATE),
        0x51: Explanation("the QvE is out of date", _UPDATE),
        0x60: Explanation("the TDX module is not one that Intel describes", _UPDATE),
        0x61: Explanation("the PCCS has no QE identity", _QCNL),
        0x62: Explanation("the PCCS has no TCB info for this platform", _QCNL),
        0x63: Explanation("the PCCS failed inside", "look at its log"),
        0x65: Explanation(
            "the TLS certificate of the PCCS is not trusted",
            "install its certificate, or set use_secure_cert to false where that is acceptable",
        ),
        0x66: Explanation("the TCB level is not in the TCB info", _RENEW),
        0x67: Explanation("sgx_default_qcnl.conf is not valid JSON", _QCNL),
    }
)
_FAMILY = 0xE000


def explain_quote_code(code: int) -> Explanation | None:
    """What Intel's libraries mean by ``code``, 0xe001 to 0xe0ff; ``None`` if it is not known here."""
    return QUOTE_CODES.get(code & 0xFF) if code & ~0xFF == _FAMILY else None
