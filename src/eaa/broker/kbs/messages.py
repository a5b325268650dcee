"""The messages of the KBS protocol: request, challenge, attestation [COCO-KBS].

``POST /kbs/v0/auth`` and ``POST /kbs/v0/attest``. Members that are not known are not looked at.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from eaa.broker.kbs.challenge import Challenge
from eaa.broker.kbs.hashes import HashAlgorithm, known_algorithms, select_algorithm
from eaa.broker.kbs.tee_key import TeePublicKey, parse_tee_key
from eaa.broker.kbs.tees import Tee, parse_tee
from eaa.broker.kbs.versions import ProtocolVersion, parse_version
from eaa.broker.names import require_name
from eaa.codec.members import bad_member, object_at, object_of, text_at
from eaa.codec.strict_json import parse_json
from eaa.errors import BindingError, UnsupportedError

__all__ = [
    "AttestRequest",
    "AuthRequest",
    "auth_response",
    "nonce_text",
    "parse_attest_request",
    "parse_auth_request",
]

#: Real ones are below 1 KiB.
MAX_AUTH_BYTES = 64 * 1024
MAX_HASH_ALGORITHMS = 32
_WHAT = "KBS request"
_INIT_DATA_FORMAT = "toml"

#: The name of today, and those that it had before it was released.
_POLICY_SELECTORS = ("attestation-policy-selector", "policy-selector", "id")


@dataclass(frozen=True, slots=True)
class AuthRequest:
    """What a guest says of itself before anything is proven.

    ``hash_algorithms`` are those it offers and we know, ``None`` if it made no offer. ``policy_id`` is a
    name, or empty; whether there is such a policy is not known yet.
    """

    version: ProtocolVersion
    tee: Tee
    hash_algorithms: tuple[HashAlgorithm, ...] | None
    policy_id: str

    def select_hash(self) -> HashAlgorithm:
        """The algorithm for report data; a guest of version 0.1.0 knows only SHA-384.

        Raises:
            UnsupportedError: ``unsupported.hash_algorithm``: none of those that are offered is known.
        """
        return select_algorithm(self.hash_algorithms if self.version.selects_hash else None)


@dataclass(frozen=True, slots=True)
class AttestRequest:
    """Evidence as it came, well-formed as JSON and no more.

    ``nonce`` is the challenge's. ``init_data`` is the whole TOML text. ``additional_text`` is the exact text
    that ``additional`` was read from, which the primary evidence is bound to; empty if there is none.
    """

    nonce: str
    tee_key: TeePublicKey
    init_data: str | None
    primary: Any = field(repr=False)
    additional_text: str = field(repr=False)
    additional: Mapping[Tee, Any] = field(repr=False)


def parse_auth_request(body: bytes) -> AuthRequest:
    """The request in ``body``, of at most 64 KiB.

    Raises:
        FormatError: not such a request; ``format.tee`` for a TEE that is not known, ``format.name`` for a
            policy id that cannot be one.
        UnsupportedError: ``unsupported.protocol_version``; the message lists those that are spoken.
    """
    if len(body) > MAX_AUTH_BYTES:
        raise bad_member(_WHAT, "body", f"{len(body)} bytes, at most {MAX_AUTH_BYTES} are read", "too_large")
    members = object_of(parse_json(body, _WHAT), _WHAT, "body")
    version = parse_version(text_at(members, "version", _WHAT))
    tee = parse_tee(text_at(members, "tee", _WHAT), field="tee")
    extra = members.get("extra-params")
    parameters = extra if isinstance(extra, dict) else {}
    return AuthRequest(version, tee, _hash_algorithms(parameters), _policy_id(parameters))


def auth_response(challenge: Challenge) -> dict[str, Any]:
    """The body of the answer, as JSON. SHA-384 is what a guest takes that is told nothing."""
    extra: Any = ""
    if challenge.hash_algorithm is not HashAlgorithm.SHA384:
        extra = {"selected-hash-algorithm": challenge.hash_algorithm.value}
    return {"nonce": nonce_text(challenge), "extra-params": extra}


def nonce_text(challenge: Challenge) -> str:
    """The nonce as it is sent and hashed: 44 characters of base64."""
    return base64.b64encode(challenge.nonce).decode()


def parse_attest_request(body: bytes, challenge: Challenge) -> AttestRequest:
    """The attestation in ``body``, in the shape of the version that ``challenge`` was issued for.

    Raises:
        FormatError: not such an attestation.
        UnsupportedError: a TEE key or a format of init-data that is not implemented.
        BindingError: ``binding.nonce``: it is for another challenge.
    """
    members = object_of(parse_json(body, _WHAT), _WHAT, "body")
    if challenge.version.is_composite:
        return _composite(members, challenge)
    key = parse_tee_key(members.get("tee-pubkey"), challenge.version)
    if challenge.version is ProtocolVersion.V0_1_0:
        evidence = parse_json(text_at(members, "tee-evidence", _WHAT), "TEE evidence")
    else:
        evidence = object_at(members, "tee-evidence", _WHAT)
    return AttestRequest(nonce_text(challenge), key, None, evidence, "", MappingProxyType({}))


def _composite(members: dict[str, Any], challenge: Challenge) -> AttestRequest:
    runtime_data = object_at(members, "runtime-data", _WHAT)
    evidence = object_at(members, "tee-evidence", _WHAT)
    nonce = text_at(runtime_data, "nonce", _WHAT)
    if nonce != nonce_text(challenge):
        raise BindingError("the attestation is for another nonce than this session's", detail="nonce")
    additional_text = text_at(evidence, "additional_evidence", _WHAT)
    return AttestRequest(
        nonce,
        parse_tee_key(runtime_data.get("tee-pubkey"), challenge.version),
        _init_data(members.get("init-data")),
        object_at(evidence, "primary_evidence", _WHAT),
        additional_text,
        MappingProxyType(_additional(additional_text)),
    )


def _init_data(value: Any) -> str | None:
    if value is None:
        return None
    members = object_of(value, _WHAT, "init-data")
    if (name := text_at(members, "format", _WHAT)) != _INIT_DATA_FORMAT:
        raise UnsupportedError(
            f"init-data in format {name[:32]!a}, expected {_INIT_DATA_FORMAT}", detail="init_data_format"
        )
    return text_at(members, "body", _WHAT)


def _additional(text: str) -> dict[Tee, Any]:
    if not text:
        return {}
    found: dict[Tee, Any] = {}
    for name, evidence in object_of(parse_json(text, _WHAT), _WHAT, "additional_evidence").items():
        tee = parse_tee(name, field="additional_evidence")
        if tee in found:
            raise bad_member(_WHAT, "additional_evidence", f"{tee} is given twice", "duplicate_key")
        found[tee] = evidence
    return found


def _hash_algorithms(parameters: dict[str, Any]) -> tuple[HashAlgorithm, ...] | None:
    field_name = "supported-hash-algorithms"
    names = parameters.get(field_name)
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise bad_member(_WHAT, field_name, "expected an array of names")
    if len(names) > MAX_HASH_ALGORITHMS:
        raise bad_member(_WHAT, field_name, f"{len(names)} names, at most {MAX_HASH_ALGORITHMS} are read")
    return known_algorithms(names)


def _policy_id(parameters: dict[str, Any]) -> str:
    chosen = {text_at(parameters, name, _WHAT) for name in _POLICY_SELECTORS if name in parameters} - {""}
    if len(chosen) > 1:
        raise bad_member(_WHAT, _POLICY_SELECTORS[0], "two ids of policies are given")
    return "".join(require_name(policy_id, what="policy id") for policy_id in chosen)
