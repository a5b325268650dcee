from __future__ import annotations

import pytest

from eaa.errors import FormatError
from eaa.evidence.signed_enclave import is_elf, parse_signed_enclave
from tests.fakes.enclave_signer import METADATA_BYTES, metadata, signed_shared_object, signed_sigstruct

SIGSTRUCT = signed_sigstruct(isv_prod_id=7)


def test_every_metadata_of_the_note_is_read() -> None:
    other = signed_sigstruct(enclave_hash=b"\x01" * 32)
    data = signed_shared_object(metadata(SIGSTRUCT), metadata(other, version=0x100000004))
    assert is_elf(data)
    first, second = parse_signed_enclave(data)
    assert (first.version, first.enclave_size, first.ssa_frame_pages) == (0x200000004, 0x1000000, 1)
    assert (first.sigstruct, second.sigstruct) == (SIGSTRUCT, other)
    assert second.version == 0x100000004


def test_an_error_inside_names_the_offset_in_the_file() -> None:
    data = bytearray(signed_shared_object(metadata(SIGSTRUCT)))
    at = bytes(data).index(SIGSTRUCT.raw)
    data[at + 44] = 1
    with pytest.raises(FormatError) as caught:
        parse_signed_enclave(bytes(data))
    assert (caught.value.field, caught.value.offset) == ("reserved1", at + 44)


def patched(position: int, value: bytes) -> bytes:
    data = bytearray(signed_shared_object(metadata(SIGSTRUCT)))
    data[position : position + len(value)] = value
    return bytes(data)


NOTE = 64
DESC = NOTE + 12 + 13


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"", "ident"),
        (b"\x7fELF\x02\x01\x01", "ident"),
        (patched(4, b"\x01"), "ident"),
        (patched(5, b"\x02"), "ident"),
        (patched(40, b"\xff" * 8), "section_headers"),
        (patched(58, b"\x28\x00"), "section_headers"),
        (patched(60, b"\xff\xff"), "section_headers"),
        (patched(62, b"\x04\x00"), "section_headers"),
        (patched(60, b"\x00\x00"), "section_headers"),
        (patched(NOTE, b"\x04"), "note.name"),
        (patched(NOTE + 12, b"SGX"), "note.name"),
        (patched(NOTE + 4, b"\xff\xff\xff\xff"), "note.desc"),
        (patched(DESC, b"\x00"), "metadata.magic"),
        (patched(DESC + 16, b"\x00\x00"), "metadata.size"),
        (signed_shared_object(metadata(SIGSTRUCT)[: METADATA_BYTES // 2]), "metadata.enclave_css"),
    ],
)
def test_a_file_that_is_none(data: bytes, field: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_signed_enclave(data)
    assert caught.value.field == field


def test_an_enclave_that_was_never_signed() -> None:
    with pytest.raises(FormatError) as caught:
        parse_signed_enclave(signed_shared_object().replace(b".note.sgxmeta", b".note.gnu-abi"))
    assert caught.value.code == "format.not_signed_enclave"
    with pytest.raises(FormatError, match="is the enclave signed"):
        parse_signed_enclave(signed_shared_object())


def test_a_section_outside_the_file() -> None:
    data = signed_shared_object(metadata(SIGSTRUCT))
    headers = int.from_bytes(data[40:48], "little")
    wrong = bytearray(data)
    wrong[headers + 2 * 64 + 32 : headers + 2 * 64 + 40] = b"\xff" * 8
    with pytest.raises(FormatError) as caught:
        parse_signed_enclave(bytes(wrong))
    assert caught.value.code == "format.truncated"
