"""Computed values as the file that ``shelter verify --reference`` takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from eaa.appraisal.reference_values import parse_reference_values
from eaa.cli.files import create_file
from eaa.errors import FormatError, UsageError

__all__ = ["write_reference_file"]

#: TEE and field by the name that policies ask for. What is not here is no field of the report.
_FIELDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "sgx_mr_enclave": ("sgx", "mr_enclave"),
        "sgx_mr_signer": ("sgx", "mr_signer"),
        "sgx_isv_prod_id": ("sgx", "isv_prod_id"),
        "sgx_minimum_isv_svn": ("sgx", "min_isv_svn"),
        "mr_td": ("tdx", "mr_td"),
        "xfam": ("tdx", "xfam"),
        "rtmr_0": ("tdx", "rt_mr0"),
        "rtmr_1": ("tdx", "rt_mr1"),
        "rtmr_2": ("tdx", "rt_mr2"),
        "snp_launch_measurement": ("snp", "measurement"),
    }
)


def write_reference_file(file: str, values: Mapping[str, Any]) -> None:
    """Write ``values`` to the new ``file``, as one alternative of their TEE.

    Raises:
        UsageError: they do not say which code it is, or the file is there already or cannot be written.
    """
    document: dict[str, Any] = {"version": 1}
    for name, value in values.items():
        if name in _FIELDS:
            tee, field = _FIELDS[name]
            alternative = document.setdefault(tee, [{}])[0]
            alternative[field] = value
    try:
        data = parse_reference_values(json.dumps(document).encode()).encode()
    except FormatError as error:
        raise UsageError(f"--reference-to: {error}", detail="reference_values") from None
    try:
        create_file(file, data)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot write {file!r}: {reason}", detail="unwritable") from None
