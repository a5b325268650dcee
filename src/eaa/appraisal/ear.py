"""EAT Attestation Results: the claims of a token, in the shape that Trustee's relying parties read.

A token has one submodule for each environment that was appraised, ``cpu0`` and so on [EAR §3.1].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from eaa.appraisal.trust_vector import TrustVector
from eaa.errors import UsageError

__all__ = ["EAR_PROFILE", "EarVerifier", "Submodule", "ear_claims", "is_small", "small_claims"]

#: The profile that Trustee's tokens name. Its claims are what is issued here.
EAR_PROFILE = "tag:github.com,2024:confidential-containers/Trustee"

_EVIDENCE, _RUNTIME = "ear.veraison.annotated-evidence", "runtime_data_claims"


@dataclass(frozen=True, slots=True)
class EarVerifier:
    """Who appraised: ``ear.verifier-id`` [EAR §3.2]."""

    developer: str
    build: str


@dataclass(frozen=True, slots=True)
class Submodule:
    """What was made of one environment.

    ``evidence`` is the policy's whole input for it: what the TEE's claims, the report data and the runtime
    data were. ``extensions`` are further claims that the policy stated, by name.
    """

    name: str  # class of TEE and index: "cpu0", "gpu0"
    trust_vector: TrustVector
    policy_id: str
    evidence: Mapping[str, Any]
    extensions: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As one entry of ``submods``. An extension cannot take the name of a claim of ours."""
        return {
            **self.extensions,
            "ear.status": self.trust_vector.tier.label,
            "ear.trustworthiness-vector": self.trust_vector.to_dict(),
            "ear.appraisal-policy-id": self.policy_id,
            _EVIDENCE: dict(self.evidence),
        }


def ear_claims(
    submodules: Sequence[Submodule],
    *,
    issuer: str,
    verifier: EarVerifier,
    token_id: str,
    issued_at: datetime,
    expires_at: datetime,
    audience: str,
    nonce: str,
) -> dict[str, Any]:
    """The claims of a token; ``aud`` and ``eat_nonce`` [RFC9711 §4.1] only if they are not empty.

    Raises:
        UsageError: no submodule, two of one name, or an end that is not after the beginning.
    """
    names = [item.name for item in submodules]
    if not names or len(set(names)) != len(names):
        raise UsageError(f"an attestation result takes submodules of different names, got {names}")
    if expires_at <= issued_at:
        raise UsageError("an attestation result ends after it begins")
    claims: dict[str, Any] = {
        "eat_profile": EAR_PROFILE,
        "iss": issuer,
        "iat": int(issued_at.timestamp()),
        "nbf": int(issued_at.timestamp()),
        "exp": int(expires_at.timestamp()),
        "jti": token_id,
        "ear.verifier-id": {"developer": verifier.developer, "build": verifier.build},
        "submods": {item.name: item.to_dict() for item in submodules},
    }
    if audience:
        claims["aud"] = audience
    if nonce:
        claims["eat_nonce"] = nonce
    return claims


def small_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    """The same result without the evidence behind it, for where a header's size is bounded.

    Of the evidence only the guest's key stays, without which nothing can be wrapped for it.
    """
    return {**claims, "submods": {name: _small(item) for name, item in claims["submods"].items()}}


def is_small(claims: Mapping[str, Any]) -> bool:
    """Whether ``claims`` of :func:`ear_claims` are as :func:`small_claims` leaves them, for any submodule."""
    return any(item[_EVIDENCE].keys() <= {_RUNTIME} for item in claims["submods"].values())


def _small(submodule: Mapping[str, Any]) -> dict[str, Any]:
    runtime = submodule[_EVIDENCE].get(_RUNTIME) or {}
    kept = {"tee-pubkey": runtime["tee-pubkey"]} if "tee-pubkey" in runtime else {}
    return {**submodule, _EVIDENCE: {_RUNTIME: kept}}
