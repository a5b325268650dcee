"""Intel DCAP quotes: version 3 (SGX), 4 (SGX, TDX 1.0) and 5 (SGX, TDX 1.0 and 1.5).

A quote is ``header ‖ [body descriptor ‖] body ‖ length ‖ signature data``. The attestation key
signs everything before the length, kept here as ``signed``. Signature data is
``signature ‖ attestation key ‖ certification``, and the certification is the same for all quotes
of one quoting enclave, so that :func:`parse_quote_frame` leaves it unparsed for callers who know
it already. Little-endian throughout [DCAP-QUOTE A.2], [TDX-QUOTE A.3].
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from eaa.codec.reader import Reader
from eaa.errors import FormatError, UnsupportedError
from eaa.evidence.layout import BytesField, Structure, UintField
from eaa.evidence.sgx import ENCLAVE_REPORT_BYTES, EnclaveReport, parse_enclave_report
from eaa.evidence.tdx import (
    TD_REPORT10_BYTES,
    TD_REPORT15_BYTES,
    TdReport,
    parse_td_report,
)

__all__ = [
    "INTEL_QE_VENDOR_ID",
    "MAX_QUOTE_BYTES",
    "CertificationData",
    "CertificationType",
    "DcapQuote",
    "PpidCertification",
    "QeCertification",
    "QuoteHeader",
    "parse_certification",
    "parse_quote",
    "parse_quote_frame",
]

#: Real quotes are about 5 KiB; a platform manifest adds some 10.
MAX_QUOTE_BYTES = 128 * 1024
HEADER_BYTES = 48
SGX, TDX = 0x00000000, 0x00000081
ECDSA_P256, ECDSA_P384 = 2, 3
BODY_SGX, BODY_TD10, BODY_TD15 = 1, 2, 3
#: The only vendor that signs quoting enclaves [DCAP-QUOTE A.3].
INTEL_QE_VENDOR_ID = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")

_WHAT = "DCAP quote"
_SPEC3, _SPEC4 = "[DCAP-QUOTE A.3]", "[TDX-QUOTE A.3.1]"
_BODY_BYTES = {
    BODY_SGX: ENCLAVE_REPORT_BYTES,
    BODY_TD10: TD_REPORT10_BYTES,
    BODY_TD15: TD_REPORT15_BYTES,
}
_SIGNATURE_BYTES = _KEY_BYTES = 64


@dataclass(frozen=True, slots=True)
class QuoteHeader(Structure):
    """The quote header. ``qe_svn`` and ``pce_svn`` are reserved from version 4 on."""

    SIZE: ClassVar[int] = HEADER_BYTES

    version = UintField(0, 2)  # 3, 4, 5
    attestation_key_type = UintField(2, 2)  # 2 = ECDSA P-256, 3 = ECDSA P-384
    tee_type = UintField(4, 4)  # 0 = SGX, 0x81 = TDX
    qe_svn = UintField(8, 2)
    pce_svn = UintField(10, 2)
    qe_vendor_id = BytesField(12, 16)
    user_data = BytesField(28, 20)


class CertificationType(IntEnum):
    """Certification data types [DCAP-QUOTE A.4], [TDX-QUOTE A.3.9]."""

    PPID_PLAIN = 1
    PPID_RSA2048 = 2
    PPID_RSA3072 = 3
    PCK_CERTIFICATE = 4
    PCK_CHAIN = 5
    QE_REPORT = 6
    PLATFORM_MANIFEST = 7


_TYPE_NAMES = {
    CertificationType.PPID_PLAIN: "PPID in plain text",
    CertificationType.PPID_RSA2048: "PPID encrypted with RSA-2048",
    CertificationType.PPID_RSA3072: "PPID encrypted with RSA-3072",
    CertificationType.PCK_CERTIFICATE: "PCK leaf certificate",
    CertificationType.PCK_CHAIN: "PCK certificate chain",
    CertificationType.QE_REPORT: "QE report certification data",
    CertificationType.PLATFORM_MANIFEST: "platform manifest",
}


@dataclass(frozen=True, slots=True)
class PpidCertification:
    """Types 1–3: names the PCK certificate instead of carrying it.

    ``ppid`` is 16 bytes in plain text, or 256 or 384 bytes encrypted.
    """

    ppid: bytes
    cpu_svn: bytes  # 16
    pce_svn: int
    pce_id: int | None  # absent in the shorter form


@dataclass(frozen=True, slots=True)
class CertificationData:
    """One certification data item: its type and the bytes, well-formed for that type."""

    type: CertificationType
    data: bytes

    @property
    def type_name(self) -> str:
        return _TYPE_NAMES[self.type]

    @property
    def ppid(self) -> PpidCertification | None:
        """The content of types 1–3, else ``None``."""
        size = _PPID_BYTES.get(self.type)
        if size is None:
            return None
        cpu_svn = self.data[size : size + 16]
        pce_svn = int.from_bytes(self.data[size + 16 : size + 18], "little")
        pce_id = int.from_bytes(self.data[size + 18 :], "little") if len(self.data) > size + 18 else None
        return PpidCertification(self.data[:size], cpu_svn, pce_svn, pce_id)

    def encode(self) -> bytes:
        return struct.pack("<HI", self.type, len(self.data)) + self.data


_PPID_BYTES: Mapping[int, int] = {
    CertificationType.PPID_PLAIN: 16,
    CertificationType.PPID_RSA2048: 256,
    CertificationType.PPID_RSA3072: 384,
}
#: CPUSVN ‖ PCESVN, with or without PCEID: quoting libraries write both forms.
_PPID_TAIL_BYTES = (18, 20)


@dataclass(frozen=True, slots=True)
class QeCertification:
    """What vouches for the attestation key.

    ``signed`` is the 384 bytes that the PCK key signed; ``report`` is those bytes parsed.
    """

    signed: bytes  # 384
    report: EnclaveReport
    signature: bytes  # 64, r ‖ s
    authentication_data: bytes
    data: CertificationData

    def encode(self, version: int) -> bytes:
        """The certification of a quote of ``version``: nested in type 6 from version 4 on."""
        flat = (
            self.signed
            + self.signature
            + struct.pack("<H", len(self.authentication_data))
            + self.authentication_data
            + self.data.encode()
        )
        return flat if version == 3 else CertificationData(CertificationType.QE_REPORT, flat).encode()


@dataclass(frozen=True, slots=True)
class DcapQuote:
    """A well-formed quote. Nothing in it has been verified.

    ``signed`` are the received bytes under ``signature``; ``header`` and ``body`` are those bytes
    parsed. ``certification`` is the rest of the signature data as received.
    """

    header: QuoteHeader
    body_type: int  # 1 = SGX, 2 = TD 1.0, 3 = TD 1.5
    body: EnclaveReport | TdReport
    signed: bytes
    signature: bytes  # 64, r ‖ s
    attestation_key: bytes  # 64, x ‖ y
    certification: bytes

    @property
    def tee(self) -> str:
        """``"sgx"`` or ``"tdx"``."""
        return "sgx" if self.body_type == BODY_SGX else "tdx"

    def encode(self) -> bytes:
        """The bytes that parse to this quote."""
        data = self.signature + self.attestation_key + self.certification
        return self.signed + struct.pack("<I", len(data)) + data


def parse_quote(data: bytes) -> DcapQuote:
    """The quote in ``data``, all of it well-formed, certification included.

    Raises:
        FormatError: truncated, trailing bytes, a length that does not fit, an unknown version,
            TEE type, vendor, body type, key type or certification type.
        UnsupportedError: attestation key type ECDSA P-384.
    """
    quote = parse_quote_frame(data)
    parse_certification(quote)
    return quote


def parse_quote_frame(data: bytes) -> DcapQuote:
    """As :func:`parse_quote`, except that ``certification`` may be malformed."""
    if len(data) > MAX_QUOTE_BYTES:
        raise _error("length", 0, f"{len(data)} bytes exceed {MAX_QUOTE_BYTES}", detail="too_large")
    if len(data) < HEADER_BYTES:
        raise _error("header", 0, f"needs {HEADER_BYTES} bytes, {len(data)} came", detail="truncated")
    header = QuoteHeader(data[:HEADER_BYTES])
    if data[:8] not in _KNOWN_STARTS or data[12:28] != INTEL_QE_VENDOR_ID:
        raise _unknown_header(header)
    body_type, start = _body(header, data)
    end = start + _BODY_BYTES[body_type]
    data_start = end + 4
    if len(data) < data_start:
        raise _error("body", start, f"needs {data_start} bytes, {len(data)} came", detail="truncated")
    length = int.from_bytes(data[end:data_start], "little")
    if length != len(data) - data_start:
        left = len(data) - data_start
        raise _error(
            "signature_data_len", end, f"says {length} bytes, {left} follow",
            detail="truncated" if length > left else "trailing_bytes",
        )  # fmt: skip
    if length < _SIGNATURE_BYTES + _KEY_BYTES:
        raise _error("signature_data_len", end, f"{length} bytes cannot hold signature and key")
    raw = data[start:end]
    key_start = data_start + _SIGNATURE_BYTES
    certification_start = key_start + _KEY_BYTES
    parse_body = parse_enclave_report if body_type == BODY_SGX else parse_td_report
    return DcapQuote(
        header,
        body_type,
        parse_body(raw, base=start),
        data[:end],
        data[data_start:key_start],
        data[key_start:certification_start],
        data[certification_start:],
    )


def parse_certification(quote: DcapQuote) -> QeCertification:
    """The certification of ``quote``.

    Raises:
        FormatError: malformed, or certification types nested in a way that the version does not allow.
    """
    base = len(quote.signed) + 4 + _SIGNATURE_BYTES + _KEY_BYTES
    if quote.header.version == 3:
        return _parse_qe_certification(quote.certification, base)
    outer = _parse_certification_data(
        Reader(quote.certification, _WHAT, "[TDX-QUOTE A.3.8]", base=base),
        "certification_data", (CertificationType.QE_REPORT,),
    )  # fmt: skip
    return _parse_qe_certification(outer.data, base + 6)


#: version ‖ key type ‖ TEE type ‖ two fields of any value ‖ vendor, as every supported header starts.
_KNOWN_STARTS = frozenset(
    struct.pack("<HHI", version, ECDSA_P256, tee)
    for version, tee in ((3, SGX), (4, SGX), (4, TDX), (5, SGX), (5, TDX))
)


def _unknown_header(header: QuoteHeader) -> FormatError | UnsupportedError:
    version, key_type, tee_type = header.version, header.attestation_key_type, header.tee_type
    if version not in (3, 4, 5):
        return _error("header.version", 0, f"expected 3, 4 or 5, came {version}", _SPEC3)
    if key_type == ECDSA_P384:
        return UnsupportedError(
            "DCAP quote: attestation key type 3 (ECDSA P-384) is not supported, only 2 (ECDSA P-256)",
            detail="attestation_key_type", attestation_key_type=3,
        )  # fmt: skip
    if key_type != ECDSA_P256:
        return _error("header.attestation_key_type", 2, f"expected 2, came {key_type}", _SPEC3)
    known = (SGX,) if version == 3 else (SGX, TDX)
    if tee_type not in known:
        allowed = " or ".join(hex(tee) for tee in known)
        return _error("header.tee_type", 4, f"version {version} allows {allowed}, came {tee_type:#x}", _SPEC4)
    return _error("header.qe_vendor_id", 12, f"unknown vendor {header.qe_vendor_id.hex()}", _SPEC3)


def _body(header: QuoteHeader, data: bytes) -> tuple[int, int]:
    """Type and offset of the body."""
    if data[0] != 5:
        return (BODY_TD10 if header.tee_type == TDX else BODY_SGX), HEADER_BYTES
    start = HEADER_BYTES + 6
    if len(data) < start:
        raise _error("body_descriptor", HEADER_BYTES, "needs 6 bytes", detail="truncated")
    body_type, size = struct.unpack_from("<HI", data, HEADER_BYTES)
    known = (BODY_TD10, BODY_TD15) if header.tee_type == TDX else (BODY_SGX,)
    if body_type not in known:
        raise _error(
            "body_descriptor.type", HEADER_BYTES,
            f"TEE type {header.tee_type:#x} allows {known}, came {body_type}", "[TDX-QUOTE A.3.2]",
        )  # fmt: skip
    if size != _BODY_BYTES[body_type]:
        raise _error(
            "body_descriptor.size", HEADER_BYTES + 2,
            f"type {body_type} has {_BODY_BYTES[body_type]} bytes, came {size}", "[TDX-QUOTE A.3.2]",
        )  # fmt: skip
    return body_type, start


def _parse_qe_certification(data: bytes, base: int) -> QeCertification:
    reader = Reader(data, _WHAT, "[DCAP-QUOTE A.4]", base=base)
    report_start = reader.offset
    signed = reader.take(ENCLAVE_REPORT_BYTES, "qe_report")
    signature = reader.take(_SIGNATURE_BYTES, "qe_report_signature")
    authentication_data = reader.take(reader.u16("qe_auth_data.size"), "qe_auth_data")
    return QeCertification(
        signed,
        parse_enclave_report(signed, what="QE report", base=report_start),
        signature,
        authentication_data,
        _parse_certification_data(reader, "qe_certification_data", _INNER_TYPES),
    )


_INNER_TYPES = (1, 2, 3, 4, 5, 7)


def _parse_certification_data(reader: Reader, field: str, allowed: tuple[int, ...]) -> CertificationData:
    start = reader.offset
    kind = reader.u16(f"{field}.type")
    if kind not in allowed:
        raise reader.error(
            f"{field}.type", f"expected one of {[int(item) for item in allowed]}, came {kind}", offset=start
        )
    size = reader.u32(f"{field}.size")
    data = reader.take(size, f"{field}.data")
    reader.end(field)
    if kind in _PPID_BYTES and size - _PPID_BYTES[kind] not in _PPID_TAIL_BYTES:
        sizes = " or ".join(str(_PPID_BYTES[kind] + tail) for tail in _PPID_TAIL_BYTES)
        raise reader.error(f"{field}.size", f"type {kind} has {sizes} bytes, came {size}", offset=start + 2)
    return CertificationData(CertificationType(kind), data)


def _error(
    field: str, offset: int, message: str, spec: str = "[DCAP-QUOTE A.2]", detail: str = "bad_value"
) -> FormatError:
    return FormatError(message, what=_WHAT, field=field, offset=offset, spec=spec, detail=detail)
