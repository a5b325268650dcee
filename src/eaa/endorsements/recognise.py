"""What a file is, whatever it is wrapped in: for people who look at evidence and endorsements.

Recognition reads as little as tells the kinds apart. It is not parsing, and even less verification:
the bytes it returns may still be malformed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import unquote_to_bytes

from eaa.codec.pem import decode_pem
from eaa.codec.strict_json import object_members, parse_json
from eaa.codec.text import decode_base64, decode_hex
from eaa.endorsements.amd_vek import AMD_ARC
from eaa.endorsements.bundle_parts import der_kind, encode_text
from eaa.endorsements.http_response import is_http_response, parse_http_response
from eaa.endorsements.pck import SGX_EXTENSION_OID
from eaa.endorsements.recognise_psp import (
    are_hygon_certificates,
    are_sev_certificates,
    is_csv_json,
    is_csv_report,
    is_sev_report,
)
from eaa.endorsements.recognise_snp import is_snp_report, snp_of_json
from eaa.endorsements.x509 import parse_certificate
from eaa.errors import FormatError
from eaa.evidence.dcap_quote import HEADER_BYTES, INTEL_QE_VENDOR_ID
from eaa.evidence.sgx import ENCLAVE_REPORT_BYTES
from eaa.evidence.snp_certificates import GUIDS
from eaa.evidence.tdx import TD_REPORT10_BYTES, TD_REPORT15_BYTES
from eaa.evidence.tsm_report import is_tsm_cbor, parse_tsm_cbor, parse_tsm_json

__all__ = ["MAX_INPUT_BYTES", "MAX_WRAPPINGS", "Kind", "Recognised", "recognise"]

#: An event log of 16 MiB in hexadecimal.
MAX_INPUT_BYTES = 32 * 1024 * 1024
MAX_WRAPPINGS = 4
_WHAT = "input"


class Kind(StrEnum):
    """What can be told apart."""

    DCAP_QUOTE = "dcap_quote"
    ENCLAVE_REPORT = "sgx_report_body"
    TD_REPORT = "td_report_body"
    TDREPORT_STRUCT = "tdreport_struct"  # what a TD gets from its CPU; a quoting enclave makes a quote of it
    SNP_REPORT = "snp_report"  # and, after it, the certificate table if it came with one
    SEV_REPORT = "sev_report"  # perhaps with the platform's certificates
    CSV_REPORT = "csv_report"  # binary, or JSON: what guest components change in a report, only that says
    EVENT_LOG = "event_log"
    PCK_CERTIFICATE = "pck_certificate"
    VEK_CERTIFICATE = "vek_certificate"
    CERTIFICATE = "certificate"
    CERTIFICATE_CHAIN = "certificate_chain"
    CERTIFICATE_TABLE = "certificate_table"
    SEV_CERTIFICATES = "sev_certificates"
    HYGON_CERTIFICATES = "hygon_certificates"
    REVOCATION_LIST = "revocation_list"
    TCB_INFO = "tcb_info"
    ENCLAVE_IDENTITY = "enclave_identity"
    COLLATERAL = "collateral"


@dataclass(frozen=True, slots=True)
class Recognised:
    """``data`` is a ``kind`` after ``wrappings``, outermost first, have been taken off.

    A chain stays PEM; a TCB info or identity is the JSON object that Intel signed; a CSV report may be JSON;
    the other kinds are binary. ``beside`` is what else the same JSON object carries, e.g. the event log
    beside a quote.
    """

    kind: Kind
    data: bytes
    wrappings: tuple[str, ...] = ()
    beside: tuple[Recognised, ...] = ()


def recognise(data: bytes) -> Recognised:
    """What ``data`` is: binary, hexadecimal, base64, base64url, PEM, an HTTP response, or JSON around one.

    Raises:
        FormatError: nothing known, more than 32 MiB, more than four wrappings, or a wrapping is malformed.
        UnsupportedError: JSON of SNP evidence of a processor that is not known here.
    """
    if len(data) > MAX_INPUT_BYTES:
        raise _error(f"{len(data)} bytes exceed {MAX_INPUT_BYTES}", "too_large")
    found = _recognise(data, ())
    if found is None:
        raise _error("neither evidence nor an endorsement known here", "unrecognised")
    return found


def _recognise(data: bytes, wrappings: tuple[str, ...]) -> Recognised | None:
    if len(wrappings) > MAX_WRAPPINGS:
        raise _error(f"wrapped more than {MAX_WRAPPINGS} times: {', '.join(wrappings)}", "too_deep")
    if kind := _binary_kind(data):
        return Recognised(kind, data, wrappings)
    if carried := _carried(data):
        name, inner = carried
        return _recognise(inner, (*wrappings, name))
    text = data.strip(_BLANK)
    if text[:1] == b"{":
        return _json(text, wrappings)
    if text[:10] == b"-----BEGIN":
        return _pem(text, wrappings)
    for name, decoded in _decodings(text):
        if found := _recognise(decoded, (*wrappings, name)):
            return found
    kind = _BODY_SIZES.get(len(data))
    return Recognised(kind, data, wrappings) if kind else None


def _carried(data: bytes) -> tuple[str, bytes] | None:
    """What a binary document or an answer carries, and its name as a wrapping."""
    if is_http_response(data):
        return "http", parse_http_response(data, _WHAT).body
    return ("tsm:cbor", _tsm(*parse_tsm_cbor(data))) if is_tsm_cbor(data) else None


_BLANK = b" \t\r\n\x00"

# ── binary ──

#: A bare report has nothing but its size to be known by.
_BODY_SIZES = {
    ENCLAVE_REPORT_BYTES: Kind.ENCLAVE_REPORT,
    TD_REPORT10_BYTES: Kind.TD_REPORT,
    TD_REPORT15_BYTES: Kind.TD_REPORT,
}
_EVENT_LOG_SIGNATURE = b"Spec ID Event03\x00"
_TDREPORT_BYTES = 1024
_TABLE_STARTS = frozenset(GUIDS.values())


def _binary_kind(data: bytes) -> Kind | None:
    for known, is_one in _BINARY:
        if is_one(data):
            return known
    kind = der_kind(data)
    if kind == "certificate":
        return _certificate_kind(data)
    return Kind.REVOCATION_LIST if kind == "crl" else None


def _is_quote(data: bytes) -> bool:
    """Whether Intel's vendor id, or else version, key type and TEE type, are those of a quote."""
    if len(data) < HEADER_BYTES:
        return False
    if data[12:28] == INTEL_QE_VENDOR_ID:
        return True
    return data[0] in (3, 4, 5) and data[1:8] in _QUOTE_STARTS


