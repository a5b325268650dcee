"""The interoperable RA-TLS extension: tagged evidence [RA-TLS Evidence Data Formats].

The extnValue of 2.23.133.5.4.9 has, without any ASN.1 inside::

    tag(number, [ bstr evidence, bstr claims buffer ])

The tag says what the evidence is. Those from 0x1a7501 are private to rats-tls and librats. rats-tls 0.6.4
passes on buffers with what was behind the value in them: here, in the claims buffer and in its pubkey-hash.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from eaa.codec.cbor import CborValue, Tag, decode_cbor, encode_cbor
from eaa.endorsements.x509 import Certificate
from eaa.errors import FormatError, UnsupportedError
from eaa.tls.carried import Carried, attach, intel_quote_kind
from eaa.tls.claims import HASHES, HASHES_2022, hash_report_data, parse_claims
from eaa.tls.dice_endorsements import ENDORSEMENTS_OID, parse_endorsements
from eaa.tls.dice_snp_endorsements import SNP_TAG
from eaa.tls.peer import AttachedEvidence, EvidenceKind

__all__ = [
    "ENDORSED_TAGS",
    "EVIDENCE_OID",
    "TAG_OF_KIND",
    "encode_tagged_evidence",
    "read_dice",
    "read_tagged_evidence",
]

EVIDENCE_OID = "2.23.133.5.4.9"
#: Quotes of SGX and TDX: the header says which.
QUOTE_TAG = 60000
KIND_OF_TAG: Mapping[int, EvidenceKind] = MappingProxyType(
    {
        60001: EvidenceKind.TDX_REPORT,  # or an SGX report of type 2, which nothing here makes or reads
        60002: EvidenceKind.SGX_REPORT,
        SNP_TAG: EvidenceKind.SNP_REPORT,
        0x1A7505: EvidenceKind.SEV_REPORT,
        0x1A7506: EvidenceKind.CSV_REPORT,
    }
)
TAG_OF_KIND: Mapping[EvidenceKind, int] = MappingProxyType(
    {
        EvidenceKind.SGX_QUOTE: QUOTE_TAG,
        EvidenceKind.TDX_QUOTE: QUOTE_TAG,
        **{kind: tag for tag, kind in KIND_OF_TAG.items()},
    }
)
#: Of evidence whose endorsements can travel with it.
ENDORSED_TAGS = frozenset({QUOTE_TAG, SNP_TAG})
#: What rats-tls used for Intel's until February 2023, when 60000 to 60002 were registered.
TAGS_2022: Mapping[int, int] = MappingProxyType({0x1A7501: 60000, 0x1A7502: 60001, 0x1A7503: 60002})
_TDX_REPORT_TYPE = b"\x81"  # REPORTTYPE.TYPE [TDX-ABI REPORTTYPE]
_WHAT, _SPEC = "tagged evidence", "[RA-TLS Evidence Data Formats]"


def read_dice(certificate: Certificate) -> Carried:
    """What the extensions of ``certificate`` carry, bound to its key by the claims.

    Raises:
        FormatError, UnsupportedError: the evidence, claims or endorsements.
        BindingError: ``binding.pubkey_hash``; the claims are of another key.
    """
    carried = read_tagged_evidence(certificate.extensions[EVIDENCE_OID].value, certificate.spki)
    endorsements = certificate.extensions.get(ENDORSEMENTS_OID)
    if endorsements is None:
        return carried
    kind = carried.attached.kind
    tag, collateral = parse_endorsements(endorsements.value)
    if TAGS_2022.get(tag, tag) != TAG_OF_KIND[kind]:
        message = f"tag {tag} is not that of the evidence, {TAG_OF_KIND[kind]}"
        raise FormatError(message, what="endorsements", field="tag", offset=0, spec=_SPEC)
    attached = AttachedEvidence(kind, carried.attached.evidence, collateral)
    return Carried(attached, carried.report_data, carried.claims)


def read_tagged_evidence(data: bytes, spki: bytes) -> Carried:
    """The tagged evidence in ``data``, whose claims are of the key ``spki``. Raises as :func:`read_dice`."""
    tag, evidence, buffer = _parse(data)
    old = tag in TAGS_2022
    kind = _kind(TAGS_2022.get(tag, tag), evidence)
    claims = parse_claims(buffer, hashes=HASHES_2022 if old else HASHES, padded=True)
    claims.require_bound(spki)
    return Carried(attach(kind, evidence), hash_report_data(buffer), claims)


def _parse(data: bytes) -> tuple[int, bytes, bytes]:
    match decode_cbor(data, _WHAT, spec=_SPEC, padded=True):
        case Tag(number, (bytes(evidence), bytes(claims))):
            return number, evidence, claims
        case item:
            raise FormatError(
                f"expected a tag with evidence and claims, came {_shape(item)}",
                what=_WHAT,
                field="item",
                offset=0,
                spec=_SPEC,
            )


def _shape(item: CborValue) -> str:
    if isinstance(item, Tag):
        return f"a tag with {_shape(item.value)}"
    size = f" of {len(item)}" if isinstance(item, tuple) else ""
    return f"{type(item).__name__}{size}"


def _kind(tag: int, evidence: bytes) -> EvidenceKind:
    if tag == QUOTE_TAG:
        return intel_quote_kind(evidence)
    if (kind := KIND_OF_TAG.get(tag)) is None:
        raise UnsupportedError(f"tagged evidence: tag {tag} is not known", detail="evidence_tag", tag=tag)
    if kind is EvidenceKind.TDX_REPORT and evidence[:1] != _TDX_REPORT_TYPE:
        raise UnsupportedError(
            "tagged evidence: SGX reports of type 2 are not supported", detail="sgx_report2"
        )
    return kind


def encode_tagged_evidence(attached: AttachedEvidence, claims: bytes) -> bytes:
    """The extnValue for ``attached`` and the claims buffer ``claims``."""
    return encode_cbor(Tag(TAG_OF_KIND[attached.kind], (attached.evidence, claims)))
