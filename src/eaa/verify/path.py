"""Certificate path rules for the vendors' short chains [RFC5280 §6.1]."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from eaa.endorsements.crl import CertificateRevocationList
from eaa.endorsements.pinned import PINNED, known_to_be_signed
from eaa.endorsements.roots import SIMULATED_NAME_PREFIX
from eaa.endorsements.x509 import (
    BASIC_CONSTRAINTS,
    CRL_SIGN,
    DIGITAL_SIGNATURE,
    ECDSA_SHA256,
    KEY_CERT_SIGN,
    KEY_USAGE,
    Certificate,
    common_name,
)
from eaa.errors import ChainError, RevokedError
from eaa.verify.ecdsa import CRYPTOGRAPHY, EcdsaKey, EcdsaLibrary
from eaa.verify.primitives import verify_p256
from eaa.verify.windows import Window

__all__ = [
    "certificate_key",
    "certificate_window",
    "crl_window",
    "refuse_revoked",
    "require_anchor",
    "require_ca",
    "require_crl",
    "require_issued",
    "require_leaf",
]

_KNOWN_CRITICAL = frozenset({BASIC_CONSTRAINTS, KEY_USAGE})


def require_anchor(root: Certificate, anchors: Sequence[Certificate], what: str) -> None:
    """Holds if ``root``, the last of the chain of ``what``, is byte for byte one of ``anchors``."""
    if any(root.der == anchor.der for anchor in anchors):
        return
    name = root.common_name
    hint = (
        ": a simulated platform, trusted only where its root is named as the trust anchor"
        if name.startswith(SIMULATED_NAME_PREFIX)
        else ""
    )
    expected = " or ".join(sorted({anchor.common_name for anchor in anchors})) or "none"
    raise ChainError(
        f"the {what} ends at {name!r}, which is not a trust anchor{hint} (expected {expected})",
        detail="untrusted_root", root=name, expected=expected,
    )  # fmt: skip


def require_issued(
    certificate: Certificate, issuer: Certificate, issuer_key: EcdsaKey, what: str, detail: str
) -> None:
    """Holds if ``issuer`` issued ``certificate``: names, algorithm, signature.

    The signature of what is pinned is known to hold [docs/adr/0017], and is not checked again.
    """
    if certificate.issuer != issuer.subject:
        raise ChainError(
            f"the {what} names {common_name(certificate.issuer)!r} as its issuer, "
            f"the next certificate is {issuer.common_name!r}",
            detail=f"{detail}_issuer",
        )
    _require_ecdsa_sha256(certificate.signature_algorithm, what, detail)
    if not known_to_be_signed(certificate, issuer):
        verify_p256(issuer_key, certificate.signature, certificate.tbs, what, detail)


def require_ca(certificate: Certificate, below: int, what: str, detail: str) -> None:
    """Holds if ``certificate`` may issue certificates and lists with ``below`` CAs under it."""
    _refuse_unknown_critical(certificate, what, detail)
    ca, path_length = certificate.basic_constraints
    if not ca:
        raise ChainError(f"the {what} is not a CA", detail=f"{detail}_not_ca")
    if path_length is not None and path_length < below:
        raise ChainError(
            f"the {what} allows {path_length} CAs below it, there are {below}",
            detail=f"{detail}_path_length",
        )
    if not certificate.key_usage(KEY_CERT_SIGN):
        raise ChainError(f"the {what} may not sign certificates", detail=f"{detail}_key_usage")


def require_leaf(certificate: Certificate, name: str, what: str, detail: str) -> None:
    """Holds if ``certificate`` is an end entity that may sign, with ``name`` in its subject."""
    _refuse_unknown_critical(certificate, what, detail)
    if certificate.ca:
        raise ChainError(f"the {what} is a CA", detail=f"{detail}_is_ca")
    if not certificate.key_usage(DIGITAL_SIGNATURE):
        raise ChainError(f"the {what} may not sign data", detail=f"{detail}_key_usage")
    # As Intel's verifier asks [DCAP-QVL §4.1.2.4.4].
    if name.encode() not in certificate.subject:
        raise ChainError(
            f"the {what} is named {certificate.common_name!r}, expected {name!r} in it",
            detail=f"{detail}_name",
        )


def require_crl(
    crl: CertificateRevocationList, issuer: Certificate, key: EcdsaKey, what: str, detail: str
) -> None:
    """Holds if ``issuer`` may and did sign ``crl``."""
    if crl.issuer != issuer.subject:
        raise ChainError(
            f"the {what} is issued by {common_name(crl.issuer)!r}, expected {issuer.common_name!r}",
            detail=f"{detail}_issuer",
        )
    if not issuer.key_usage(CRL_SIGN):
        raise ChainError(
            f"{issuer.common_name!r} may not sign revocation lists", detail=f"{detail}_key_usage"
        )
    _require_ecdsa_sha256(crl.signature_algorithm, what, detail)
    verify_p256(key, crl.signature, crl.tbs, what, detail)


def refuse_revoked(certificate: Certificate, crl: CertificateRevocationList, what: str, detail: str) -> None:
    """Raises RevokedError if ``crl`` lists ``certificate``; its issuer must be the list's."""
    if crl.revokes(certificate.serial):
        raise RevokedError(
            f"the {what} with serial number {certificate.serial:x} is revoked by {common_name(crl.issuer)!r}",
            detail=detail, serial=certificate.serial,
        )  # fmt: skip


def certificate_key(
    certificate: Certificate,
    what: str,
    detail: str,
    ecdsa: EcdsaLibrary = CRYPTOGRAPHY,
    *,
    anchor: bool = False,
) -> EcdsaKey:
    """The P-256 key of ``certificate``, of ``ecdsa``.

    Of an ``anchor``, or what is pinned, it is kept: there are few, and every verification begins with them.
    """
    point = certificate.public_point
    if point is not None:
        try:
            if anchor or certificate.der in PINNED.by_der:
                return _kept_key(ecdsa, point)
            return ecdsa.p256(point)
        except ValueError:
            pass
    raise ChainError(f"the key of the {what} is not a point on P-256", detail=f"{detail}_key")


@lru_cache(maxsize=32)
def _kept_key(ecdsa: EcdsaLibrary, point: bytes) -> EcdsaKey:
    return ecdsa.p256(point)


def certificate_window(certificate: Certificate, what: str, detail: str) -> Window:
    return Window(what, detail, certificate.not_before, certificate.not_after)


def crl_window(crl: CertificateRevocationList, what: str, detail: str) -> Window:
    return Window(what, detail, crl.this_update, crl.next_update)


def _require_ecdsa_sha256(algorithm: bytes, what: str, detail: str) -> None:
    if algorithm != ECDSA_SHA256:
        raise ChainError(
            f"the {what} is signed with an algorithm other than ECDSA with SHA-256",
            detail=f"{detail}_algorithm",
        )


def _refuse_unknown_critical(certificate: Certificate, what: str, detail: str) -> None:
    for oid, extension in certificate.extensions.items():
        if extension.critical and oid not in _KNOWN_CRITICAL:
            raise ChainError(
                f"the {what} has the unknown critical extension {oid}",
                detail=f"{detail}_critical_extension",
            )
