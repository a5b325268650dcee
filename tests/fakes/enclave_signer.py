"""An enclave author: signs SIGSTRUCTs, and writes what the SGX SDK's signing tool writes around them."""

from __future__ import annotations

import struct
from functools import cache

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from eaa.evidence.sigstruct import Sigstruct

METADATA_BYTES = 64 + 1808 + 8
HEADER = bytes.fromhex("06000000e10000000000010000000000")
HEADER2 = bytes.fromhex("01010000600000006000000001000000")


@cache
def author_key() -> rsa.RSAPrivateKey:
    """One key for a whole test run: making one takes long."""
    return rsa.generate_private_key(public_exponent=3, key_size=3072)


def signed_sigstruct(**values: bytes | int) -> Sigstruct:
    """A SIGSTRUCT with ``values``, signed by the author."""
    key = author_key()
    modulus = key.public_key().public_numbers().n
    fields: dict[str, bytes | int] = {
        "header": HEADER,
        "header2": HEADER2,
        "date": 0x20261120,
        "modulus": modulus.to_bytes(384, "little"),
        "exponent": 3,
        "attributes": bytes.fromhex("04000000000000000300000000000000"),
        "attribute_mask": bytes.fromhex("ffffffffffffffff1bffffffffffffff"),
        "enclave_hash": bytes(range(32)),
    }
    unsigned = Sigstruct.build(**(fields | values))
    signature = int.from_bytes(key.sign(unsigned.signed, padding.PKCS1v15(), SHA256()), "big")
    q1, rest = divmod(signature * signature, modulus)
    q2 = signature * rest // modulus
    return unsigned.replace(
        signature=signature.to_bytes(384, "little"),
        q1=q1.to_bytes(384, "little"),
        q2=q2.to_bytes(384, "little"),
    )


def metadata(sigstruct: Sigstruct, version: int = 0x0000000200000004) -> bytes:
    """The SDK's metadata, of the parts that are read: 64 bytes, the SIGSTRUCT, and some more."""
    head = struct.pack(
        "<QQIIIIIIQ16x", 0x86A80294635D0E4C, version, METADATA_BYTES, 1, 1, 2632, 0, 1, 0x1000000
    )
    return head + sigstruct.raw + bytes(8)


def signed_shared_object(*metadata: bytes, owner: bytes = b"sgx_metadata\x00") -> bytes:
    """An ELF file with a text section and the SDK's note, whose content is not aligned."""
    names = b"\x00.text\x00.note.sgxmeta\x00.shstrtab\x00"
    block = b"".join(metadata) + bytes(16)
    note = struct.pack("<III", len(owner), len(block), 1) + owner + block
    note_at, names_at = 64, 64 + len(note)
    headers_at = names_at + len(names)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = ident + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, headers_at, 0, 64, 56, 0, 64, 4, 3)
    sections = (
        bytes(64),
        struct.pack("<IIQQQQIIQQ", 1, 1, 6, 0, 64, 0, 0, 0, 16, 0),
        struct.pack("<IIQQQQIIQQ", 7, 7, 0, 0, note_at, len(note), 0, 0, 4, 0),
        struct.pack("<IIQQQQIIQQ", 21, 3, 0, 0, names_at, len(names), 0, 0, 1, 0),
    )
    return header + note + names + b"".join(sections)
