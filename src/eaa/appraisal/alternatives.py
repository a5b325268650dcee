"""Alternatives of reference values made from measurements, where no JSON has been written by hand."""

from __future__ import annotations

from collections.abc import Mapping

from eaa.appraisal.reference_fields import FIELDS
from eaa.appraisal.reference_values import Alternative, Pattern, Pin
from eaa.errors import UsageError

__all__ = ["by_measurement", "by_signer"]

_MEASUREMENTS: Mapping[str, str] = {
    "sgx": "mr_enclave", "tdx": "mr_td", "snp": "measurement", "sev": "launch_digest", "csv": "measure",
}  # fmt: skip


def by_measurement(tee: str, *measurements: bytes) -> Alternative:
    """Exactly this code: one of these measurements.

    MRENCLAVEs (``sgx``, 32 bytes), MRTDs (``tdx``, 48 bytes) or launch digests (``snp``, 48 bytes; ``sev``
    and ``csv``, 32 bytes).

    Raises:
        UsageError: another TEE, no measurement, or one of another length.
    """
    if tee not in _MEASUREMENTS:
        raise UsageError(f"no measurement of {tee!r} is known", detail="tee")
    name = _MEASUREMENTS[tee]
    return Alternative(tee, (_bytes_pin(tee, name, measurements),))


def by_signer(mr_signer: bytes, *, isv_prod_id: int, min_isv_svn: int) -> Alternative:
    """Any SGX enclave of this signer and product, at this security version or above.

    Raises:
        UsageError: a value of another length or out of range.
    """
    numbers = (("isv_prod_id", isv_prod_id), ("min_isv_svn", min_isv_svn))
    for name, value in numbers:
        if not 0 <= value <= FIELDS["sgx"][name].maximum:
            raise UsageError(f"{name}: {value} is out of range", detail=name)
    pins = (Pin(name, (value,)) for name, value in numbers)
    return Alternative("sgx", (_bytes_pin("sgx", "mr_signer", (mr_signer,)), *pins))


def _bytes_pin(tee: str, name: str, values: tuple[bytes, ...]) -> Pin:
    length = FIELDS[tee][name].length
    if not values or any(len(value) != length for value in values):
        raise UsageError(f"{name}: expected values of {length} bytes", detail=name)
    return Pin(name, tuple(Pattern(value, b"\xff" * length) for value in values))
