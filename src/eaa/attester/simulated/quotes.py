"""Quotes of simulated platforms, byte for byte as the quoting library writes them
[DCAP-QUOTE A.2], [TDX-QUOTE A.3]."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from eaa.attester.simulated.keys import sign_raw
from eaa.attester.simulated.platform import SimulatedPlatform, Tee
from eaa.attester.simulated.quoting_enclave import SimulatedQuotingEnclave
from eaa.errors import UsageError
from eaa.evidence.dcap_quote import (
    BODY_SGX,
    BODY_TD10,
    BODY_TD15,
    ECDSA_P256,
    INTEL_QE_VENDOR_ID,
    SGX,
    TDX,
    CertificationData,
    CertificationType,
    DcapQuote,
    QeCertification,
    QuoteHeader,
)
from eaa.evidence.sgx import EnclaveReport
from eaa.evidence.tdx import TdReport, TdReport15

__all__ = ["sign_quote"]

_VERSIONS = {BODY_SGX: (3, 4, 5), BODY_TD10: (4, 5), BODY_TD15: (5,)}


def sign_quote(
    platform: SimulatedPlatform,
    body: EnclaveReport | TdReport,
    *,
    version: int,
    certification_type: int = CertificationType.PCK_CHAIN,
    outer_certification_type: int = CertificationType.QE_REPORT,
    header: Mapping[str, bytes | int] | None = None,
) -> bytes:
    """The quote over ``body`` by the quoting enclave of its TEE on ``platform``.

    Args:
        version: 3 (SGX), 4 (SGX, TDX 1.0) or 5 (all).
        certification_type: of the QE's certification data, 1–7. Verifiers take 5.
        outer_certification_type: from version 4 on; formats allow 6.
        header: fields of the header with other values than usual.

    Raises:
        UsageError: ``version`` has no such body.
    """
    body_type = _body_type(body)
    if version not in _VERSIONS[body_type]:
        raise UsageError(f"a quote of version {version} has no body type {body_type}", detail="quote_version")
    tee: Tee = "sgx" if body_type == BODY_SGX else "tdx"
    enclave = platform.quoting_enclave(tee)
    quote_header = _header(platform, enclave, tee, version).replace(**(header or {}))
    descriptor = struct.pack("<HI", body_type, len(body.raw)) if version == 5 else b""
    signed = quote_header.raw + descriptor + body.raw
    return DcapQuote(
        header=quote_header,
        body_type=body_type,
        body=body,
        signed=signed,
        signature=sign_raw(enclave.quote_signing_key or enclave.attestation_key, signed),
        attestation_key=enclave.public,
        certification=_certification(
            platform, enclave, version, certification_type, outer_certification_type
        ),
    ).encode()


def _body_type(body: EnclaveReport | TdReport) -> int:
    if isinstance(body, EnclaveReport):
        return BODY_SGX
    return BODY_TD15 if isinstance(body, TdReport15) else BODY_TD10


def _header(
    platform: SimulatedPlatform, enclave: SimulatedQuotingEnclave, tee: Tee, version: int
) -> QuoteHeader:
    svns = {"qe_svn": enclave.isv_svn, "pce_svn": platform.pck.tcb.pce_svn} if version == 3 else {}
    return QuoteHeader.build(
        version=version,
        attestation_key_type=ECDSA_P256,
        tee_type=SGX if tee == "sgx" else TDX,
        qe_vendor_id=INTEL_QE_VENDOR_ID,
        user_data=enclave.qe_id + bytes(4),
        **svns,
    )


def _certification(
    platform: SimulatedPlatform, enclave: SimulatedQuotingEnclave, version: int, inner: int, outer: int
) -> bytes:
    kind = CertificationType(inner)
    if kind is CertificationType.QE_REPORT:
        data = _qe_certification(platform, enclave, CertificationType.PCK_CHAIN).encode(3)
        certification = _vouched(platform, enclave, CertificationData(kind, data))
    else:
        certification = _qe_certification(platform, enclave, kind)
    if version == 3 or outer == CertificationType.QE_REPORT:
        return certification.encode(version)
    return CertificationData(CertificationType(outer), certification.encode(3)).encode()


def _qe_certification(
    platform: SimulatedPlatform, enclave: SimulatedQuotingEnclave, kind: CertificationType
) -> QeCertification:
    return _vouched(platform, enclave, CertificationData(kind, _certification_bytes(platform, kind)))


def _vouched(
    platform: SimulatedPlatform, enclave: SimulatedQuotingEnclave, data: CertificationData
) -> QeCertification:
    report, signature = platform.vouch(enclave)
    return QeCertification(report.raw, report, signature, enclave.authentication_data, data)


def _certification_bytes(platform: SimulatedPlatform, kind: CertificationType) -> bytes:
    pck, keys = platform.pck, platform.vendor.keys
    tail = pck.tcb.cpu_svn + struct.pack("<H", pck.tcb.pce_svn) + pck.pce_id
    match kind:
        case CertificationType.PPID_PLAIN:
            return pck.ppid + tail
        case CertificationType.PPID_RSA2048:
            return keys.data("PPID encrypted with RSA-2048", 256) + tail
        case CertificationType.PPID_RSA3072:
            return keys.data("PPID encrypted with RSA-3072", 384) + tail
        case CertificationType.PCK_CERTIFICATE:
            return pck.pem
        case CertificationType.PLATFORM_MANIFEST:
            return keys.data("platform manifest", 1024)
        case _:
            return platform.pck_chain
