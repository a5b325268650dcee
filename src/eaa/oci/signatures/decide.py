"""Whether an image may run: every requirement of its scope, each by one signature that holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from eaa.errors import (
    AccessDenied,
    BindingError,
    EAAError,
    FormatError,
    SignatureError,
    UnsupportedError,
)
from eaa.oci.digest import Digest
from eaa.oci.signatures.claim import COSIGN_TYPE, SIMPLE_TYPE, Claim, parse_claim
from eaa.oci.signatures.cosign import CosignSignature, parse_public_key, verify_cosign
from eaa.oci.signatures.identity import Identity, identity_holds
from eaa.oci.signatures.policy import (
    AcceptAnything,
    KeyData,
    KeySource,
    Reject,
    Requirement,
    Requirements,
    SignedBy,
)
from eaa.oci.signatures.reference import ImageReference

__all__ = ["Accepted", "OpenPgp", "SignedImage", "require_accepted"]


class OpenPgp(Protocol):
    """Verifies OpenPGP messages."""

    def verifier(self, keyrings: Sequence[bytes]) -> Callable[[bytes], bytes]:
        """What turns a signed message into its content, if a valid key of ``keyrings`` has signed it.

        It raises ``SignatureError`` if none has. Raises:
            FormatError: ``format.image_key``: a keyring is none.
        """
        ...


@dataclass(frozen=True, slots=True)
class SignedImage:
    """An image as it was asked for and as it came.

    ``digests`` are those of its manifest and, if it came through an index, of the index; each computed over
    received bytes, the later named by the bytes of the earlier. ``simple`` and ``cosign`` are all signatures
    found, as they came.
    """

    reference: ImageReference
    digests: tuple[Digest, ...]
    simple: tuple[bytes, ...] = ()
    cosign: tuple[CosignSignature, ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """``scope`` is the policy's; ``claims`` has what was signed, one for each requirement of a signature."""

    scope: str
    claims: tuple[Claim, ...]


def require_accepted(
    image: SignedImage, requirements: Requirements, *, keys: Mapping[str, bytes], openpgp: OpenPgp
) -> Accepted:
    """``image`` meets every one of ``requirements``.

    A requirement of a signature holds if one signature (1) verifies under one of its keys over the payload
    as it came, (2) is of the format's type, (3) names a digest of the image, and (4) names the image as
    ``signedIdentity`` demands.

    Args:
        keys: the content of every one of ``requirements.key_paths``.

    Raises:
        AccessDenied: ``access_denied.image_rejected``: the policy rejects it.
        SignatureError: ``signature.image_unsigned``, ``signature.image_signature_key`` or, if several
            signatures fail for several reasons, ``signature.image_signatures``.
        BindingError: ``binding.image_digest`` or ``binding.image_identity``: signed, and not this image.
        FormatError: a signature or a key is malformed.
    """
    found = [
        _require(requirement, image, requirements.scope, keys, openpgp) for requirement in requirements.each
    ]
    return Accepted(requirements.scope, tuple(claim for claim in found if claim is not None))


def _require(
    requirement: Requirement, image: SignedImage, scope: str, keys: Mapping[str, bytes], openpgp: OpenPgp
) -> Claim | None:
    match requirement:
        case AcceptAnything():
            return None
        case Reject():
            raise AccessDenied(
                f"{image.reference}: rejected by the image policy at {scope}", detail="image_rejected"
            )
        case SignedBy(sources, identity):
            open_message = openpgp.verifier(_contents(sources, keys))

            def simple(message: bytes) -> Claim:
                return parse_claim(open_message(message), SIMPLE_TYPE)

            return _any_holds([partial(simple, one) for one in image.simple], image, identity, "simple")
        case _:
            trusted = [parse_public_key(pem) for pem in _contents(requirement.keys, keys)]

            def cosign(signed: CosignSignature) -> Claim:
                return parse_claim(verify_cosign(signed, trusted), COSIGN_TYPE)

            return _any_holds(
                [partial(cosign, one) for one in image.cosign], image, requirement.identity, "cosign-format"
            )


def _any_holds(
    signatures: Sequence[Callable[[], Claim]], image: SignedImage, identity: Identity, form: str
) -> Claim:
    refusals: list[EAAError] = []
    for signature in signatures:
        try:
            return _claim_holds(signature(), image, identity)
        except (SignatureError, BindingError, FormatError, UnsupportedError) as error:
            refusals.append(error)
    if not refusals:
        raise SignatureError(
            f"{image.reference}: the image policy requires a {form} signature, and there is none",
            detail="image_unsigned",
        )
    if len(refusals) == 1:
        raise refusals[0]
    reasons = "; ".join(f"{number}: {error}" for number, error in enumerate(refusals, 1))
    raise SignatureError(
        f"{image.reference}: none of {len(refusals)} {form} signatures is accepted: {reasons}",
        detail="image_signatures",
    )


def _claim_holds(claim: Claim, image: SignedImage, identity: Identity) -> Claim:
    if claim.digest not in image.digests:
        raise BindingError(
            f"{image.reference}: the signature is for {claim.digest}, the image is "
            f"{' in '.join(str(digest) for digest in reversed(image.digests))}",
            detail="image_digest",
        )
    if not identity_holds(identity, image.reference, claim.reference):
        raise BindingError(
            f"{image.reference}: the signature is for {claim.reference}, which {type(identity).__name__} "
            "does not allow",
            detail="image_identity",
        )
    return claim


def _contents(sources: Sequence[KeySource], keys: Mapping[str, bytes]) -> list[bytes]:
    return [source.data if isinstance(source, KeyData) else keys[source.path] for source in sources]
