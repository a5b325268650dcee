"""What the chains of a secure processor's keys have in common, AMD SEV's and Hygon CSV's [SEV-API C.1].

Names are those of the vendor, as in messages; a refusal's detail code has them in lower case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from eaa.errors import ChainError, EndorsementNotFound
from eaa.evidence.psp_certificate import KeyUsage, PspCertificate, PspSignature

__all__ = [
    "PspAuthority",
    "PspPlatformCertificate",
    "require_issuer",
    "require_part",
    "require_root",
    "require_signature",
    "require_usage",
]


class PspAuthority(Protocol):
    """A certificate of the vendor's own: ARK and ASK, HRK and HSK."""

    @property
    def raw(self) -> bytes: ...

    @property
    def key_id(self) -> bytes: ...

    @property
    def certifying_id(self) -> bytes: ...

    @property
    def usage(self) -> KeyUsage: ...


class PspPlatformCertificate(Protocol):
    """A certificate of a key of the platform."""

    @property
    def frame(self) -> PspCertificate: ...

    @property
    def usage(self) -> KeyUsage: ...


def require_part(part: bytes | None, name: str) -> bytes:
    """``part``, the certificate ``name``.

    Raises:
        EndorsementNotFound: it is missing.
    """
    if part is None:
        raise EndorsementNotFound(
            f"the {name} certificate is missing from the endorsements", detail=name.lower()
        )
    return part


def require_root(root: PspAuthority, name: str, anchors: Sequence[PspAuthority]) -> None:
    """``root`` is byte for byte one of ``anchors``, which its signature over itself would add nothing to.

    Raises:
        ChainError: it is none, or does not certify itself.
    """
    if not any(root.raw == anchor.raw for anchor in anchors):
        raise ChainError(
            f"the {name} {root.key_id.hex()} is not one of the {len(anchors)} trust anchors",
            detail="untrusted_root", key_id=root.key_id.hex(),
        )  # fmt: skip
    if root.usage is not KeyUsage.ARK or root.certifying_id != root.key_id:
        raise ChainError(
            f"the trust anchor is no {name} that certifies itself", detail=f"{name.lower()}_usage"
        )


def require_issuer(authority: PspAuthority, name: str, root: PspAuthority, root_name: str) -> None:
    """``authority`` is one that issues to chips, and names ``root`` as its issuer; no signature is verified.

    Raises:
        ChainError
    """
    if authority.usage is not KeyUsage.ASK:
        raise ChainError(f"the {name} certificate is of an {root_name}", detail=f"{name.lower()}_usage")
    if authority.certifying_id != root.key_id:
        raise ChainError(
            f"the {name} names {authority.certifying_id.hex()} as its issuer, "
            f"the {root_name} is {root.key_id.hex()}",
            detail=f"{name.lower()}_issuer",
        )


def require_usage(certificate: PspPlatformCertificate, usage: KeyUsage) -> None:
    """
    Raises:
        ChainError: ``certificate`` is of a key for something else.
    """
    if certificate.usage is not usage:
        raise ChainError(
            f"the {usage.name} certificate is of a {certificate.usage.name}",
            detail=f"{usage.name.lower()}_usage",
        )


def require_signature(certificate: PspPlatformCertificate, issuer: KeyUsage, name: str) -> PspSignature:
    """The signature in ``certificate`` by a key for ``issuer``, called ``name``. It is not verified.

    Raises:
        ChainError: there is none.
    """
    signature = certificate.frame.signature_by(issuer)
    if signature is None:
        of = certificate.usage.name
        raise ChainError(
            f"the {of} certificate has no signature by the {name}", detail=f"{of.lower()}_unsigned"
        )
    return signature
