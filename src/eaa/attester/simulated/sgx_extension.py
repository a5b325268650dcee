"""The SGX extension of a PCK certificate, encoded field by field in Intel's layout [SGX-PCK §1.3.5]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eaa.codec.der import wrap_sequence

__all__ = ["SgxFields", "boolean", "encode_sgx_extension", "enumerated", "integer", "octets"]

#: Value of each field in DER by its number below the extension's OID; a mapping for fields of fields.
SgxFields = Mapping[str, "bytes | SgxFields"]

#: Contents of OID 1.2.840.113741.1.13.1.
_OID = bytes.fromhex("2a864886f84d010d01")


def encode_sgx_extension(fields: SgxFields) -> bytes:
    """The extension's value with ``fields`` in the order given; keys are ``"1"`` … or ``"2.17"``."""
    return _sequence(fields)


def octets(value: bytes) -> bytes:
    """OCTET STRING, less than 128 bytes."""
    return _tlv(0x04, value)


def integer(value: int) -> bytes:
    """INTEGER, not negative."""
    return _tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def enumerated(value: int) -> bytes:
    """ENUMERATED of one byte."""
    return _tlv(0x0A, bytes((value,)))


def boolean(value: bool) -> bytes:
    """BOOLEAN."""
    return _tlv(0x01, b"\xff" if value else b"\x00")


def _sequence(fields: SgxFields) -> bytes:
    return wrap_sequence(b"".join(_entry(name, value) for name, value in fields.items()))


def _entry(name: str, value: bytes | SgxFields) -> bytes:
    numbers: Sequence[int] = [int(part) for part in name.split(".")]
    oid = _tlv(0x06, _OID + bytes(numbers))
    return wrap_sequence(oid + (value if isinstance(value, bytes) else _sequence(value)))


def _tlv(tag: int, value: bytes) -> bytes:
    return bytes((tag, len(value))) + value
