"""The vendors' certificates that are known byte for byte, and what is known of them [docs/adr/0017].

That a root signed one of these is a fact about two constants. It is checked once, by this package's tests,
and not again for each quote. It is no more than that: whether the root is a trust anchor, and whether the
certificate may do what it does, is valid now and is not revoked, is asked each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eaa.endorsements.amd_roots import AMD_ARKS, AMD_ISSUERS
from eaa.endorsements.intel_issuers import INTEL_SGX_ISSUERS
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.endorsements.x509 import Certificate, KnownCertificates

__all__ = ["PINNED", "SIGNED", "known_to_be_signed"]

#: Roots, and what they have issued.
PINNED = KnownCertificates.of((*INTEL_SGX_ROOTS, *INTEL_SGX_ISSUERS, *AMD_ARKS, *AMD_ISSUERS))


def _signed(
    issued: Iterable[Certificate], roots: Sequence[Certificate]
) -> Iterable[tuple[Certificate, Certificate]]:
    return ((item, root) for item in issued for root in roots if item.issuer == root.subject)


#: Certificate and issuer, for each signature that is known to hold.
SIGNED: tuple[tuple[Certificate, Certificate], ...] = (
    *_signed(INTEL_SGX_ISSUERS, INTEL_SGX_ROOTS),
    *_signed(AMD_ISSUERS, AMD_ARKS),
)
_SIGNED = frozenset((item.der, root.spki) for item, root in SIGNED)


def known_to_be_signed(certificate: Certificate, issuer: Certificate) -> bool:
    """Whether the key of ``issuer`` is known to have signed exactly this ``certificate``."""
    return (certificate.der, issuer.spki) in _SIGNED
