from __future__ import annotations

import pytest

from eaa.appraisal.alternatives import by_measurement, by_signer
from eaa.appraisal.reference_values import ReferenceValues, parse_reference_values
from eaa.errors import UsageError


def test_what_is_made_is_what_its_json_says() -> None:
    made = ReferenceValues(
        (
            by_measurement("sgx", b"\x01" * 32),
            by_measurement("sgx", b"\x01" * 32, b"\x02" * 32),
            by_signer(b"\x03" * 32, isv_prod_id=4, min_isv_svn=5),
            by_measurement("tdx", b"\x06" * 48),
            by_measurement("snp", b"\x07" * 48),
        )
    )
    assert parse_reference_values(made.encode()) == made


@pytest.mark.parametrize(
    ("tee", "values"),
    [
        ("tpm", [bytes(32)]), ("sev", [b""]), ("snp", [bytes(32)]), ("sgx", []), ("sgx", [bytes(48)]),
        ("tdx", [b""]),
    ],
)  # fmt: skip
def test_a_measurement_that_is_none(tee: str, values: list[bytes]) -> None:
    with pytest.raises(UsageError):
        by_measurement(tee, *values)


@pytest.mark.parametrize(
    ("signer", "product", "version"), [(b"", 1, 1), (bytes(32), -1, 1), (bytes(32), 1, 1 << 16)]
)
def test_a_signer_that_is_none(signer: bytes, product: int, version: int) -> None:
    with pytest.raises(UsageError):
        by_signer(signer, isv_prod_id=product, min_isv_svn=version)
