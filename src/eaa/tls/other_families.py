"""Certificates of the families before and beside the interoperable one: one reader each.

Where evidence is and what it is bound to, by the sources of each. None has a nonce, and all are bound to
the certificate's key alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

from eaa.codec.cmw import CmwRecord, parse_cmw_cbor, parse_cmw_json
from eaa.codec.der import wrap_sequence
from eaa.codec.pem import encode_pem
from eaa.endorsements.x509 import Certificate
from eaa.errors import FormatError, UnsupportedError
from eaa.evidence.dcap_quote import parse_quote_frame
from eaa.tls.carried import Carried, attach, attach_quote
from eaa.tls.claims import hash_report_data
from eaa.tls.dice import read_tagged_evidence
from eaa.tls.key import pkcs1_or_spki
from eaa.tls.peer import EvidenceKind

__all__ = [
    "read_cmw",
    "read_dstack",
    "read_enclave_tls",
    "read_gramine",
    "read_open_enclave",
    "read_sgx_sdk",
]

CMW_OID = "1.3.6.1.5.5.7.1.35"
GRAMINE_OID = "0.6.9.42.840.113741.1337.6"
SGX_SDK_OID = "1.2.840.113741.1.13.1"
OPEN_ENCLAVE_OIDS = ("1.3.6.1.4.1.311.105.1", "1.2.840.113556.10.1.1")
DSTACK_QUOTE_OID = "1.3.6.1.4.1.62397.1.1"
DSTACK_ATTESTATION_OID = "1.3.6.1.4.1.62397.1.8"
_ENCLAVE_TLS = "1.2.840.113741.1337."
EPID_OIDS = tuple(f"{_ENCLAVE_TLS}{arc}" for arc in (2, 3, 4, 5))
ENCLAVE_TLS_KINDS: Mapping[str, EvidenceKind] = MappingProxyType(
    {
        f"{_ENCLAVE_TLS}6": EvidenceKind.SGX_QUOTE,
        f"{_ENCLAVE_TLS}8": EvidenceKind.TDX_QUOTE,
        f"{_ENCLAVE_TLS}14": EvidenceKind.SGX_REPORT,
        f"{_ENCLAVE_TLS}20": EvidenceKind.SNP_REPORT,
        f"{_ENCLAVE_TLS}22": EvidenceKind.SEV_REPORT,
        f"{_ENCLAVE_TLS}24": EvidenceKind.CSV_REPORT,
    }
)
_QUOTES = (EvidenceKind.SGX_QUOTE, EvidenceKind.TDX_QUOTE)

#: The one message that is read from a CMW: what the interoperable extension has. CMW leaves to a profile
#: what evidence is bound to, and none is published for quotes; so this is a type of EAA's own.
CMW_TAGGED_EVIDENCE = "application/vnd.eaa.tagged-evidence+cbor"

_OE_REPORT = bytes.fromhex("0100000002000000")  # version 1, type 2: remote
_OE_HEADER_BYTES = 16


def read_enclave_tls(certificate: Certificate) -> Carried:
    """enclave-tls, and rats-tls until December 2022: extnValue is the evidence itself.

    Report data is SHA-256 of the key, then zeros: of SubjectPublicKeyInfo for EC, but of RSAPublicKey
    [RFC8017 A.1.1] for RSA, because that is what OpenSSL's function for the key's type gave.
    """
    present = [oid for oid in ENCLAVE_TLS_KINDS if oid in certificate.extensions]
    if not present:
        raise UnsupportedError("the evidence is an EPID report of IAS, which was shut down", detail="epid")
    if len(present) > 1 or any(oid in certificate.extensions for oid in EPID_OIDS):
        raise FormatError(
            "evidence of several kinds", what="certificate", field="extensions", detail="ambiguous_evidence"
        )
    kind, value = ENCLAVE_TLS_KINDS[present[0]], certificate.extensions[present[0]].value
    attached = attach_quote(value, kind) if kind in _QUOTES else attach(kind, value)
    return Carried(attached, hash_report_data(pkcs1_or_spki(certificate.spki)))


def read_gramine(certificate: Certificate) -> Carried:
    """Gramine before 1.8, whose OID has the DER header of an OID as its first two numbers.

    Report data is SHA-256(SubjectPublicKeyInfo), then zeros.
    """
    attached = attach_quote(certificate.extensions[GRAMINE_OID].value, EvidenceKind.SGX_QUOTE)
    return Carried(attached, hash_report_data(certificate.spki))


def read_sgx_sdk(certificate: Certificate) -> Carried:
    """Intel's SGX SDK before 2.22. Report data is SHA-256(PEM of the key with its final NUL), then zeros."""
    attached = attach_quote(certificate.extensions[SGX_SDK_OID].value, *_QUOTES)
    return Carried(attached, hash_report_data(_pem_with_nul(certificate.spki)))


