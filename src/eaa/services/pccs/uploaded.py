"""The body of PUT ``platformcollateral``, as Intel's tools write it, taken apart [PCCS].

Documents come as JSON inside JSON, which those tools have parsed and written anew; without the white space
they are the bytes that Intel signed. Nothing is verified here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eaa.codec.pem import decode_pem_certificates, encode_pem
from eaa.codec.strict_json import array_elements, compact_json, object_members, parse_json
from eaa.endorsements.crl import crl_der
from eaa.endorsements.fetched import Fetched
from eaa.endorsements.pck import parse_pck_extension
from eaa.endorsements.subject import (
    IdentitySubject,
    PckCrlSubject,
    RootCaCrlSubject,
    Subject,
    TcbInfoSubject,
    Update,
)
from eaa.endorsements.x509 import common_name, parse_certificate
from eaa.errors import FormatError
from eaa.services.pccs.call import require_hexadecimal
from eaa.services.pccs.registration import parse_manifest
from eaa.services.pccs.upstream import PckAnswer, PckQuestion, WireCertificate
from eaa.storage.collateral.records import RawTcb

__all__ = ["Upload", "UploadedPlatform", "parse_upload"]

_WHAT = "platform collateral"
_NOT_AVAILABLE = "Not available"
_MAX_PLATFORMS = 100_000
_TCB_INFOS: Mapping[int, Mapping[str, tuple[str, Update]]] = {
    3: {"tcbinfo": ("sgx", "standard"), "tcbinfo_early": ("sgx", "early")},
    4: {
        "sgx_tcbinfo": ("sgx", "standard"), "sgx_tcbinfo_early": ("sgx", "early"),
        "tdx_tcbinfo": ("tdx", "standard"), "tdx_tcbinfo_early": ("tdx", "early"),
    },
}  # fmt: skip
_TCB_CHAIN = {3: "SGX-TCB-Info-Issuer-Chain", 4: "TCB-Info-Issuer-Chain"}
_IDENTITIES = {"qeidentity": "QE", "tdqeidentity": "TD_QE", "qveidentity": "QVE"}

Members = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class UploadedPlatform:
    """One platform's certificates, and the raw TCBs for which the best are wanted."""

    question: PckQuestion
    answer: PckAnswer
    raw: tuple[RawTcb, ...]


@dataclass(frozen=True, slots=True)
class Upload:
    """Lists first: what follows them is judged by them. Each with the version of the API that it is of."""

    documents: tuple[tuple[Subject, Fetched, int], ...]
    platforms: tuple[UploadedPlatform, ...]


def parse_upload(body: bytes, version: int) -> Upload:
    """The parts of ``body``, of version 3 or 4 of the API.

    Raises:
        FormatError: a part is missing or not of its form.
    """
    outer = object_members(body, _WHAT)
    members = object_members(_required(outer, "collaterals"), _WHAT)
    if version == 4 and parse_json(_required(members, "version"), _WHAT) != 4:
        raise _error("collaterals.version", "expected 4")
    chains = parse_json(_required(members, "certificates"), _WHAT)
    if not isinstance(chains, dict):
        raise _error("collaterals.certificates", "expected an object")
    platforms = array_elements(_required(outer, "platforms"), _WHAT)
    certificates = array_elements(_required(members, "pck_certs"), _WHAT)
    if max(len(platforms), len(certificates)) > _MAX_PLATFORMS:
        raise _error("platforms", f"more than {_MAX_PLATFORMS}")
    described = [_object(item, "platforms") for item in platforms]
    return Upload(
        (
            *_lists(members, chains),
            *_tcb_infos(members, chains, version),
            *_identities(members, chains, version),
        ),
        tuple(_platform(_object(item, "pck_certs"), described, chains) for item in certificates),
    )


def _lists(members: Members, chains: Mapping[str, Any]) -> list[tuple[Subject, Fetched, int]]:
    found: list[tuple[Subject, Fetched, int]] = []
    if text := _text(members, "rootcacrl"):
        found.append((RootCaCrlSubject(), Fetched(crl_der(text.encode())), 4))
    lists = object_members(members.get("pckcacrl", b"{}"), _WHAT)
    for name, ca in (("processorCrl", "processor"), ("platformCrl", "platform")):
        if text := _text(lists, name):
            fetched = Fetched(crl_der(text.encode()), _pck_chain(chains, ca.upper()))
            found.append((PckCrlSubject(ca), fetched, 4))
    return found


def _tcb_infos(
    members: Members, chains: Mapping[str, Any], version: int
) -> list[tuple[Subject, Fetched, int]]:
    found: list[tuple[Subject, Fetched, int]] = []
    for element in array_elements(_required(members, "tcbinfos"), _WHAT):
        of_platform = object_members(element, _WHAT)
        fmspc = require_hexadecimal(_text(of_platform, "fmspc"), "tcbinfos.fmspc", 12)
        for name, (tee, update) in _TCB_INFOS[version].items():
            if of_platform.get(name, b"null") != b"null":
                body = compact_json(of_platform[name])
                fetched = Fetched(body, _chain(chains, _TCB_CHAIN[version]))
                found.append((TcbInfoSubject(tee, bytes.fromhex(fmspc), update), fetched, version))
    return found


