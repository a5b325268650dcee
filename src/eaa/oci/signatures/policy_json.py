"""``policy.json`` read strictly: a member or a type that is not known is refused, never passed over."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from eaa.codec.strict_json import parse_json
from eaa.errors import FormatError, UnsupportedError
from eaa.oci.signatures.identity import (
    ExactReference,
    ExactRepository,
    Identity,
    MatchExact,
    MatchRepoDigestOrExact,
    MatchRepository,
    RemapIdentity,
)
from eaa.oci.signatures.policy import (
    AcceptAnything,
    KeyData,
    KeyPath,
    KeySource,
    Policy,
    Reject,
    Requirement,
    SignedBy,
    SigstoreSigned,
)
from eaa.oci.signatures.reference import ImageReference, parse_reference

__all__ = ["MAX_POLICY_BYTES", "parse_policy"]

MAX_POLICY_BYTES = 1024 * 1024
_WHAT = "image policy"
_TRANSPORTS = frozenset(
    {
        "atomic", "containers-storage", "dir", "docker", "docker-archive", "docker-daemon", "oci",
        "oci-archive", "sif", "tarball",
    }
)  # fmt: skip
#: Known to the specification; their trust roots are not implemented.
_OTHER_ROOTS = frozenset(
    {
        "fulcio", "pki", "rekorPublicKeyPath", "rekorPublicKeyPaths", "rekorPublicKeyData",
        "rekorPublicKeyDatas",
    }
)  # fmt: skip
#: A wildcard stands for labels in front, and for nothing else.
_WILDCARD = re.compile(r"\*\.[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)*", re.ASCII)
_PREFIX = re.compile(r"[a-zA-Z0-9.\[\]:-]+(?:/[a-z0-9._-]+)*", re.ASCII)
_Member = Mapping[str, Any]


def parse_policy(data: bytes) -> Policy:
    """The policy in ``data``, JSON of at most 1 MiB [CONTAINERS-POLICY].

    Raises:
        FormatError: not JSON, a member or type that is not known, or one that is missing or empty.
        UnsupportedError: ``unsupported.sigstore_root``: a Fulcio, PKI or Rekor trust root.
    """
    if len(data) > MAX_POLICY_BYTES:
        raise _error("policy", f"{len(data)} bytes exceed {MAX_POLICY_BYTES}")
    whole = _members(parse_json(data, _WHAT), "policy", required={"default"}, optional={"transports"})
    docker: Mapping[str, tuple[Requirement, ...]] = {}
    for transport, scopes in _object(whole.get("transports", {}), "transports").items():
        if transport not in _TRANSPORTS:
            raise _error("transports", f"unknown transport {transport[:64]!r}")
        parsed = {
            scope: _requirements(value, f"transports.{transport}[{scope[:64]!r}]")
            for scope, value in _object(scopes, f"transports.{transport}").items()
        }
        if transport == "docker":
            docker = parsed
    for scope in docker:
        if "*" in scope and not _WILDCARD.fullmatch(scope):
            raise _error("transports.docker", f"a wildcard is *.domain, got {scope[:64]!r}")
    return Policy(_requirements(whole["default"], "default"), MappingProxyType(docker))


def _requirements(value: Any, field: str) -> tuple[Requirement, ...]:
    if not isinstance(value, list) or not value:
        raise _error(field, "expected an array of one requirement or more")
    return tuple(_requirement(item, f"{field}[{index}]") for index, item in enumerate(value))


def _requirement(value: Any, field: str) -> Requirement:
    kind = _object(value, field).get("type")
    if not isinstance(kind, str) or kind not in _REQUIREMENTS:
        raise _error(f"{field}.type", f"expected one of {', '.join(_REQUIREMENTS)}, got {kind!r:.64}")
    return _REQUIREMENTS[kind](value, field)


def _accept_anything(value: _Member, field: str) -> AcceptAnything:
    _members(value, field, required={"type"})
    return AcceptAnything()


def _reject(value: _Member, field: str) -> Reject:
    _members(value, field, required={"type"})
    return Reject()


def _signed_by(value: _Member, field: str) -> SignedBy:
    keys = {"keyPath", "keyPaths", "keyData"}
    _members(value, field, required={"type", "keyType"}, optional={*keys, "signedIdentity"})
    if value["keyType"] != "GPGKeys":
        raise _error(f"{field}.keyType", f"expected GPGKeys, got {value['keyType']!r:.64}")
    return SignedBy(_keys(value, keys, field), _identity(value, field))


def _sigstore_signed(value: _Member, field: str) -> SigstoreSigned:
    keys = {"keyPath", "keyPaths", "keyData", "keyDatas"}
    if other := sorted(_OTHER_ROOTS & value.keys()):
        raise UnsupportedError(
            f"{_WHAT}: {field}.{other[0]}: only keys are supported as the root of sigstoreSigned",
            detail="sigstore_root",
        )
    _members(value, field, required={"type"}, optional={*keys, "signedIdentity"})
    return SigstoreSigned(_keys(value, keys, field), _identity(value, field))


def _keys(value: _Member, names: set[str], field: str) -> tuple[KeySource, ...]:
    """The keys of exactly one of the members ``names``."""
    given = sorted(names & value.keys())
    if len(given) != 1:
        raise _error(field, f"expected exactly one of {', '.join(sorted(names))}, got {len(given)}")
    name, found = given[0], value[given[0]]
    texts = found if name.endswith("s") else [found]
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise _error(f"{field}.{name}", "expected text, and not empty")
    if name.startswith("keyPath"):
        return tuple(KeyPath(text) for text in texts)
    return tuple(KeyData(_base64(text, f"{field}.{name}")) for text in texts)


def _base64(text: str, field: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _error(field, "expected base64") from None


def _identity(value: _Member, field: str) -> Identity:
    field = f"{field}.signedIdentity"
    member = _object(value.get("signedIdentity", {"type": "matchRepoDigestOrExact"}), field)
    match member.get("type"):
        case "matchExact":
            _members(member, field, required={"type"})
            return MatchExact()
        case "matchRepoDigestOrExact":
            _members(member, field, required={"type"})
            return MatchRepoDigestOrExact()
        case "matchRepository":
            _members(member, field, required={"type"})
            return MatchRepository()
        case "exactReference":
            _members(member, field, required={"type", "dockerReference"})
            return ExactReference(_reference(member["dockerReference"], field, name_only=False))
        case "exactRepository":
            _members(member, field, required={"type", "dockerRepository"})
            return ExactRepository(_reference(member["dockerRepository"], field, name_only=True))
        case "remapIdentity":
            _members(member, field, required={"type", "prefix", "signedPrefix"})
            return RemapIdentity(_prefix(member["prefix"], field), _prefix(member["signedPrefix"], field))
        case other:
            raise _error(f"{field}.type", f"unknown: {other!r:.64}")


def _reference(value: Any, field: str, *, name_only: bool) -> ImageReference:
    if not isinstance(value, str):
        raise _error(field, "expected text")
    reference = parse_reference(value)
    if reference.is_name_only != name_only:
        raise _error(field, f"expected {'no' if name_only else 'a'} tag or digest, got {value[:64]!r}")
    return reference


def _prefix(value: Any, field: str) -> str:
    if not isinstance(value, str) or not _PREFIX.fullmatch(value):
        raise _error(field, "expected a registry, a namespace or a repository")
    return value


def _object(value: Any, field: str) -> _Member:
    if not isinstance(value, dict):
        raise _error(field, "expected an object")
    return value


def _members(
    value: Any, field: str, *, required: set[str], optional: frozenset[str] | set[str] = frozenset()
) -> _Member:
    """``value``, an object with all of ``required``, perhaps some of ``optional``, and nothing else."""
    members = _object(value, field)
    if missing := sorted(required - members.keys()):
        raise _error(field, f"{missing[0]} is missing")
    if unknown := sorted(members.keys() - required - optional):
        raise _error(field, f"unknown member {unknown[0][:64]!r}")
    return members


def _error(field: str, message: str) -> FormatError:
    return FormatError(message, what=_WHAT, field=field, spec="[CONTAINERS-POLICY]", detail="image_policy")


_REQUIREMENTS: Mapping[str, Callable[[_Member, str], Requirement]] = {
    "insecureAcceptAnything": _accept_anything,
    "reject": _reject,
    "signedBy": _signed_by,
    "sigstoreSigned": _sigstore_signed,
}
