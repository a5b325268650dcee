"""Quotes and report bodies as plain values, for ``shelter inspect``."""

from __future__ import annotations

import hashlib
from typing import Any

from eaa.cli.describe_certificate import describe_chain
from eaa.endorsements.x509 import parse_certificate_chain
from eaa.errors import FormatError
from eaa.evidence.dcap_quote import (
    CertificationData,
    CertificationType,
    DcapQuote,
    parse_certification,
    parse_quote,
)
from eaa.evidence.sgx import parse_enclave_report
from eaa.evidence.tdx import parse_td_report
from eaa.verify.claims import body_claims, structure_claims

__all__ = ["describe_enclave_report", "describe_quote", "describe_td_report"]

_KEY_TYPES = {2: "ECDSA P-256", 3: "ECDSA P-384"}
_BODY_TYPES = {1: "SGX enclave report", 2: "TD report of TDX 1.0", 3: "TD report of TDX 1.5"}


def describe_quote(data: bytes) -> dict[str, Any]:
    """Header, body and certification of a DCAP quote."""
    quote = parse_quote(data)
    return {
        "tee": quote.tee,
        "header": {
            **structure_claims(quote.header),
            "attestation_key_type_name": _KEY_TYPES[quote.header.attestation_key_type],
        },
        "body_type": _BODY_TYPES[quote.body_type],
        "body": body_claims(quote.body),
        "signature": quote.signature.hex(),
        "attestation_key": quote.attestation_key.hex(),
        "certification": _certification(quote),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def describe_enclave_report(data: bytes) -> dict[str, Any]:
    """An SGX report body that came without a quote around it."""
    return body_claims(parse_enclave_report(data))


def describe_td_report(data: bytes) -> dict[str, Any]:
    """A TD report body that came without a quote around it."""
    return body_claims(parse_td_report(data))


def _certification(quote: DcapQuote) -> dict[str, Any]:
    certification = parse_certification(quote)
    return {
        "qe_report": body_claims(certification.report),
        "qe_report_signature": certification.signature.hex(),
        "qe_authentication_data": certification.authentication_data.hex(),
        "type": int(certification.data.type),
        "type_name": certification.data.type_name,
        **_certification_data(certification.data),
    }


def _certification_data(data: CertificationData) -> dict[str, Any]:
    if data.ppid is not None:
        ppid = data.ppid
        return {
            "ppid": ppid.ppid.hex(),
            "cpu_svn": ppid.cpu_svn.hex(),
            "pce_svn": ppid.pce_svn,
            "pce_id": ppid.pce_id,
        }
    if data.type is not CertificationType.PCK_CHAIN:
        return {"data": data.data.hex()}
    try:
        return {
            "certificates": describe_chain(parse_certificate_chain(data.data, what="PCK certificate chain"))
        }
    except FormatError as error:
        return {"certificates": None, "malformed": str(error)}
