"""Attesters, verifiers, TLS and crypto libraries by the names that the originals select them with.

Priorities are those of rats-tls. Automatic selection takes the highest that works, and never one that proves
nothing or is simulated: those are named, or not used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from eaa.errors import UsageError
from eaa.tls.peer import EvidenceKind

__all__ = [
    "ATTESTERS",
    "CRYPTO_LIBRARIES",
    "NULL_ATTESTER",
    "NULL_VERIFIER",
    "SIMULATED",
    "SIMULATED_SNP",
    "TLS_LIBRARIES",
    "VERIFIERS",
    "Instance",
    "find_instance",
    "require_crypto",
    "require_tls",
]

NULL_ATTESTER = "nullattester"
NULL_VERIFIER = "nullverifier"
SIMULATED = "simulated"
SIMULATED_SNP = "simulated-snp"


@dataclass(frozen=True, slots=True)
class Instance:
    """``kinds`` is the evidence it makes or takes. ``unsupported`` says why it cannot be had at all."""

    name: str
    priority: int
    kinds: tuple[EvidenceKind, ...] = ()
    automatic: bool = True
    aliases: tuple[str, ...] = ()
    unsupported: str = ""


_SGX, _TDX = (EvidenceKind.SGX_QUOTE,), (EvidenceKind.TDX_QUOTE,)
_SNP, _CSV = (EvidenceKind.SNP_REPORT,), (EvidenceKind.CSV_REPORT,)
_SEV_ATTESTER = "its reports come from a daemon on the host, by way of vsock, which is not implemented"
_LOCAL = "local attestation takes an enclave of our own on the same host, which is not implemented"
_UNBOUND = (
    "its reports are made for whoever asks the host, and hold nothing that would bind a channel's key; "
    "`shelter verify` verifies them"
)

#: Highest priority first; of equal ones the first that works.
ATTESTERS: tuple[Instance, ...] = (
    Instance("sgx_ecdsa", 52, _SGX),
    Instance("tdx_ecdsa", 42, _TDX, aliases=("tdx",)),
    Instance("sev_snp", 42, _SNP),
    Instance("sev", 35, (EvidenceKind.SEV_REPORT,), unsupported=_SEV_ATTESTER),
    Instance("csv", 20, _CSV),
    Instance("sgx_la", 15, (EvidenceKind.SGX_REPORT,), unsupported=_LOCAL),
    Instance(SIMULATED, 0, _SGX, automatic=False, aliases=("simulated-sgx",)),
    Instance("simulated-tdx", 0, _TDX, automatic=False),
    Instance(SIMULATED_SNP, 0, _SNP, automatic=False),
    Instance(NULL_ATTESTER, 0, automatic=False),
)
VERIFIERS: tuple[Instance, ...] = (
    Instance("sgx_ecdsa_qve", 53, _SGX, automatic=False),
    Instance("sgx_ecdsa", 52, _SGX),
    Instance("tdx_ecdsa", 42, _TDX, aliases=("tdx",)),
    Instance("sev_snp", 42, _SNP),
    Instance("sev", 35, (EvidenceKind.SEV_REPORT,), unsupported=_UNBOUND),
    Instance("csv", 20, _CSV),
    Instance("sgx_la", 15, (EvidenceKind.SGX_REPORT,), unsupported=_LOCAL),
    Instance(
        SIMULATED,
        0,
        _SGX + _TDX + _SNP,
        automatic=False,
        aliases=("simulated-sgx", "simulated-tdx", SIMULATED_SNP),
    ),
    Instance(NULL_VERIFIER, 0, automatic=False),
)
TLS_LIBRARIES = ("openssl",)
CRYPTO_LIBRARIES = ("openssl",)


def find_instance(table: Iterable[Instance], what: str, name: str) -> Instance:
    """The instance of ``table`` with ``name`` or that alias; ``what`` is ``"attester"`` or ``"verifier"``.

    Raises:
        UsageError: there is none; the message names those that there are.
    """
    table = tuple(table)
    for item in table:
        if name == item.name or name in item.aliases:
            return item
    raise _unknown(what, name, (known for item in table for known in (item.name, *item.aliases)))


def require_tls(name: str) -> str:
    """The TLS library by ``name``; empty selects it too.

    Raises:
        UsageError: there is none of this name.
    """
    return _require_library("tls", TLS_LIBRARIES, name)


def require_crypto(name: str) -> str:
    """As :func:`require_tls`, of the crypto library."""
    return _require_library("crypto", CRYPTO_LIBRARIES, name)


def _require_library(what: str, known: tuple[str, ...], name: str) -> str:
    if name and name not in known:
        raise _unknown(what, name, known)
    return name or known[0]


def _unknown(what: str, name: str, known: Iterable[str]) -> UsageError:
    return UsageError(
        f"there is no {what} instance {name!r:.60}; there are {', '.join(known)}",
        detail=f"unknown_{what}", name=name,
    )  # fmt: skip
