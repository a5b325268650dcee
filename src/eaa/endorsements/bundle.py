"""Endorsements in the shapes people have, read into one pool.

A file is recognised by its content, its name only serves errors:

- TCB info or enclave identity with its signature, version 2 or 3, as PCS and PCCS answer;
- such an answer with its headers, which hold the issuer chain: ``curl -i``, or JSON of headers and body;
- certificates and revocation lists: DER, PEM, URL-encoded PEM, hexadecimal, base64;
- dcap-qvl's ``QuoteCollateralV3``, and PCCS's ``platform_collaterals.json``;
- the certificate table of an SNP host, as in configfs-tsm's ``auxblob``;
- a folder of any of these, given as a mapping from names to bytes.

Nothing is verified here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from eaa.codec.strict_json import MAX_DOCUMENT_BYTES, object_members, parse_json
from eaa.codec.text import decode_base64, decode_hex
from eaa.endorsements.bundle_json import (
    Members,
    read_dcap_qvl,
    read_platform_collaterals,
    read_signed_document,
)
from eaa.endorsements.bundle_parts import (
    certificates_part,
    crl_part,
    decode_octets,
    der_kind,
    encode_text,
    table_part,
)
from eaa.endorsements.http_response import is_http_response, parse_http_response
from eaa.endorsements.pool import EndorsementPool, collateral_for, merge
from eaa.errors import FormatError
from eaa.evidence.snp_certificates import GUIDS

__all__ = [
    "MAX_FILES",
    "EndorsementPool",
    "collateral_for",
    "merge",
    "read_endorsement_folder",
    "read_endorsements",
]

#: Intel publishes some hundred TCB infos.
MAX_FILES = 4096
_MAX_NESTING = 4
#: One of these is in every JSON text that is read here.
_JSON_NAMES = re.compile(
    rb"tcbInfo|enclaveIdentity|collateral|tcb_info|qe_identity|root_ca_crl|pck_crl|-[Cc]hain"
)
_QVL_NAMES = {
    "tcb_info",
    "tcb_info_signature",
    "qe_identity",
    "qe_identity_signature",
    "root_ca_crl",
    "pck_crl",
}
#: A table begins with its first entry's GUID.
_TABLE_STARTS = frozenset(GUIDS.values())
_PEM = re.compile(rb"\s*-----BEGIN(?: |%20|\+)([A-Z0-9]+)")

Headers = Mapping[str, bytes]


def read_endorsements(name: str, data: bytes) -> EndorsementPool:
    """The endorsements in one file.

    Raises:
        FormatError: no endorsement is recognised, or it is malformed; the error names the file.
    """
    pool = _read(data, {}, name, _MAX_NESTING)
    if pool is None:
        raise FormatError(
            "not an endorsement known here: TCB info, enclave identity, certificates, revocation list, "
            "answer of PCS or PCCS, dcap-qvl or platform collateral, certificate table",
            what=name, field="content", detail="unrecognised",
        )  # fmt: skip
    return pool


def read_endorsement_folder(files: Mapping[str, bytes]) -> EndorsementPool:
    """The endorsements in a folder's files, in the order of their names.

    Files in which nothing is recognised are named in the pool's ``ignored``.

    Raises:
        FormatError: a recognised file is malformed, or there are more than 4096 files.
    """
    if len(files) > MAX_FILES:
        raise FormatError(
            f"{len(files)} files exceed {MAX_FILES}", what="folder", field="files", detail="too_large"
        )
    pools = []
    for name in sorted(files):
        pool = _read(files[name], {}, name, _MAX_NESTING)
        pools.append(EndorsementPool(ignored=(name,)) if pool is None else pool)
    return merge(pools)


def _read(data: bytes, headers: Headers, what: str, nesting: int) -> EndorsementPool | None:
    """What is in ``data``, or ``None`` if it is nothing known. ``headers`` came with it."""
    if len(data) > MAX_DOCUMENT_BYTES or not nesting:
        return None
    if (pool := _binary(data, headers, what)) is not None:
        return pool
    if is_http_response(data):
        return _http(data, what, nesting)
    if match := _PEM.match(data):
        kind = {b"CERTIFICATE": "certificate", b"X509": "crl"}.get(match[1])
        return _signed_by_ca(kind, data.strip(), headers, what) if kind else None
    text = data.lstrip()
    if text[:1] == b"{":
        return _json(data, headers, what, nesting) if _JSON_NAMES.search(data) else None
    return _encoded(text, headers, what)


def _binary(data: bytes, headers: Headers, what: str) -> EndorsementPool | None:
    if kind := der_kind(data):
        return _signed_by_ca(kind, data, headers, what)
    return table_part(data, what) if data[:16] in _TABLE_STARTS else None


def _signed_by_ca(kind: str, data: bytes, headers: Headers, what: str) -> EndorsementPool:
    if kind == "crl":
        return crl_part(data, what, chain=headers.get("sgx-pck-crl-issuer-chain", b""))
    pool = certificates_part(data, what)
    chain = headers.get("sgx-pck-certificate-issuer-chain")
    return merge([pool, certificates_part(chain, what)]) if chain else pool


def _encoded(text: bytes, headers: Headers, what: str) -> EndorsementPool | None:
    """A certificate or a revocation list as bare hexadecimal or base64."""
    packed = b"".join(text.split()).removeprefix(b"0x")
    for prefix, decode in _DECODERS.items():
        if packed[: len(prefix)] == prefix:
            der = decode(packed, what, "content")
            return _signed_by_ca(kind, der, headers, what) if (kind := der_kind(der)) else None
    return None


#: How DER of 128 bytes and more, a SEQUENCE, begins.
_DECODERS: Mapping[bytes, Callable[[bytes, str, str], bytes]] = {
    **dict.fromkeys((b"3081", b"3082", b"3083"), decode_hex),
    **dict.fromkeys((b"MIG", b"MIH", b"MII", b"MIM"), decode_base64),
}


def _http(data: bytes, what: str, nesting: int) -> EndorsementPool | None:
    response = parse_http_response(data, what)
    if not 200 <= response.status < 300:
        raise FormatError(
            f"the answer is an error, {response.status}", what=what, field="status", detail="http_status"
        )
    return _read(response.body, response.headers, what, nesting - 1)


def _json(data: bytes, headers: Headers, what: str, nesting: int) -> EndorsementPool | None:
    members = object_members(data, what)
    if "tcbInfo" in members or "enclaveIdentity" in members:
        return read_signed_document(members, headers, what)
    if "collaterals" in members:
        return read_platform_collaterals(members["collaterals"], what)
    if members.keys() & _QVL_NAMES:
        return read_dcap_qvl(members, what)
    for name in ("quote_collateral", "collateral"):
        if name in members:
            return _read(members[name], headers, what, nesting - 1)
    return _response_object(members, what, nesting)


def _response_object(members: Members, what: str, nesting: int) -> EndorsementPool | None:
    """An answer as ``{"headers": {…}, "body": …}``; the body is text, base64, or the document itself."""
    lower = {name.lower(): value for name, value in members.items()}
    body = lower.get("body")
    headers = parse_json(lower.get("headers", lower.get("header", b"null")), what)
    if body is None or not isinstance(headers, dict):
        return None
    named = {name.lower(): _header(value, what, name) for name, value in headers.items()}
    if body[:1] == b"{":
        return _read(body, named, what, nesting - 1)
    value = parse_json(body, what)
    pool = _read(encode_text(value, what, "body"), named, what, nesting - 1)
    return pool or _read(decode_octets(value, what, "body"), named, what, nesting - 1)


def _header(value: Any, what: str, name: str) -> bytes:
    """A header's value: text, or, as some libraries keep them, a list of which the first counts."""
    return encode_text(value[0] if isinstance(value, list) and value else value, what, name)
