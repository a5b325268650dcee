"""SIGSTRUCT, the enclave signature, 1808 bytes [SDM-3D §38.13].

The enclave's author signs with it what EINIT compares: the measurement, the attributes and the product.
The key inside is the author's own: a signature that verifies says that the structure is unchanged
since that key signed it, and nothing about who holds the key. Little-endian throughout, the RSA
numbers too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from eaa.errors import FormatError, SignatureError
from eaa.evidence.layout import BytesField, Structure, UintField

__all__ = ["EXPONENT", "SIGSTRUCT_BYTES", "Sigstruct", "parse_sigstruct", "verify_sigstruct"]

SIGSTRUCT_BYTES = 1808
#: The processor computes the cube only.
EXPONENT = 3
_WHAT = "SIGSTRUCT"
_SPEC = "[SDM-3D §38.13]"
_DEBUG = 0x02


@dataclass(frozen=True, slots=True)
class Sigstruct(Structure):
    """An enclave signature. ``attributes`` is FLAGS (8 bytes) ‖ XFRM (8 bytes), as is its mask.

    ``date`` is the build date, its decimal digits written as hexadecimal: ``0x20240811``.
    """

    SIZE: ClassVar[int] = SIGSTRUCT_BYTES

    header = BytesField(0, 16)
    vendor = UintField(16, 4)
    date = UintField(20, 4)
    header2 = BytesField(24, 16)
    sw_defined = UintField(40, 4)
    reserved1 = BytesField(44, 84)
    modulus = BytesField(128, 384)
    exponent = UintField(512, 4)
    signature = BytesField(516, 384)
    misc_select = UintField(900, 4)
    misc_mask = UintField(904, 4)
    cet_attributes = UintField(908, 1)
    cet_attributes_mask = UintField(909, 1)
    reserved2 = BytesField(910, 2)
    isv_family_id = BytesField(912, 16)
    attributes = BytesField(928, 16)
    attribute_mask = BytesField(944, 16)
    enclave_hash = BytesField(960, 32)
    reserved3 = BytesField(992, 16)
    isv_ext_prod_id = BytesField(1008, 16)
    isv_prod_id = UintField(1024, 2)
    isv_svn = UintField(1026, 2)
    reserved4 = BytesField(1028, 12)
    q1 = BytesField(1040, 384)
    q2 = BytesField(1424, 384)

    @property
    def mr_signer(self) -> bytes:
        """SHA-256 of the modulus as it stands here, little-endian."""
        return hashlib.sha256(self.modulus).digest()

    @property
    def signed(self) -> bytes:
        """The 256 bytes under the signature: up to the modulus, and from MISCSELECT to ISVSVN."""
        return self.raw[:128] + self.raw[900:1028]

    @property
    def may_debug(self) -> bool:
        """Whether EINIT would start this enclave with ATTRIBUTES.DEBUG set."""
        return not self.attribute_mask[0] & _DEBUG or bool(self.attributes[0] & _DEBUG)


#: Fields with one permitted value. EINIT compares them before anything else.
_CONSTANTS: Mapping[str, bytes] = {
    "header": bytes.fromhex("06000000e10000000000010000000000"),
    "header2": bytes.fromhex("01010000600000006000000001000000"),
    "reserved1": bytes(84),
    "reserved2": bytes(2),
    "reserved3": bytes(16),
    "reserved4": bytes(12),
}


def parse_sigstruct(data: bytes, *, what: str = _WHAT, base: int = 0) -> Sigstruct:
    """The SIGSTRUCT in ``data``, exactly 1808 bytes; ``base`` is added to offsets in errors.

    The signature has not been verified: :func:`verify_sigstruct` does that.

    Raises:
        FormatError: another length, another header, reserved bytes that are not zero, or an
            exponent other than 3.
    """
    if len(data) != SIGSTRUCT_BYTES:
        raise FormatError(
            f"expected {SIGSTRUCT_BYTES} bytes, came {len(data)}",
            what=what, field="length", offset=base, spec=_SPEC, detail="truncated",
        )  # fmt: skip
    sigstruct = Sigstruct(data)
    for name, wanted in _CONSTANTS.items():
        if getattr(sigstruct, name) != wanted:
            message = f"must be {wanted.hex()}" if any(wanted) else "reserved bytes must be zero"
            raise _error(message, what, name, base)
    if sigstruct.exponent != EXPONENT:
        raise _error(f"expected {EXPONENT}, came {sigstruct.exponent}", what, "exponent", base)
    return sigstruct


def verify_sigstruct(sigstruct: Sigstruct) -> None:
    """Verify the signature with the key inside: RSA-3072, exponent 3, PKCS #1 v1.5, SHA-256 [RFC8017 §8.2.2].

    Q1 and Q2, with which the processor divides, are compared too: with others EINIT refuses.

    Raises:
        SignatureError: the structure is not as the key signed it, or could never start.
    """
    modulus, signature = _number(sigstruct.modulus), _number(sigstruct.signature)
    if modulus.bit_length() != 3072 or modulus % 2 == 0:
        raise SignatureError("the modulus of the SIGSTRUCT is no RSA-3072 modulus", detail="sigstruct_key")
    key = rsa.RSAPublicNumbers(EXPONENT, modulus).public_key()
    try:
        key.verify(sigstruct.signature[::-1], sigstruct.signed, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        raise SignatureError("the signature of the SIGSTRUCT does not verify", detail="sigstruct") from None
    q1, rest = divmod(signature * signature, modulus)
    if (_number(sigstruct.q1), _number(sigstruct.q2)) != (q1, signature * rest // modulus):
        raise SignatureError(
            "Q1 and Q2 of the SIGSTRUCT are not those of its signature", detail="sigstruct_q"
        )


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _error(message: str, what: str, name: str, base: int) -> FormatError:
    offset = base + Sigstruct.layout()[name].offset
    return FormatError(message, what=what, field=name, offset=offset, spec=_SPEC)
