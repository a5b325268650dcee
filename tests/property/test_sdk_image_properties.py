"""Whatever an enclave file of the SGX SDK holds, it is measured or refused as an error of ours."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from eaa.errors import EAAError
from eaa.evidence.sdk_image import measure_sdk_enclave
from eaa.evidence.signed_enclave import parse_signed_enclave
from tests.fakes.enclave_signer import signed_sigstruct
from tests.fakes.sdk_enclave import sdk_enclave, sdk_metadata

WHOLE = sdk_enclave(sdk_metadata(signed_sigstruct()))
#: ELF and program headers; note, metadata and section headers.
PLACES = st.integers(0, 0x120) | st.integers(0x2000, len(WHOLE) - 1)


@settings(max_examples=400)
@given(st.dictionaries(PLACES, st.integers(0, 255), min_size=1, max_size=6))
def test_any_bytes_changed(changes: dict[int, int]) -> None:
    data = bytearray(WHOLE)
    for at, value in changes.items():
        data[at] = value
    with contextlib.suppress(EAAError):
        for enclave in parse_signed_enclave(bytes(data)):
            assert len(measure_sdk_enclave(bytes(data), enclave)) == 32


@settings(max_examples=100)
@given(st.integers(0, len(WHOLE) - 1))
def test_any_prefix(length: int) -> None:
    with contextlib.suppress(EAAError):
        for enclave in parse_signed_enclave(WHOLE[:length]):
            measure_sdk_enclave(WHOLE[:length], enclave)
