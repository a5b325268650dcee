"""What policies state, read strictly: trust claims and extensions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from eaa.appraisal.trust_vector import Tier, TrustVector, tier_of
from eaa.errors import PolicyError
from eaa.policy.prepared import UNDEFINED

__all__ = ["TRUST_CLAIMS", "is_affirming", "read_extensions", "read_trust_claims"]

#: AR4SI's claims as they are written in JSON [AR4SI §2.3.4].
TRUST_CLAIMS = frozenset(item.name.replace("_", "-") for item in fields(TrustVector))

#: What a submodule of an EAR has of its own [EAR §3], which no policy may overwrite.
_RESERVED_PREFIXES = ("ear.status", "ear.trustworthiness-vector", "ear.appraisal-policy", "ear.veraison.")


def read_trust_claims(value: Any) -> dict[str, int]:
    """The claims of the rule ``trust_claims``.

    Raises:
        PolicyError: ``policy.trust_claims``: not an object, an unknown claim, or no integer of -128 to 127.
    """
    if not isinstance(value, dict):
        raise _error("trust_claims", "is undefined" if value is UNDEFINED else "is not an object")
    for name, claim in value.items():
        if name not in TRUST_CLAIMS:
            raise _error("trust_claims", f"{name[:64]!r} is none of {', '.join(sorted(TRUST_CLAIMS))}")
        if type(claim) is not int or not -128 <= claim <= 127:
            raise _error("trust_claims", f"{name} is not an integer of -128 to 127")
    return value


def read_extensions(value: Any) -> dict[str, Any]:
    """The values of the rule ``extensions``, a list of ``{name, key, value}``, by name; none if undefined.

    Raises:
        PolicyError: ``policy.extensions``: of another form, a name twice, or one that an EAR has of its own.
    """
    if value is UNDEFINED:
        return {}
    if not isinstance(value, list):
        raise _error("extensions", "is not a list")
    found: dict[str, Any] = {}
    for item in value:
        if not isinstance(item, dict) or item.keys() != {"name", "key", "value"}:
            raise _error("extensions", "an item is not an object of name, key and value")
        name = item["name"]
        if not isinstance(name, str) or not name or name.startswith(_RESERVED_PREFIXES) or name in found:
            raise _error("extensions", f"{str(name)[:64]!r} cannot be the name of an extension")
        found[name] = item["value"]
    return found


def is_affirming(trust_claims: Mapping[str, int]) -> bool:
    """Whether the status of the result is affirming: something is claimed, and nothing is worse."""
    return max(map(_TIERS.__getitem__, trust_claims.values()), default=Tier.NONE) == Tier.AFFIRMING


#: By the value of a claim: asked for eight times at each evaluation.
_TIERS = {value: int(tier_of(value)) for value in range(-128, 128)}


def _error(rule: str, message: str) -> PolicyError:
    return PolicyError(f"{rule}: {message}", detail=rule)
