"""The SGX extension of a PCK certificate [SGX-PCK §1.3.5]: which platform, and at what TCB."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from cryptography.hazmat import asn1

from eaa.codec.der import decode_der, wrap_sequence
from eaa.endorsements.x509 import Certificate
from eaa.errors import FormatError

__all__ = ["SGX_EXTENSION_OID", "PckExtension", "SgxType", "parse_pck_extension"]

SGX_EXTENSION_OID = "1.2.840.113741.1.13.1"
_WHAT = "PCK certificate"
_SPEC = "[SGX-PCK §1.3.5]"
_SEQUENCE = 0x30


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


#: OBJECT IDENTIFIER of the extension, and where a field's own arcs begin.
_ROOT_OID = bytes.fromhex("2a864886f84d010d01")


@asn1.sequence
class _Fields:
    fields: list[asn1.TLV]


def parse_pck_extension(certificate: Certificate) -> PckExtension:
    """The SGX extension of ``certificate``.

    Raises:
        FormatError: missing, not DER, a field missing, given twice, unknown, or of the wrong type or size.
    """
    extension = certificate.extensions.get(SGX_EXTENSION_OID)
    if extension is None:
        raise _error("sgxExtensions", "the certificate has no SGX extension", "missing")
    return _plain(extension.value) or _by_field(extension.value)


def _field(arcs: tuple[int, ...], *values: tuple[int, bytes]) -> bytes:
    """A pattern for {OID, value} of field ``arcs``: one of ``values``, each its length and pattern."""
    oid = _oid(*arcs)
    forms = [re.escape(bytes((_SEQUENCE, len(oid) + size)) + oid) + value for size, value in values]
    return b"(?:" + b"|".join(forms) + b")"


def _oid(*arcs: int) -> bytes:
    return bytes((0x06, len(_ROOT_OID) + len(arcs))) + _ROOT_OID + bytes(arcs)


_SMALL = (3, rb"\x02\x01([\x00-\x7f])")
_16_OCTETS = (18, rb"\x04\x10(.{16})")
_BOOLEAN = (3, rb"\x01\x01([\x00\xff])")
_TCB_FIELDS = (
    b"".join([_field((2, n), _SMALL, (4, rb"\x02\x02\x00([\x80-\xff])")) for n in range(1, 17)])
    + _field((2, 17), _SMALL, (4, rb"\x02\x02(\x00[\x80-\xff]|[\x01-\x7f].)"))
    + _field((2, 18), _16_OCTETS)
)
_PLAIN = re.compile(
    rb"\x30\x82(..)"
    + _field((1,), _16_OCTETS)
    + (rb"\x30\x82(..)" + re.escape(_oid(2)) + rb"\x30\x82(..)" + _TCB_FIELDS)
    + _field((3,), (4, rb"\x04\x02(..)"))
    + _field((4,), (8, rb"\x04\x06(.{6})"))
    + _field((5,), (3, rb"\x0a\x01([\x00-\x02])"))
    + rb"(?:"
    + _field((6,), _16_OCTETS)
    + _field((7,), (56, rb"\x30\x36" + b"".join([_field((7, n), _BOOLEAN) for n in (1, 2, 3)])))
    + rb")?",
    re.DOTALL,
)
#: Where field 2 and its value begin: after the outer header and field 1; after two headers and an OID.
_FIELD_2 = 4 + 32
_TCB = _FIELD_2 + 4 + 12
_CPU_SVN = _PLAIN.groups - 7  # its group
_LENGTHS = struct.Struct(">3H")
_SGX_TYPES = {bytes((item.value,)): item for item in SgxType}
_BOOLEANS = {None: None, b"\x00": False, b"\xff": True}


def _plain(der: bytes) -> PckExtension | None:
    """The extension as Intel writes it, with all fields in order: one match of the DER that it can only be.

    Anything else is ``None``, and is read field by field, which says what is wrong with it.
    """
    match = _PLAIN.fullmatch(der)
    if match is None:
        return None
    size, ppid, field_2, tcb, *svns, cpu_svn, pce_id, fmspc, sgx_type, instance, dynamic, cached, smt = (
        match.groups()
    )
    end = match.end(_CPU_SVN)
    if size + field_2 + tcb != _LENGTHS.pack(len(der) - 4, end - _FIELD_2 - 4, end - _TCB - 4):
        return None
    small = [one or other for one, other in zip(svns[::2], svns[1::2], strict=True)]
    return PckExtension(
        ppid,
        cpu_svn,
        b"".join(small[:16]),
        int.from_bytes(small[16], "big"),
        pce_id,
        fmspc,
        _SGX_TYPES[sgx_type],
        instance,
        _BOOLEANS[dynamic],
        _BOOLEANS[cached],
        _BOOLEANS[smt],
    )


def _by_field(der: bytes) -> PckExtension:
    fields = _fields(der, b"", 7)
    components, pce_svn, cpu_svn = _tcb_by_field(_required(fields, 2, ""))
    configuration = _fields(fields[7], b"\x07", 3) if 7 in fields else {}
    return PckExtension(
        ppid=_octets(_required(fields, 1, ""), "1", 16),
        cpu_svn=cpu_svn,
        sgx_tcb_components=components,
        pce_svn=pce_svn,
        pce_id=_octets(_required(fields, 3, ""), "3", 2),
        fmspc=_octets(_required(fields, 4, ""), "4", 6),
        sgx_type=_sgx_type(_required(fields, 5, "")),
        platform_instance_id=_octets(fields[6], "6", 16) if 6 in fields else None,
        dynamic_platform=_boolean(configuration, 1),
        cached_keys=_boolean(configuration, 2),
        smt_enabled=_boolean(configuration, 3),
    )


def _tcb_by_field(der: bytes) -> tuple[bytes, int, bytes]:
    tcb = _fields(der, b"\x02", 18)
    components = bytes([_integer(_required(tcb, n, "2."), "2.n", 0xFF) for n in range(1, 17)])
    pce_svn = _integer(_required(tcb, 17, "2."), "2.17", 0xFFFF)
    return components, pce_svn, _octets(_required(tcb, 18, "2."), "2.18", 16)


def _fields(sequence: bytes, arc: bytes, count: int) -> dict[int, bytes]:
    """The values, as DER, of a SEQUENCE OF {OID, value}, by the last arc of the OID, 1 to ``count``."""
    oid = _ROOT_OID + arc
    start = b"\x06" + bytes((len(oid) + 1,)) + oid
    size = len(start)
    values: dict[int, bytes] = {}
    for field in decode_der(_Fields, wrap_sequence(sequence), _WHAT, "sgxExtensions", _SPEC).fields:
        der = asn1.encode_der(field)
        data = der[2:] if der[1] < 0x80 else der[2 + (der[1] & 0x7F) :]
        if der[0] != _SEQUENCE or data[:size] != start or not 0 < _byte(data, size) <= count:
            raise _error("sgxExtensions", f"unknown field {data[: size + 1].hex()}")
        if data[size] in values:
            raise _error(f"sgxExtensions.{data[size]}", "the field is given twice", "duplicate_key")
        values[data[size]] = data[size + 1 :]
    return values


def _byte(data: bytes, index: int) -> int:
    return data[index] if index < len(data) else 0


def _required(fields: Mapping[int, bytes], number: int, prefix: str) -> bytes:
    if number not in fields:
        raise _error(f"sgxExtensions.{prefix}{number}", "the field is missing", "missing")
    return fields[number]


def _octets(der: bytes, name: str, size: int) -> bytes:
    data = _contents(der, 0x04, name, "OCTET STRING")
    if len(data) != size:
        raise _error(f"sgxExtensions.{name}", f"expected {size} bytes, came {len(data)}")
    return data


def _integer(der: bytes, name: str, maximum: int) -> int:
    if len(der) == 3 and der[0] == 0x02 and der[1] == 1 and der[2] < 0x80:
        return der[2]
    data = _contents(der, 0x02, name, "INTEGER")
    value = int.from_bytes(data, "big", signed=True)
    # Minimal: as many bytes as the value and its sign bit need.
    if len(data) != value.bit_length() // 8 + 1 or not 0 <= value <= maximum:
        raise _error(f"sgxExtensions.{name}", f"expected an INTEGER from 0 to {maximum}")
    return value


def _boolean(fields: Mapping[int, bytes], number: int) -> bool | None:
    if number not in fields:
        return None
    data = _contents(fields[number], 0x01, f"7.{number}", "BOOLEAN")
    if data not in (b"\x00", b"\xff"):
        raise _error(f"sgxExtensions.7.{number}", "not a DER BOOLEAN")
    return data == b"\xff"


def _sgx_type(der: bytes) -> SgxType:
    data = _contents(der, 0x0A, "5", "ENUMERATED")
    try:
        return SgxType(int.from_bytes(data, "big"))
    except ValueError:
        raise _error("sgxExtensions.5", f"unknown SGX type {data.hex()}") from None


def _contents(der: bytes, tag: int, name: str, type_name: str) -> bytes:
    """The contents of a short primitive value; every field but the two sequences is one."""
    if len(der) < 2 or der[0] != tag or der[1] >= 0x80 or der[1] != len(der) - 2:
        raise _error(f"sgxExtensions.{name}", f"expected one {type_name}, came {der[:8].hex()}…")
    return der[2:]


def _error(field: str, message: str, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=_WHAT, field=field, spec=_SPEC, detail=detail)
