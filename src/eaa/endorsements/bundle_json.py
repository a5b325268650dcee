"""Endorsements in JSON: signed documents, dcap-qvl's collateral, PCCS's platform collaterals.

A document's signature covers the exact bytes of its object, so that objects are cut out of the text
and never serialised again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eaa.codec.strict_json import array_elements, compact_json, object_members, parse_json
from eaa.codec.text import decode_hex
from eaa.endorsements.bundle_parts import certificates_part, crl_part, decode_octets, encode_text
from eaa.endorsements.collateral import IntelCollateral, SignedDocument
from eaa.endorsements.pool import CrlRole, EndorsementPool, PooledIdentity, PooledTcbInfo, merge
from eaa.endorsements.tcb import Document
from eaa.errors import FormatError

__all__ = ["Members", "parse_dcap_qvl", "read_dcap_qvl", "read_platform_collaterals", "read_signed_document"]

#: The members of a JSON object as received.
Members = Mapping[str, bytes]

_QVL = "dcap-qvl collateral"
_QVL_MEMBERS = frozenset(
    f"{name}{part}" for name in ("tcb_info", "qe_identity") for part in ("", "_signature", "_issuer_chain")
) | {"root_ca_crl", "pck_crl", "pck_crl_issuer_chain"}
_TCB_INFOS = (
    "sgx_tcbinfo",
    "tdx_tcbinfo",
    "sgx_tcbinfo_early",
    "tdx_tcbinfo_early",
    "tcbinfo",
    "tcbinfo_early",
)
_IDENTITIES = tuple(f"{name}identity{when}" for name in ("qe", "tdqe", "qve") for when in ("", "_early"))
#: Intel publishes TCB info of some sixty platforms.
_MAX_PLATFORMS = 1024
_TCB_CHAINS = ("TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain")
_IDENTITY_CHAINS = ("SGX-Enclave-Identity-Issuer-Chain",)
_PCK_CHAINS = ("SGX-PCK-Certificate-Issuer-Chain",)


def read_signed_document(members: Members, headers: Mapping[str, bytes], what: str) -> EndorsementPool:
    """``{"tcbInfo": …, "signature": …}`` or ``{"enclaveIdentity": …, …}`` [PCS-API v4].

    ``headers``, names in lower case, may hold the issuer chain.
    """
    signature = _signature(members, "signature", what)
    if "tcbInfo" in members:
        chain = _first(headers, _TCB_CHAINS)
        return _tcb_info(SignedDocument(members["tcbInfo"], signature, chain), f"TCB info in {what}")
    chain = _first(headers, _IDENTITY_CHAINS)
    document = SignedDocument(members["enclaveIdentity"], signature, chain)
    return _identity(document, f"enclave identity in {what}")


def read_dcap_qvl(members: Members, what: str) -> EndorsementPool:
    """dcap-qvl's ``QuoteCollateralV3``: bytes in hexadecimal or as an array of numbers.

    What a list was given as is kept, so that exchanged lists are refused and not put right.
    """
    pools = []
    if _given(members, "tcb_info"):
        document = _detached(members, "tcb_info", what)
        pools.append(_tcb_info(document, f"TCB info in {what}"))
    if _given(members, "qe_identity"):
        document = _detached(members, "qe_identity", what)
        pools.append(_identity(document, f"enclave identity in {what}"))
    for name, role, chain in (
        ("root_ca_crl", CrlRole.ROOT, b""),
        ("pck_crl", CrlRole.PCK, _text(members, "pck_crl_issuer_chain", what)),
    ):
        if _given(members, name):
            der = decode_octets(parse_json(members[name], what), what, name)
            pools.append(crl_part(der, f"{name} in {what}", role=role, chain=chain))
    if chain := _text(members, "pck_certificate_chain", what):
        pools.append(certificates_part(chain, f"pck_certificate_chain in {what}"))
    return merge(pools)


def parse_dcap_qvl(data: bytes) -> IntelCollateral | None:
    """dcap-qvl's ``QuoteCollateralV3`` as the value that verification takes, nothing inside it parsed.

    The same as selecting from :func:`read_dcap_qvl`'s pool, for a file that is of one platform. ``None``
    if ``data`` is of another shape, or leaves a part out.

    Raises:
        FormatError: not strict JSON, or a part is not of its type.
    """
    if data.lstrip()[:1] != b"{":
        return None
    members = parse_json(data, _QVL)
    if not all(members.get(name) for name in _QVL_MEMBERS):
        return None
    return IntelCollateral(
        tcb_info=_qvl_document(members, "tcb_info"),
        qe_identity=_qvl_document(members, "qe_identity"),
        root_ca_crl=decode_octets(members["root_ca_crl"], _QVL, "root_ca_crl"),
        pck_crl=decode_octets(members["pck_crl"], _QVL, "pck_crl"),
        pck_crl_issuer_chain=encode_text(members["pck_crl_issuer_chain"], _QVL, "pck_crl_issuer_chain"),
    )


def _qvl_document(members: Mapping[str, Any], name: str) -> SignedDocument:
    signature, chain = f"{name}_signature", f"{name}_issuer_chain"
    return SignedDocument(
        encode_text(members[name], _QVL, name),
        _sized(decode_octets(members[signature], _QVL, signature), signature, _QVL),
        encode_text(members[chain], _QVL, chain),
    )


def read_platform_collaterals(data: bytes, what: str) -> EndorsementPool:
    """PCCS's ``platform_collaterals.json``, the body of PUT ``/platformcollateral``.

    The tool that writes it has parsed the documents and written them with spaces; PCCS takes the spaces
    out again. So does this; what is verified, and parsed, are the resulting bytes.
    """
    members = object_members(data, what)
    chains = parse_json(members.get("certificates", b"{}"), what)
    if not isinstance(chains, dict):
        raise _error(what, "certificates", "expected an object")
    tcb_chain = {_TCB_CHAINS[0].lower(): _chain(chains, _TCB_CHAINS, what)}
    identity_chain = {_IDENTITY_CHAINS[0].lower(): _chain(chains, _IDENTITY_CHAINS, what)}
    pools = []
    platforms = array_elements(members.get("tcbinfos", b"[]"), what)
    if len(platforms) > _MAX_PLATFORMS:
        raise _error(what, "tcbinfos", f"{len(platforms)} platforms exceed {_MAX_PLATFORMS}", "too_large")
    for platform in platforms:
        infos = object_members(platform, what)
        for name in _TCB_INFOS:
            if _given(infos, name):
                inner = object_members(compact_json(infos[name]), what)
                pools.append(_wrapped(inner, "tcbInfo", tcb_chain, f"{what}, {name}"))
    for name in _IDENTITIES:
        if text := _text(members, name, what):
            inner = object_members(text, what)
            pools.append(_wrapped(inner, "enclaveIdentity", identity_chain, f"{what}, {name}"))
    return merge([*pools, *_platform_crls(members, chains, what)])


def _platform_crls(members: Members, chains: Mapping[str, Any], what: str) -> list[EndorsementPool]:
    pools = []
    if text := _text(members, "rootcacrl", what):
        pools.append(crl_part(text, f"rootcacrl in {what}", role=CrlRole.ROOT))
    by_ca = chains.get(_PCK_CHAINS[0]) or {}
    if not isinstance(by_ca, dict):
        raise _error(what, _PCK_CHAINS[0], "expected an object")
    crls = object_members(members.get("pckcacrl", b"{}"), what)
    for name, ca in (("processorCrl", "PROCESSOR"), ("platformCrl", "PLATFORM")):
        if text := _text(crls, name, what):
            chain = _chain(by_ca, (ca,), what)
            pools.append(crl_part(text, f"{name} in {what}", role=CrlRole.PCK, chain=chain))
    return pools


def _wrapped(members: Members, name: str, headers: Mapping[str, bytes], what: str) -> EndorsementPool:
    if name not in members:
        raise _error(what, name, "the member is missing", "missing")
    return read_signed_document(members, headers, what)


def _detached(members: Members, name: str, what: str) -> SignedDocument:
    return SignedDocument(
        _text(members, name, what),
        _signature(members, f"{name}_signature", what),
        _text(members, f"{name}_issuer_chain", what),
    )


def _tcb_info(document: SignedDocument, what: str) -> EndorsementPool:
    content = Document(parse_json(document.body, what), what)
    tee = content.text("id").lower() if "id" in content else "sgx"  # version 2 has no id
    fmspc = content.hex("fmspc", 6)
    item = PooledTcbInfo(tee, fmspc, _number(content), content.date("issueDate"), document)
    return EndorsementPool(tcb_infos=(item,))


def _identity(document: SignedDocument, what: str) -> EndorsementPool:
    content = Document(parse_json(document.body, what), what)
    item = PooledIdentity(content.text("id"), _number(content), content.date("issueDate"), document)
    return EndorsementPool(identities=(item,))


def _number(content: Document) -> int:
    """The evaluation data number; documents of version 1, which verification refuses, have none."""
    name = "tcbEvaluationDataNumber"
    return content.uint(name, 0xFFFFFFFF) if name in content else 0


def _given(members: Members, name: str) -> bool:
    return members.get(name, b"null") not in (b"null", b'""')


def _signature(members: Members, name: str, what: str) -> bytes:
    if name not in members:
        raise _error(what, name, "the member is missing", "missing")
    value = parse_json(members[name], what)
    signature = decode_hex(value, what, name) if isinstance(value, str) else decode_octets(value, what, name)
    return _sized(signature, name, what)


def _sized(signature: bytes, name: str, what: str) -> bytes:
    if len(signature) != 64:
        raise _error(what, name, f"expected 64 bytes, came {len(signature)}")
    return signature


def _text(members: Members, name: str, what: str) -> bytes:
    """The string at ``name`` as UTF-8; empty if it is missing or null."""
    return encode_text(parse_json(members.get(name, b"null"), what), what, name)


def _chain(chains: Mapping[str, Any], names: tuple[str, ...], what: str) -> bytes:
    return next((encode_text(chains[name], what, name) for name in names if chains.get(name)), b"")


def _first(headers: Mapping[str, bytes], names: tuple[str, ...]) -> bytes:
    return next((headers[name.lower()] for name in names if name.lower() in headers), b"")


def _error(what: str, field: str, message: str, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=what, field=field, detail=detail)
