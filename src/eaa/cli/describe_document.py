"""TCB info, enclave identities and whole collateral as plain values, for ``shelter inspect``."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from eaa.cli.describe_certificate import describe_chain, describe_crl
from eaa.endorsements.bundle import read_endorsements
from eaa.endorsements.enclave_identity import parse_enclave_identity
from eaa.endorsements.pool import EndorsementPool, PooledCrl, PooledIdentity, PooledTcbInfo
from eaa.endorsements.tcb_info import parse_tcb_info
from eaa.endorsements.x509 import common_name, parse_certificate_chain
from eaa.verify.claims import rfc3339

__all__ = ["describe_endorsements", "describe_identity", "describe_tcb_info"]


def describe_tcb_info(data: bytes) -> dict[str, Any]:
    """The JSON object that Intel signs."""
    return _fields(parse_tcb_info(data))


def describe_identity(data: bytes) -> dict[str, Any]:
    """The JSON object that Intel signs."""
    return _fields(parse_enclave_identity(data))


def describe_endorsements(data: bytes) -> dict[str, Any]:
    """All endorsements in a file: signed documents, revocation lists, issuer chains, certificates."""
    return _pool(read_endorsements("input", data))


def _pool(pool: EndorsementPool) -> dict[str, Any]:
    parts = {
        "tcb_infos": [_tcb_info(item) for item in pool.tcb_infos],
        "identities": [_identity(item) for item in pool.identities],
        "crls": [_crl(item) for item in pool.crls],
        "certificates": [item for group in pool.certificates for item in describe_chain(group)],
    }
    return {name: items for name, items in parts.items() if items}


def _plain(value: Any) -> Any:
    """A value of the endorsement room in JSON's types: bytes as hex, times as RFC 3339."""
    match value:
        case bytes():
            return value.hex()
        case datetime():
            return rfc3339(value)
        case Enum():
            return value.value
        case _ if is_dataclass(value) or hasattr(value, "_fields"):  # a named tuple is a record, not a list
            return _fields(value)
        case tuple() | list():
            return [_plain(item) for item in value]
        case _:
            return value


def _fields(value: Any) -> dict[str, Any]:
    names = [item.name for item in fields(value)] if is_dataclass(value) else value._fields
    return {name: _plain(getattr(value, name)) for name in names}


def _tcb_info(item: PooledTcbInfo) -> dict[str, Any]:
    return {**describe_tcb_info(item.document.body), **_signed(item)}


def _identity(item: PooledIdentity) -> dict[str, Any]:
    return {**describe_identity(item.document.body), **_signed(item)}


def _signed(item: PooledTcbInfo | PooledIdentity) -> dict[str, Any]:
    return {"signature": item.document.signature.hex(), **_chain(item.document.issuer_chain)}


def _crl(item: PooledCrl) -> dict[str, Any]:
    return {
        "role": item.role.value,
        "issuer": common_name(item.issuer),
        **describe_crl(item.der),
        **_chain(item.issuer_chain),
    }


def _chain(pem: bytes) -> dict[str, Any]:
    if not pem:
        return {"issuer_chain": None}
    chain = parse_certificate_chain(pem, what="issuer chain")
    return {"issuer_chain": [certificate.common_name for certificate in chain]}
