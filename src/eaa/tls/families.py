"""The families of certificates that carry evidence, and which one a certificate is of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eaa.endorsements.x509 import Certificate
from eaa.errors import FormatError
from eaa.tls import other_families as other
from eaa.tls.carried import Carried
from eaa.tls.dice import EVIDENCE_OID, read_dice

__all__ = ["FAMILIES", "Family", "family_of"]


@dataclass(frozen=True, slots=True)
class Family:
    """``oids``: any of them marks a certificate as of this family. ``yields``: its producers add the
    interoperable extension too, which then counts alone."""

    slug: str
    oids: tuple[str, ...]
    read: Callable[[Certificate], Carried]
    yields: bool = False


INTEROPERABLE = Family("interoperable", (EVIDENCE_OID,), read_dice)
FAMILIES: tuple[Family, ...] = (
    INTEROPERABLE,
    Family("cmw", (other.CMW_OID,), other.read_cmw),
    Family("enclave-tls", (*other.ENCLAVE_TLS_KINDS, *other.EPID_OIDS), other.read_enclave_tls, yields=True),
    Family("gramine", (other.GRAMINE_OID,), other.read_gramine, yields=True),
    Family("sgx-sdk", (other.SGX_SDK_OID,), other.read_sgx_sdk, yields=True),
    Family("open-enclave", other.OPEN_ENCLAVE_OIDS, other.read_open_enclave),
    Family("dstack", (other.DSTACK_QUOTE_OID, other.DSTACK_ATTESTATION_OID), other.read_dstack),
)
_FAMILY_OF = {oid: family for family in FAMILIES for oid in family.oids}


def family_of(certificate: Certificate) -> Family:
    """The one family of ``certificate``, by the presence of extensions alone.

    What is in them does not matter: bad evidence of one family never makes a certificate one of another.

    Raises:
        FormatError: ``format.no_evidence``, or ``format.ambiguous_evidence`` of several families.
    """
    present = list(dict.fromkeys(_FAMILY_OF[oid] for oid in certificate.extensions if oid in _FAMILY_OF))
    if INTEROPERABLE in present:
        present = [family for family in present if not family.yields]
    if not present:
        raise _error("no extension of a known family carries evidence", "no_evidence")
    if len(present) > 1:
        slugs = ", ".join(family.slug for family in present)
        raise _error(f"evidence of several families: {slugs}", "ambiguous_evidence")
    return present[0]


def _error(message: str, detail: str) -> FormatError:
    return FormatError(message, what="certificate", field="extensions", detail=detail)
