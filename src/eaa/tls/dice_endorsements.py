"""Endorsements that travel in the certificate: extension 2.23.133.5.4.2 [RA-TLS Endorsement Data Format].

Its extnValue is the same tag as the evidence's, around an array of the parts of Intel's quote library::

    tag(number, [ version uint32, TCB info, its issuer chain, PCK CRL, root CA CRL, PCK CRL's issuer chain,
                  QE identity, its issuer chain, ?creation time ])

All but the version are byte strings, as that library hands them out: documents as ``{"tcbInfo": …,
"signature": …}``, chains in PEM, revocation lists in hexadecimal under version 3, each with its final NUL.
librats refuses the version unless it is four bytes wide. Those of SEV-SNP reports are in
:mod:`eaa.tls.dice_snp_endorsements`.
"""

from __future__ import annotations

from eaa.codec.cbor import CborValue, Tag, WideUint32, decode_cbor, encode_cbor
from eaa.codec.pem import decode_pem_certificates, encode_pem
from eaa.codec.strict_json import object_members, parse_json
from eaa.codec.text import decode_hex
from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.endorsements.collateral import IntelCollateral, SignedDocument
from eaa.endorsements.crl import crl_der
from eaa.errors import FormatError, UnsupportedError, UsageError
from eaa.tls.dice_snp_endorsements import SNP_TAG, encode_snp_endorsements, parse_snp_endorsements
from eaa.tls.peer import Endorsements

__all__ = ["ENDORSEMENTS_OID", "encode_endorsements", "parse_endorsements"]

ENDORSEMENTS_OID = "2.23.133.5.4.2"
#: Major version in the low half: 1 has lists in PEM, 3 in hexadecimal or (3.1) DER, 4 is that of TDX.
VERSION = 3
MAJOR_VERSIONS = (1, 3, 4)
_WHAT, _SPEC = "endorsements", "[RA-TLS Endorsement Data Format]"


def parse_endorsements(data: bytes) -> tuple[int, Endorsements]:
    """The tag and the parts in ``data``, received bytes of which nothing has been verified.

    Raises:
        FormatError: not strict CBOR, no tag with the entries that it has, or a part that is not of its type.
        UnsupportedError: an unknown version.
    """
    match decode_cbor(data, _WHAT, spec=_SPEC, wide=("[0]",), padded=True):
        case Tag(number, (int(version), *parts)):
            pass
        case _:
            raise _error("item", "expected a tag with an array, its first entry an integer")
    if number == SNP_TAG:
        return number, parse_snp_endorsements(version, parts)
    return number, _intel(version, parts)


def _intel(version: int, parts: list[CborValue]) -> IntelCollateral:
    if len(parts) not in (7, 8):
        raise _error("item", f"expected 8 or 9 entries, came {len(parts) + 1}")
    if version & 0xFFFF not in MAJOR_VERSIONS:
        raise UnsupportedError(
            f"endorsements of version {version:#x} are not known", detail="endorsements_version"
        )
    if not all(isinstance(part, bytes) for part in parts):
        raise _error("item", "an entry after the version is not a byte string")
    info, info_chain, pck_crl, root_crl, pck_chain, identity, identity_chain = (
        bytes(part).removesuffix(b"\x00")  # type: ignore[arg-type]  # all are bytes
        for part in parts[:7]
    )
    return IntelCollateral(
        tcb_info=_document(info, "tcbInfo", info_chain),
        qe_identity=_document(identity, "enclaveIdentity", identity_chain),
        root_ca_crl=crl_der(root_crl, what=f"root CA CRL in {_WHAT}"),
        pck_crl=crl_der(pck_crl, what=f"PCK CRL in {_WHAT}"),
        pck_crl_issuer_chain=pck_chain,
    )


def _document(data: bytes, name: str, chain: bytes) -> SignedDocument:
    members = object_members(data, _WHAT)
    if members.keys() != {name, "signature"}:
        raise _error(name, f"expected the members {name} and signature")
    signature = parse_json(members["signature"], _WHAT)
    if not isinstance(signature, str):
        raise _error(name, "the signature is not text")
    return SignedDocument(members[name], decode_hex(signature, _WHAT, name, length=64), chain)


def encode_endorsements(tag: int, endorsements: Endorsements) -> bytes:
    """The extnValue for ``endorsements``, with the ``tag`` of the evidence; URL-encoded chains become PEM.

    Raises:
        UsageError: a part is missing.
        FormatError: a chain is no chain.
    """
    if isinstance(endorsements, SnpEndorsements):
        return encode_snp_endorsements(endorsements)
    parts = endorsements
    if (
        parts.tcb_info is None
        or parts.qe_identity is None
        or parts.root_ca_crl is None
        or parts.pck_crl is None
        or parts.pck_crl_issuer_chain is None
    ):
        raise UsageError(
            "endorsements in a certificate have all of their parts", detail="endorsements_missing"
        )
    texts = (
        _signed("tcbInfo", parts.tcb_info),
        _pem(parts.tcb_info.issuer_chain),
        parts.pck_crl.hex().encode(),
        parts.root_ca_crl.hex().encode(),
        _pem(parts.pck_crl_issuer_chain),
        _signed("enclaveIdentity", parts.qe_identity),
        _pem(parts.qe_identity.issuer_chain),
    )
    return encode_cbor(Tag(tag, (WideUint32(VERSION), *(text + b"\x00" for text in texts))))


def _signed(name: str, document: SignedDocument) -> bytes:
    return b'{"%b":%b,"signature":"%b"}' % (name.encode(), document.body, document.signature.hex().encode())


def _pem(chain: bytes) -> bytes:
    return b"".join(encode_pem(der) for der in decode_pem_certificates(chain, f"issuer chain in {_WHAT}"))


def _error(field: str, message: str) -> FormatError:
    return FormatError(message, what=_WHAT, field=field, spec=_SPEC)