def read_open_enclave(certificate: Certificate) -> Carried:
    """Open Enclave and EGo.

    The quote is bare, in an OCTET STRING, or behind a report header ``u32 1 ‖ u32 2 ‖ u64 size``. Report
    data is a SHA-256, then zeros: EGo's of SubjectPublicKeyInfo, Open Enclave's of its PEM with the NUL.
    """
    oids = [oid for oid in OPEN_ENCLAVE_OIDS if oid in certificate.extensions]
    if len(oids) > 1:
        raise FormatError(
            "two quotes of Open Enclave", what="certificate", field="extensions", detail="ambiguous_evidence"
        )
    attached = attach_quote(_open_enclave_quote(certificate.extensions[oids[0]].value), *_QUOTES)
    rules = (hash_report_data(certificate.spki), hash_report_data(_pem_with_nul(certificate.spki)))
    # Which rule its maker followed, only the quote itself says; what it says is compared when it is verified.
    says = parse_quote_frame(attached.evidence).body.report_data
    return Carried(attached, rules[1] if says == rules[1] else rules[0])


def _open_enclave_quote(value: bytes) -> bytes:
    if value[:2] == b"\x04\x82":
        value = _inner_octets(value, "Open Enclave quote")
    if value[2:4] != b"\x00\x00":  # a header begins with a u32, a quote with two u16
        return value
    if value[:8] != _OE_REPORT:
        raise UnsupportedError(
            "Open Enclave: only report headers of version 1 and remote reports are supported",
            detail="open_enclave_format",
        )
    quote = value[_OE_HEADER_BYTES:]
    if int.from_bytes(value[8:_OE_HEADER_BYTES], "little") != len(quote):
        raise FormatError("is not that of what follows", what="Open Enclave report", field="size", offset=8)
    return quote


def read_dstack(certificate: Certificate) -> Carried:
    """dstack: each extnValue has an OCTET STRING inside. Report data is SHA-512("ratls-cert:" ‖ SPKI)."""
    extension = certificate.extensions.get(DSTACK_QUOTE_OID)
    if extension is None:
        raise UnsupportedError("dstack's unified attestation is not supported", detail="dstack_attestation")
    attached = attach_quote(_inner_octets(extension.value, "dstack quote"), *_QUOTES)
    return Carried(attached, hashlib.sha512(b"ratls-cert:" + certificate.spki).digest())


def read_cmw(certificate: Certificate) -> Carried:
    """CMW ::= CHOICE { json UTF8String, cbor OCTET STRING } [CMW X.509].

    The message of type :data:`CMW_TAGGED_EVIDENCE` is read; any other is named.
    """
    record = _cmw(certificate.extensions[CMW_OID].value)
    if record.type != CMW_TAGGED_EVIDENCE:
        shown = record.type if isinstance(record.type, int) else ascii(record.type[:80])
        raise UnsupportedError(
            f"CMW: messages of type {shown} are not supported, only {CMW_TAGGED_EVIDENCE}", detail="cmw_type"
        )
    return read_tagged_evidence(record.value, certificate.spki)


_OCTET_STRING, _UTF8_STRING = 0x04, 0x0C


def _cmw(value: bytes) -> CmwRecord:
    if value[:1] == bytes((_UTF8_STRING,)):
        return parse_cmw_json(_inner(value, _UTF8_STRING, "CMW"))
    return parse_cmw_cbor(_inner_octets(value, "CMW"))


def _inner_octets(value: bytes, what: str) -> bytes:
    return _inner(value, _OCTET_STRING, what)


def _inner(value: bytes, tag: int, what: str) -> bytes:
    """The contents of the one DER value with ``tag`` that ``value`` is, of less than 64 KiB."""
    for header_bytes in (2, 3, 4):
        # A value has one header in DER, but for the tag that of a SEQUENCE of as many bytes.
        inner = value[header_bytes:]
        if value == bytes((tag,)) + wrap_sequence(inner)[1:]:
            return inner
    raise FormatError(
        f"expected one DER value with tag {tag:#04x}",
        what=what, field="extnValue", offset=0, spec="[X690 §10]", detail="not_der",
    )  # fmt: skip


def _pem_with_nul(spki: bytes) -> bytes:
    return encode_pem(spki, "PUBLIC KEY") + b"\x00"
