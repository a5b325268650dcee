"""What has to hold for an image to run, as containers-policy.json says it [CONTAINERS-POLICY]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eaa.oci.signatures.identity import Identity
from eaa.oci.signatures.reference import ImageReference

__all__ = [
    "AcceptAnything",
    "KeyData",
    "KeyPath",
    "KeySource",
    "Policy",
    "Reject",
    "Requirement",
    "Requirements",
    "SignedBy",
    "SigstoreSigned",
]


@dataclass(frozen=True, slots=True)
class KeyPath:
    """Where the key is: a file, or a resource as ``kbs:///repository/type/tag``."""

    path: str


@dataclass(frozen=True, slots=True)
class KeyData:
    """The key itself: an OpenPGP keyring, or a PEM public key."""

    data: bytes


KeySource = KeyPath | KeyData


@dataclass(frozen=True, slots=True)
class AcceptAnything:
    """``insecureAcceptAnything``."""


@dataclass(frozen=True, slots=True)
class Reject:
    """``reject``."""


@dataclass(frozen=True, slots=True)
class SignedBy:
    """``signedBy``: a simple signature by an OpenPGP key of one of ``keys``."""

    keys: tuple[KeySource, ...]
    identity: Identity


@dataclass(frozen=True, slots=True)
class SigstoreSigned:
    """``sigstoreSigned``: a cosign-format signature by one of ``keys``, ECDSA on P-256."""

    keys: tuple[KeySource, ...]
    identity: Identity


Requirement = AcceptAnything | Reject | SignedBy | SigstoreSigned


@dataclass(frozen=True, slots=True)
class Requirements:
    """All of ``each`` must hold; at least one. ``scope`` is the policy's key, ``default`` of the whole."""

    scope: str
    each: tuple[Requirement, ...]

    @property
    def key_paths(self) -> tuple[str, ...]:
        """The paths of all keys that :func:`require_accepted` needs, each once."""
        sources = [
            source
            for requirement in self.each
            if isinstance(requirement, SignedBy | SigstoreSigned)
            for source in requirement.keys
        ]
        return tuple(dict.fromkeys(source.path for source in sources if isinstance(source, KeyPath)))

    @property
    def needs_simple_signatures(self) -> bool:
        return any(isinstance(requirement, SignedBy) for requirement in self.each)

    @property
    def needs_cosign_signatures(self) -> bool:
        return any(isinstance(requirement, SigstoreSigned) for requirement in self.each)


@dataclass(frozen=True, slots=True)
class Policy:
    """``docker`` is the transport's scopes; its own default is at the empty scope."""

    default: tuple[Requirement, ...]
    docker: Mapping[str, tuple[Requirement, ...]]

    def requirements_for(self, image: ImageReference) -> Requirements:
        """Those of the most specific scope; no others count."""
        for scope in (*image.scopes, ""):
            if scope in self.docker:
                return Requirements(f"docker:{scope}", self.docker[scope])
        return Requirements("default", self.default)
