"""The extensions of a VCEK or VLEK certificate: product, chip, TCB version, cloud [AMD-KDS 3]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eaa.endorsements.x509 import Certificate, Extension
from eaa.errors import FormatError, UnsupportedError
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion

__all__ = ["AMD_ARC", "VekExtensions", "parse_vek_extensions"]

#: All of AMD's extensions of these certificates are below it.
AMD_ARC = "1.3.6.1.4.1.3704.1."
_WHAT = "VEK certificate"
_SPEC = "[AMD-KDS 3]"
_INTEGER, _OCTET_STRING, _IA5_STRING = 0x02, 0x04, 0x16

_STRUCT_VERSION, _PRODUCT_NAME, _HWID, _CSP_ID = "1", "2", "4", "5"
_NAMES = {
    _STRUCT_VERSION: "structVersion", _PRODUCT_NAME: "productName", _HWID: "hwID", _CSP_ID: "cspID",
    "3.1": "blSPL", "3.2": "teeSPL", "3.3": "snpSPL", "3.4": "spl_4", "3.5": "spl_5", "3.6": "spl_6",
    "3.7": "spl_7", "3.8": "ucodeSPL", "3.9": "fmcSPL",
}  # fmt: skip
_BOOTLOADER, _TEE, _SNP, _MICROCODE, _FMC = "3.1", "3.2", "3.3", "3.8", "3.9"
#: By structVersion: patch levels that mean nothing and are zero, and the bytes of the HWID.
_RESERVED_LEVELS = {0: ("3.4", "3.5", "3.6", "3.7"), 1: ("3.5", "3.6", "3.7")}
_HWID_BYTES = {0: 64, 1: 8}


@dataclass(frozen=True, slots=True)
class VekExtensions:
    """What the certificate says of the key that it certifies.

    ``hwid`` is 64 bytes, or 8 from Turin on; it is there in a VCEK's and ``csp_id`` in a VLEK's only.
    """

    product_name: str  # with the stepping in some VCEKs, e.g. "Milan-B0"
    product: SnpProduct
    tcb: TcbVersion
    hwid: bytes | None
    csp_id: str | None

    @property
    def kind(self) -> SigningKey:
        """Which key it is, by what it is bound to."""
        return SigningKey.VLEK if self.hwid is None else SigningKey.VCEK

    @property
    def chip_id(self) -> bytes | None:
        """``hwid`` as a report has it: 64 bytes, zeros after Turin's 8."""
        return None if self.hwid is None else self.hwid.ljust(64, b"\x00")


def parse_vek_extensions(certificate: Certificate) -> VekExtensions:
    """AMD's extensions of ``certificate``.

    Raises:
        FormatError: one is missing, unknown, or of the wrong type or size; both or neither of HWID and
            CSP id are there.
        UnsupportedError: another structVersion or product than those known here.
    """
    found = _own(certificate)
    version = _number(found, _STRUCT_VERSION)
    if version not in _HWID_BYTES:
        raise UnsupportedError(
            f"VEK certificates with structVersion {version} are not supported, only {list(_HWID_BYTES)}",
            detail="vek_struct_version", struct_version=version,
        )  # fmt: skip
    name = _text(found, _PRODUCT_NAME)
    product = _product(name)
    if product.has_fmc != (version == 1):
        raise _error("productName", f"{product} does not go with structVersion {version}")
    hwid = _hwid(found, _HWID_BYTES[version]) if _HWID in found else None
    csp_id = _text(found, _CSP_ID) if _CSP_ID in found else None
    if (hwid is None) == (csp_id is None):
        raise _error("hwID", "expected one of hwID, as in a VCEK, and cspID, as in a VLEK")
    tcb = _tcb(found, version)
    if found:
        raise _error(_NAMES[min(found)], f"does not go with structVersion {version}")
    return VekExtensions(name, product, tcb, hwid, csp_id)


def _own(certificate: Certificate) -> dict[str, bytes]:
    """Value by the end of the OID; each reader below takes out what it reads."""
    extensions: Mapping[str, Extension] = certificate.extensions
    found: dict[str, bytes] = {}
    for oid, extension in extensions.items():
        if oid.startswith(AMD_ARC):
            end = oid[len(AMD_ARC) :]
            if end not in _NAMES:
                raise _error("extensions", f"unknown extension {oid}")
            found[end] = extension.value
    return found


def _tcb(found: dict[str, bytes], version: int) -> TcbVersion:
    fmc = _number(found, _FMC) if version == 1 else None
    for level in _RESERVED_LEVELS[version]:
        if _number(found, level):
            raise _error(_NAMES[level], "a reserved patch level is not zero", "reserved")
    return TcbVersion(
        bootloader=_number(found, _BOOTLOADER),
        tee=_number(found, _TEE),
        snp=_number(found, _SNP),
        microcode=_number(found, _MICROCODE),
        fmc=fmc,
    )


def _product(name: str) -> SnpProduct:
    line, _, stepping = name.partition("-")
    if line in _PRODUCTS and (line == name or (len(stepping) == 2 and stepping.isalnum())):
        return SnpProduct(line)
    raise UnsupportedError(f"the product {name!a:.40} is not known", detail="snp_product")


_PRODUCTS = frozenset(SnpProduct)


def _number(found: dict[str, bytes], end: str) -> int:
    """An INTEGER from 0 to 255."""
    value = _taken(found, end)
    data = value[2:]
    number = int.from_bytes(data, "big", signed=True)
    # Minimal: as many bytes as the number and its sign bit need.
    size = number.bit_length() // 8 + 1
    if value[:2] != bytes((_INTEGER, len(data))) or size != len(data) or not 0 <= number <= 0xFF:
        raise _error(_NAMES[end], "expected an INTEGER from 0 to 255")
    return number


def _text(found: dict[str, bytes], end: str) -> str:
    """A short IA5String of printable characters."""
    value = _taken(found, end)
    data = value[2:]
    printable = all(0x20 <= byte < 0x7F for byte in data)
    if not 0 < len(data) < 0x80 or value[:2] != bytes((_IA5_STRING, len(data))) or not printable:
        raise _error(_NAMES[end], "expected an IA5String of at most 127 printable characters")
    return data.decode("ascii")


def _hwid(found: dict[str, bytes], size: int) -> bytes:
    """``size`` bytes, as AMD writes them, or in the OCTET STRING that ASN.1 asks for."""
    value = _taken(found, _HWID)
    if len(value) == size + 2 and value[:2] == bytes((_OCTET_STRING, size)):
        return value[2:]
    if len(value) != size:
        raise _error("hwID", f"expected {size} bytes, came {len(value)}")
    return value


def _taken(found: dict[str, bytes], end: str) -> bytes:
    if end not in found:
        raise _error(_NAMES[end], "the extension is missing", "missing")
    return found.pop(end)


def _error(field: str, message: str, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=_WHAT, field=field, spec=_SPEC, detail=detail)
