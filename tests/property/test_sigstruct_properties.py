"""Laws of what enclaves are recorded from: any bit flipped is refused, and only FormatError is raised."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eaa.errors import FormatError, SignatureError
from eaa.evidence.enclave_image import parse_sgxs, parse_skeleton
from eaa.evidence.enclave_measurement import EnclaveImage, Page, measure_enclave
from eaa.evidence.signed_enclave import parse_signed_enclave
from eaa.evidence.sigstruct import Sigstruct, parse_sigstruct, verify_sigstruct
from tests.fakes.enclave_signer import metadata, signed_shared_object, signed_sigstruct

SIGNED = signed_sigstruct(isv_prod_id=1, isv_svn=2)
SHARED_OBJECT = signed_shared_object(metadata(SIGNED), metadata(SIGNED, version=0x100000004))
STREAM = (
    b"ECREATE\x00" + struct.pack("<IQ44x", 1, 0x4000)
    + b"EADD\x00\x00\x00\x00" + struct.pack("<QQ40x", 0x1000, 0x203)
    + b"EEXTEND\x00" + struct.pack("<Q48x", 0x1000) + bytes(range(256))
    + b"UNMEASRD" + struct.pack("<Q48x", 0x1100) + bytes(256)
    + b"EADD\x00\x00\x00\x00" + struct.pack("<QQ40x", 0x2000, 0x100)
)  # fmt: skip
SKELETON = bytes(range(256)) * 17 + struct.pack("<QBQ", 0x4000, 1, 0x10000)
MUTATIONS = st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(1, 255)), min_size=1, max_size=4)


def mutated(data: bytes, mutations: list[tuple[int, int]]) -> bytes:
    changed = bytearray(data)
    for position, mask in mutations:
        changed[position % len(data)] ^= mask
    return bytes(changed)


@given(values=st.fixed_dictionaries({name: st.binary(min_size=item.size, max_size=item.size)
                                     for name, item in Sigstruct.layout().items()
                                     if type(item).__name__ == "BytesField"}))  # fmt: skip
def test_what_is_built_is_read(values: dict[str, bytes]) -> None:
    built = Sigstruct.build(**values)
    assert {name: getattr(built, name) for name in values} == values


@given(bit=st.integers(0, 1808 * 8 - 1))
def test_any_bit_flipped_is_refused(bit: int) -> None:
    raw = bytearray(SIGNED.raw)
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises((FormatError, SignatureError)):
        verify_sigstruct(parse_sigstruct(bytes(raw)))


@given(data=st.binary(max_size=2000))
def test_any_bytes_are_a_sigstruct_or_refused(data: bytes) -> None:
    with suppress(FormatError):
        parse_sigstruct(data)


@given(mutations=MUTATIONS)
def test_a_mutated_shared_object_is_read_or_refused(mutations: list[tuple[int, int]]) -> None:
    with suppress(FormatError):
        assert parse_signed_enclave(mutated(SHARED_OBJECT, mutations))


@given(mutations=MUTATIONS)
def test_a_mutated_stream_is_measured_or_refused(mutations: list[tuple[int, int]]) -> None:
    with suppress(FormatError):
        measure_enclave(parse_sgxs(mutated(STREAM, mutations)))


@given(mutations=MUTATIONS, ssa=st.integers(-1, 1 << 33))
def test_a_mutated_skeleton_is_measured_or_refused(mutations: list[tuple[int, int]], ssa: int) -> None:
    with suppress(FormatError):
        parse_skeleton(mutated(SKELETON, mutations), ssa)


@given(data=st.binary(max_size=400))
def test_any_bytes_are_images_or_refused(data: bytes) -> None:
    for parse in (parse_sgxs, parse_signed_enclave):
        for start in (b"", STREAM[:64], SHARED_OBJECT[:64]):
            with suppress(FormatError):
                parse(start + data)


def test_truncated_at_each_length() -> None:
    for length in range(len(SIGNED.raw)):
        with pytest.raises(FormatError):
            parse_sigstruct(SIGNED.raw[:length])
    for length in range(len(SHARED_OBJECT)):
        with pytest.raises(FormatError):
            parse_signed_enclave(SHARED_OBJECT[:length])
    # A stream may end after any page or chunk.
    ends = {64, 128, 448, 768, 832}
    assert [n for n in range(len(STREAM) + 1) if _is_stream(STREAM[:n])] == sorted(ends)


def _is_stream(data: bytes) -> bool:
    try:
        parse_sgxs(data)
    except FormatError:
        return False
    return True


@given(
    pages=st.lists(
        st.builds(
            Page,
            st.integers(-2, 70).map(lambda number: number * 2048),
            st.integers(0, 0x2FF),
            st.sampled_from([bytes(4096), b"\x01" * 4096, b""]),
            st.integers(-1, 0x10000),
        ),
        max_size=4,
    ),
    size=st.integers(0, 64).map(lambda bits: 1 << bits),
    ssa=st.integers(0, 5),
)
def test_any_image_is_measured_or_refused(pages: list[Page], size: int, ssa: int) -> None:
    with suppress(FormatError):
        assert len(measure_enclave(EnclaveImage(size, ssa, pages))) == 32
