"""Certificates and revocation lists as plain values, for ``shelter inspect``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from eaa.endorsements.amd_roots import AMD_ARKS
from eaa.endorsements.amd_vek import AMD_ARC, parse_vek_extensions
from eaa.endorsements.crl import crl_der, parse_crl
from eaa.endorsements.pck import SGX_EXTENSION_OID, parse_pck_extension
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.endorsements.x509 import (
    CRL_SIGN,
    DIGITAL_SIGNATURE,
    KEY_CERT_SIGN,
    Certificate,
    common_name,
    parse_certificate,
    parse_certificate_chain,
)
from eaa.errors import FormatError, UnsupportedError
from eaa.verify.claims import pck_claims, rfc3339
from eaa.verify.ecdsa import CRYPTOGRAPHY
from eaa.verify.snp_result import vek_claims
from eaa.verify.snp_signatures import rsa_key

__all__ = ["describe_certificate", "describe_certificates", "describe_chain", "describe_crl"]

_PINNED = frozenset(root.der for root in (*INTEL_SGX_ROOTS, *AMD_ARKS))
_USAGES = {DIGITAL_SIGNATURE: "digitalSignature", KEY_CERT_SIGN: "keyCertSign", CRL_SIGN: "cRLSign"}


def describe_certificate(data: bytes) -> dict[str, Any]:
    """One certificate in DER."""
    return _certificate(parse_certificate(data))


def describe_certificates(data: bytes) -> dict[str, Any]:
    """Certificates in PEM, in their order."""
    return {"certificates": describe_chain(parse_certificate_chain(data, what="certificate chain"))}


def describe_chain(chain: Iterable[Certificate]) -> list[dict[str, Any]]:
    return [_certificate(certificate) for certificate in chain]


def describe_crl(data: bytes) -> dict[str, Any]:
    """A revocation list with every serial number in it."""
    crl = parse_crl(crl_der(data))
    serials = crl.revoked_serials
    return {
        "issuer": common_name(crl.issuer),
        "number": crl.number,
        "this_update": rfc3339(crl.this_update),
        "next_update": rfc3339(crl.next_update),
        "revoked_count": len(serials),
        "revoked_serials": [f"{serial:x}" for serial in serials],
        "sha256": hashlib.sha256(crl.der).hexdigest(),
    }


def _certificate(certificate: Certificate) -> dict[str, Any]:
    described: dict[str, Any] = {
        "subject": certificate.common_name,
        "issuer": common_name(certificate.issuer),
        "serial": f"{certificate.serial:x}",
        "not_before": rfc3339(certificate.not_before),
        "not_after": rfc3339(certificate.not_after),
        "public_key": _public_key(certificate),
        **_constraints(certificate),
        "extensions": {
            oid: "critical" if item.critical else "not critical"
            for oid, item in certificate.extensions.items()
        },
        "sha256": hashlib.sha256(certificate.der).hexdigest(),
        "pinned_root": certificate.der in _PINNED,
    }
    if SGX_EXTENSION_OID in certificate.extensions:
        described["sgx_extension"] = _sgx_extension(certificate)
    if any(oid.startswith(AMD_ARC) for oid in certificate.extensions):
        described["vek_extensions"] = _vek_extensions(certificate)
    return described


def _public_key(certificate: Certificate) -> str:
    if certificate.public_point is not None:
        return "EC P-256"
    for name, read in (("EC P-384", CRYPTOGRAPHY.p384), ("RSA 4096", rsa_key)):
        try:
            read(certificate.spki)
        except ValueError:
            continue
        return name
    return "other than EC P-256, EC P-384 and RSA 4096"


def _constraints(certificate: Certificate) -> dict[str, Any]:
    """CA, path length and usages; an extension that is malformed says so in their place."""
    try:
        ca, path_length = certificate.basic_constraints
        usages = [name for bit, name in _USAGES.items() if certificate.key_usage(bit)]
    except FormatError as error:
        return {"malformed": str(error)}
    return {"ca": ca, "path_length": path_length, "key_usage": usages}


def _vek_extensions(certificate: Certificate) -> dict[str, Any]:
    try:
        return vek_claims(parse_vek_extensions(certificate))
    except (FormatError, UnsupportedError) as error:
        return {"malformed": str(error)}


def _sgx_extension(certificate: Certificate) -> dict[str, Any]:
    try:
        return pck_claims(parse_pck_extension(certificate))
    except FormatError as error:
        return {"malformed": str(error)}