def _is_event_log(data: bytes) -> bool:
    return data[4:8] == b"\x03\x00\x00\x00" and data[32:48] == _EVENT_LOG_SIGNATURE


_BINARY: tuple[tuple[Kind, Callable[[bytes], bool]], ...] = (
    (Kind.DCAP_QUOTE, _is_quote),
    (Kind.EVENT_LOG, _is_event_log),
    (Kind.SEV_REPORT, is_sev_report),
    (Kind.CSV_REPORT, is_csv_report),
    (Kind.SEV_CERTIFICATES, are_sev_certificates),
    (Kind.HYGON_CERTIFICATES, are_hygon_certificates),
    (Kind.SNP_REPORT, is_snp_report),
    (Kind.CERTIFICATE_TABLE, lambda data: data[:16] in _TABLE_STARTS),
    (Kind.TDREPORT_STRUCT, lambda data: len(data) == _TDREPORT_BYTES and data[0] == 0x81),
)
_QUOTE_STARTS = tuple(bytes((0, key, 0, tee, 0, 0, 0)) for key in (2, 3) for tee in (0, 0x81))


def _certificate_kind(der: bytes) -> Kind:
    try:
        extensions = parse_certificate(der).extensions
    except FormatError:
        return Kind.CERTIFICATE  # shown, and refused, as the certificate it claims to be
    if SGX_EXTENSION_OID in extensions:
        return Kind.PCK_CERTIFICATE
    is_vek = any(oid.startswith(AMD_ARC) for oid in extensions)
    return Kind.VEK_CERTIFICATE if is_vek else Kind.CERTIFICATE


# ── text ──

_HEX = re.compile(rb"(?:0[xX])?((?:[0-9a-fA-F]{2})++)")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]++={0,2}")
_BASE64URL = re.compile(rb"[A-Za-z0-9_-]++={0,2}")
_PEM_LABEL = re.compile(rb"-----BEGIN(?: |%20)([A-Z0-9 %]{1,40})-----")


