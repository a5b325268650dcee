"""The SGX extension of a PCK certificate [SGX-PCK §1.3.5]: which platform, and at what TCB."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from eaa.codec.der import decode_der, tlv_bytes, wrap_sequence
from eaa.endorsements.x509 import Certificate
from eaa.errors import FormatError

__all__ = ["SGX_EXTENSION_OID", "PckExtension", "SgxType", "parse_pck_extension"]

T = TypeVar("T")

SGX_EXTENSION_OID = "1.2.840.113741.1.13.1"
_WHAT = "PCK certificate"
_SPEC = "[SGX-PCK §1.3.5]"
_OCTETS, _INTEGER, _ENUMERATED, _BOOLEAN, _SEQUENCE = b"\x04", b"\x02", b"\x0a", b"\x01", b"\x30"


class SgxType(Enum):
    """How the platform protects memory."""

    STANDARD = 0
    SCALABLE = 1
    SCALABLE_WITH_INTEGRITY = 2


@dataclass(frozen=True, slots=True)
class PckExtension:
    """All of the extension. The last four exist in certificates of the Platform CA only, else ``None``."""

    ppid: bytes  # 16
    cpu_svn: bytes  # 16
    sgx_tcb_components: bytes  # 16: one SVN per byte
    pce_svn: int  # 16 bits
    pce_id: bytes  # 2
    fmspc: bytes  # 6
    sgx_type: SgxType
    platform_instance_id: bytes | None  # 16
    dynamic_platform: bool | None
    cached_keys: bool | None
    smt_enabled: bool | None


@asn1.sequence
class _Entry:
    oid: ObjectIdentifier
    value: asn1.TLV


@asn1.sequence
class _Holder:
    entries: list[_Entry]


def parse_pck_extension(certificate: Certificate) -> PckExtension:
    """The SGX extension of ``certificate``.

    Raises:
        FormatError: missing, not DER, a field missing, given twice, unknown, or of the wrong type or size.
    """
    extension = certificate.extensions.get(SGX_EXTENSION_OID)
    if extension is None:
        raise _error("sgxExtensions", "the certificate has no SGX extension", "missing")
    fields = _entries(extension.value, "")
    known = {str(n) for n in range(1, 8)}
    if unknown := fields.keys() - known:
        raise _error(f"sgxExtensions.{min(unknown)}", "unknown field")
    tcb = _entries(tlv_bytes(_required(fields, "2")), "2.")
    configuration = _entries(tlv_bytes(fields["7"]), "7.") if "7" in fields else {}
    return PckExtension(
        ppid=_octets(_required(fields, "1"), "1", 16),
        cpu_svn=_octets(_required(tcb, "2.18"), "2.18", 16),
        sgx_tcb_components=bytes(_small(_required(tcb, f"2.{n}"), f"2.{n}", 0xFF) for n in range(1, 17)),
        pce_svn=_small(_required(tcb, "2.17"), "2.17", 0xFFFF),
        pce_id=_octets(_required(fields, "3"), "3", 2),
        fmspc=_octets(_required(fields, "4"), "4", 6),
        sgx_type=_sgx_type(_required(fields, "5")),
        platform_instance_id=_optional(fields, "6", lambda tlv: _octets(tlv, "6", 16)),
        dynamic_platform=_optional(configuration, "7.1", lambda tlv: _boolean(tlv, "7.1")),
        cached_keys=_optional(configuration, "7.2", lambda tlv: _boolean(tlv, "7.2")),
        smt_enabled=_optional(configuration, "7.3", lambda tlv: _boolean(tlv, "7.3")),
    )


def _entries(sequence: bytes, prefix: str) -> Mapping[str, Any]:
    """The entries by their OID below the extension's, e.g. ``"2.17"``."""
    holder = decode_der(_Holder, wrap_sequence(sequence), _WHAT, f"sgxExtensions.{prefix}*", _SPEC)
    root = f"{SGX_EXTENSION_OID}."
    fields = {entry.oid.dotted_string.removeprefix(root): entry.value for entry in holder.entries}
    if len(fields) != len(holder.entries):
        raise _error(f"sgxExtensions.{prefix}*", "a field is given twice", "duplicate_key")
    return fields


def _required(fields: Mapping[str, Any], name: str) -> Any:
    if name not in fields:
        raise _error(f"sgxExtensions.{name}", "the field is missing", "missing")
    return fields[name]


def _optional(fields: Mapping[str, Any], name: str, read: Callable[[Any], T]) -> T | None:
    return read(fields[name]) if name in fields else None


def _octets(tlv: Any, name: str, size: int) -> bytes:
    data = _typed(tlv, _OCTETS, name, "OCTET STRING")
    if len(data) != size:
        raise _error(f"sgxExtensions.{name}", f"expected {size} bytes, came {len(data)}")
    return data


def _small(tlv: Any, name: str, maximum: int) -> int:
    data = _typed(tlv, _INTEGER, name, "INTEGER")
    value = int.from_bytes(data, "big", signed=True)
    if not data or len(data) > 8 or not 0 <= value <= maximum:
        raise _error(f"sgxExtensions.{name}", f"expected 0 to {maximum}")
    return value


def _boolean(tlv: Any, name: str) -> bool:
    data = _typed(tlv, _BOOLEAN, name, "BOOLEAN")
    if data not in (b"\x00", b"\xff"):
        raise _error(f"sgxExtensions.{name}", "not a DER BOOLEAN")
    return data == b"\xff"


def _sgx_type(tlv: Any) -> SgxType:
    data = _typed(tlv, _ENUMERATED, "5", "ENUMERATED")
    try:
        return SgxType(int.from_bytes(data, "big"))
    except ValueError:
        raise _error("sgxExtensions.5", f"unknown SGX type {data.hex()}") from None


def _typed(tlv: Any, tag: bytes, name: str, type_name: str) -> bytes:
    if bytes(tlv.tag_bytes) != tag:
        raise _error(f"sgxExtensions.{name}", f"expected {type_name}, came tag {bytes(tlv.tag_bytes).hex()}")
    return bytes(tlv.data)


def _error(field: str, message: str, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=_WHAT, field=field, spec=_SPEC, detail=detail)