def _identities(
    members: Members, chains: Mapping[str, Any], version: int
) -> list[tuple[Subject, Fetched, int]]:
    found: list[tuple[Subject, Fetched, int]] = []
    updates: tuple[tuple[str, Update], ...] = (("", "standard"), ("_early", "early"))
    for name, identifier in _IDENTITIES.items():
        for suffix, update in updates:
            if text := _text(members, name + suffix):
                fetched = Fetched(text.encode(), _chain(chains, "SGX-Enclave-Identity-Issuer-Chain"))
                found.append((IdentitySubject(identifier, update), fetched, version))
    return found


def _platform(
    item: Mapping[str, Any], described: list[dict[str, Any]], chains: Mapping[str, Any]
) -> UploadedPlatform:
    qe_id, pce_id = _identity(item)
    own = [other for other in described if _identity(other) == (qe_id, pce_id)]
    certificates = tuple(_certificate(each) for each in _list(item.get("certs")))
    leaf = next((each.der for each in certificates if each.der is not None), None)
    if leaf is None:
        raise _error("pck_certs.certs", "expected at least one certificate", "missing")
    parsed = parse_certificate(leaf, what="PCK certificate")
    ca = "PLATFORM" if "Platform" in common_name(parsed.issuer) else "PROCESSOR"
    fmspc = parse_pck_extension(parsed).fmspc.hex().upper()
    ppid, manifest = _first(own, item, "enc_ppid"), _first(own, item, "platform_manifest")
    question = PckQuestion(
        qe_id, pce_id, enc_ppid=require_hexadecimal(ppid, "enc_ppid", 768) if ppid else "",
        manifest=parse_manifest(manifest),
    )  # fmt: skip
    raw = tuple(
        RawTcb(
            require_hexadecimal(other["cpu_svn"], "cpu_svn", 32),
            require_hexadecimal(other["pce_svn"], "pce_svn", 4), "",
        )
        for other in own
        if other.get("cpu_svn") and other.get("pce_svn")
    )  # fmt: skip
    return UploadedPlatform(question, PckAnswer(fmspc, ca, _pck_chain(chains, ca), certificates), raw)


def _identity(item: Mapping[str, Any]) -> tuple[str, str]:
    qe_id = item.get("qe_id")
    if not isinstance(qe_id, str) or not 0 < len(qe_id) <= 260 or not qe_id.isascii():
        raise _error("qe_id", "expected 1 to 260 characters")
    return qe_id.upper(), require_hexadecimal(item.get("pce_id"), "pce_id", 4)


def _certificate(value: Any) -> WireCertificate:
    if not isinstance(value, dict) or not isinstance(value.get("cert"), str):
        raise _error("pck_certs.certs", "expected objects with tcb, tcbm and cert")
    tcbm = require_hexadecimal(value.get("tcbm"), "tcbm", 36)
    if value["cert"] == _NOT_AVAILABLE:
        return WireCertificate(tcbm, None)
    blocks = decode_pem_certificates(value["cert"].encode("utf-8", "replace"), "PCK certificate")
    if len(blocks) != 1:
        raise _error("pck_certs.certs.cert", f"expected one certificate, came {len(blocks)}")
    return WireCertificate(tcbm, blocks[0])


def _pck_chain(chains: Mapping[str, Any], ca: str) -> bytes:
    return _chain(_mapping(chains.get("SGX-PCK-Certificate-Issuer-Chain")), ca)


def _chain(chains: Mapping[str, Any], name: str) -> bytes:
    """As PEM; empty if there is none, which verification says."""
    text = chains.get(name)
    if not isinstance(text, str) or not text:
        return b""
    return b"".join(map(encode_pem, decode_pem_certificates(text.encode("utf-8", "replace"), name)))


def _first(own: list[dict[str, Any]], item: Mapping[str, Any], name: str) -> Any:
    return next((each[name] for each in (*own, item) if each.get(name)), "")


def _required(members: Members, name: str) -> bytes:
    if name not in members:
        raise _error(name, "the member is missing", "missing")
    return members[name]


def _text(members: Members, name: str) -> str:
    value = parse_json(members.get(name, b'""'), _WHAT)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _error(name, f"expected text, came {type(value).__name__}")
    return value


def _object(data: bytes, name: str) -> dict[str, Any]:
    value = parse_json(data, _WHAT)
    if not isinstance(value, dict):
        raise _error(name, "expected objects")
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _error("certificates", "expected SGX-PCK-Certificate-Issuer-Chain with chains by CA")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _error("pck_certs.certs", "expected a list")
    return value


def _error(field: str, message: str, detail: str = "parameter") -> FormatError:
    return FormatError(message, what=_WHAT, field=field, spec="[PCCS]", detail=detail)
