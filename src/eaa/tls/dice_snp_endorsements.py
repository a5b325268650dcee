"""Endorsements of an SEV-SNP report in the certificate: extension 2.23.133.5.4.2.

Published formats have this extension for Intel's quotes only [RA-TLS Endorsement Data Format]. For reports
its shape is kept: the evidence's tag around an array, of which the first entry is the version::

    tag(0x1a7504, [ version uint32 (1), VCEK or VLEK, ASK or ASVK, ARK, revocation list of the ARK ])

All but the version are byte strings with DER; an empty one was not attached. rats-tls and librats attach
none to a report, and librats 0.x refuses a certificate that does: who talks to them leaves them out.
"""

from __future__ import annotations

from collections.abc import Sequence

from eaa.codec.cbor import CborValue, Tag, WideUint32, encode_cbor
from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.errors import FormatError, UnsupportedError, UsageError

__all__ = ["SNP_TAG", "encode_snp_endorsements", "parse_snp_endorsements"]

SNP_TAG = 0x1A7504
_VERSION, _PARTS = 1, 4
_WHAT = "endorsements"


def parse_snp_endorsements(version: int, parts: Sequence[CborValue]) -> SnpEndorsements:
    """The endorsements in an array's entries, ``parts`` without the version; nothing is looked at.

    Raises:
        UnsupportedError: an unknown version.
        FormatError: not four byte strings, the first of them not empty.
    """
    if version != _VERSION:
        raise UnsupportedError(
            f"endorsements of an SNP report of version {version:#x} are not known",
            detail="endorsements_version",
        )
    octets = [part for part in parts if isinstance(part, bytes)]
    if len(octets) != _PARTS or len(parts) != _PARTS or not octets[0]:
        raise FormatError(
            "expected VEK, ASK, ARK and revocation list as byte strings, and a VEK that is not empty",
            what=_WHAT, field="item",
        )  # fmt: skip
    vek, ask, ark, crl = (part or None for part in octets)
    return SnpEndorsements(vek, ask, ark, crl)


def encode_snp_endorsements(endorsements: SnpEndorsements) -> bytes:
    """The extnValue for ``endorsements``.

    Raises:
        UsageError: ``usage.endorsements_missing``: there is no VEK among them.
    """
    if endorsements.vek is None:
        raise UsageError("endorsements in a certificate have a VEK", detail="endorsements_missing")
    parts = (endorsements.vek, *(part or b"" for part in endorsements.chain))
    return encode_cbor(Tag(SNP_TAG, (WideUint32(_VERSION), *parts)))
