"""Which name a signature has to say to be for the image that is pulled [CONTAINERS-POLICY signedBy]."""

from __future__ import annotations

from dataclasses import dataclass

from eaa.errors import FormatError
from eaa.oci.signatures.reference import ImageReference, parse_reference

__all__ = [
    "ExactReference",
    "ExactRepository",
    "Identity",
    "MatchExact",
    "MatchRepoDigestOrExact",
    "MatchRepository",
    "RemapIdentity",
    "identity_holds",
]


@dataclass(frozen=True, slots=True)
class MatchExact:
    """The signature says exactly the image that is pulled."""


@dataclass(frozen=True, slots=True)
class MatchRepoDigestOrExact:
    """Pulled by tag: exactly it. Pulled by digest: any tag or digest of its repository."""


@dataclass(frozen=True, slots=True)
class MatchRepository:
    """Any tag or digest of the repository that is pulled from."""


@dataclass(frozen=True, slots=True)
class ExactReference:
    """The signature says exactly ``reference``, which has a tag or a digest."""

    reference: ImageReference


@dataclass(frozen=True, slots=True)
class ExactRepository:
    """The signature says something in ``repository``, which has neither tag nor digest."""

    repository: ImageReference


@dataclass(frozen=True, slots=True)
class RemapIdentity:
    """As :class:`MatchRepoDigestOrExact`, after ``prefix`` of the pulled name became ``signed_prefix``."""

    prefix: str
    signed_prefix: str


Identity = (
    MatchExact | MatchRepoDigestOrExact | MatchRepository | ExactReference | ExactRepository | RemapIdentity
)


def identity_holds(identity: Identity, image: ImageReference, signed: ImageReference) -> bool:
    """Whether a signature that says ``signed`` is one for ``image`` under ``identity``."""
    match identity:
        case MatchExact():
            return _is_exact(image, signed)
        case MatchRepoDigestOrExact():
            return _is_repository_of_digest_or_exact(image, signed)
        case MatchRepository():
            return signed.name == image.name
        case ExactReference(reference):
            return _is_exact(reference, signed)
        case ExactRepository(repository):
            return signed.name == repository.name
        case _:
            remapped = _remap(image, identity.prefix, identity.signed_prefix)
            return remapped is not None and _is_repository_of_digest_or_exact(remapped, signed)


def _is_exact(image: ImageReference, signed: ImageReference) -> bool:
    return not image.is_name_only and signed == image


def _is_repository_of_digest_or_exact(image: ImageReference, signed: ImageReference) -> bool:
    if signed.is_name_only:
        return False
    if image.tag is None and image.digest is not None:
        return signed.name == image.name
    return _is_exact(image, signed)


def _remap(image: ImageReference, prefix: str, signed_prefix: str) -> ImageReference | None:
    """``image`` under its signed name, unchanged if ``prefix`` is not its; None if the result is no name."""
    if image.name != prefix and not image.name.startswith(f"{prefix}/"):
        return image
    try:
        return parse_reference(signed_prefix + str(image)[len(prefix) :])
    except FormatError:
        return None