def _decodings(text: bytes) -> Iterator[tuple[str, bytes]]:
    """Each decoding that the alphabet allows."""
    packed = b"".join(text.split())
    if match := _HEX.fullmatch(packed):
        yield "hex", decode_hex(match[1], _WHAT, "hex")
    for name, alphabet in (("base64", _BASE64), ("base64url", _BASE64URL)):
        if alphabet.fullmatch(packed):
            standard = packed.translate(_TO_STANDARD).rstrip(b"=")
            if len(standard) % 4 != 1:
                yield name, decode_base64(standard + b"=" * (-len(standard) % 4), _WHAT, name)
                return


_TO_STANDARD = bytes.maketrans(b"-_", b"+/")


def _pem(text: bytes, wrappings: tuple[str, ...]) -> Recognised | None:
    match = _PEM_LABEL.match(text)
    if match is None:
        raise _error("not a PEM block", "not_pem")
    if b"%" in text[:64]:
        text, wrappings = unquote_to_bytes(text), (*wrappings, "url")
    label = match[1].replace(b"%20", b" ").decode()
    blocks = decode_pem(text, label, _WHAT)
    if label == "CERTIFICATE" and len(blocks) > 1:
        return Recognised(Kind.CERTIFICATE_CHAIN, text, wrappings)
    return _recognise(blocks[0], (*wrappings, "pem"))


# ── JSON ──

#: Members that hold evidence, as services and tools name them, the likeliest first.
_EVIDENCE_NAMES = (
    "quote", "tdx_quote", "td_quote", "sgx_quote", "intel_quote", "tdquote", "raw_quote", "raw", "hex",
    "cc_eventlog", "cc_event_log", "event_log", "eventlog", "ccel", "report", "attestation_report",
    "evidence", "attestation", "tdx", "sgx", "body", "data", "result",
)  # fmt: skip
_COLLATERAL_NAMES = {"collaterals", "tcb_info_signature", "qe_identity_signature", "root_ca_crl", "pck_crl"}


def _json(text: bytes, wrappings: tuple[str, ...]) -> Recognised | None:
    members = object_members(text, _WHAT)
    for name, kind in (("tcbInfo", Kind.TCB_INFO), ("enclaveIdentity", Kind.ENCLAVE_IDENTITY)):
        if name in members:
            return Recognised(kind, members[name], (*wrappings, f"json:{name}"))
    if "tcbLevels" in members:
        return Recognised(Kind.TCB_INFO if "fmspc" in members else Kind.ENCLAVE_IDENTITY, text, wrappings)
    if members.keys() & _COLLATERAL_NAMES:
        return Recognised(Kind.COLLATERAL, text, wrappings)
    if "outblob" in members:
        return _recognise(_tsm(*parse_tsm_json(text)), (*wrappings, "tsm:json"))
    if report := _guest_components(text, members):
        return Recognised(*report, (*wrappings, "json:attestation_report"))
    names = {name.lower(): name for name in members}
    inner = ((names[name], members[names[name]]) for name in _EVIDENCE_NAMES if name in names)
    found = [item for name, value in inner if (item := _member(name, value, wrappings))]
    return replace(found[0], beside=(*found[0].beside, *found[1:])) if found else None


def _guest_components(text: bytes, members: Mapping[str, bytes]) -> tuple[Kind, bytes] | None:
    """Evidence as guest components write it, with its kind; ``None`` if ``text`` is something else."""
    if is_csv_json(members):
        return Kind.CSV_REPORT, text
    snp = snp_of_json(text, members)
    return None if snp is None else (Kind.SNP_REPORT, snp)


def _tsm(outblob: bytes, auxblob: bytes) -> bytes:
    """An SNP report with its table; of other providers ``auxblob`` is none that is known."""
    return outblob + auxblob if is_snp_report(outblob) else outblob


def _member(name: str, value: bytes, wrappings: tuple[str, ...]) -> Recognised | None:
    if value[:1] == b'"':
        value = encode_text(parse_json(value, _WHAT), _WHAT, name)
    elif value[:1] != b"{":
        return None
    return _recognise(value, (*wrappings, f"json:{name}"))


def _error(message: str, detail: str) -> FormatError:
    return FormatError(message, what=_WHAT, field="content", detail=detail)
