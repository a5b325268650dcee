"""The fields that reference values can pin, per TEE, and what pins the identity of the code."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from eaa.evidence.sgx import EnclaveReport
from eaa.evidence.tdx import TdReport

__all__ = ["FIELDS", "Field", "identity_gap", "read_field"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field: ``length`` bytes in the order of the report, or a number up to ``maximum``.

    ``aspect`` and ``mismatch`` are the trustworthiness claim that it speaks for, and its value if the
    field is another than expected [AR4SI §2.3.4].
    """

    length: int = 0
    maximum: int = 0
    masked: bool = False
    minimum_only: bool = False
    aspect: str = "executables"
    mismatch: int = 33  # not recognised


def _configuration(length: int = 0, *, masked: bool = False, maximum: int = 0) -> Field:
    return Field(length, maximum, masked=masked, aspect="configuration", mismatch=36)


_SGX: Mapping[str, Field] = MappingProxyType(
    {
        "mr_enclave": Field(32),
        "mr_signer": Field(32),
        "isv_prod_id": Field(maximum=0xFFFF),
        "min_isv_svn": Field(maximum=0xFFFF, minimum_only=True),
        "attributes": _configuration(16, masked=True),
        "xfrm": _configuration(8, masked=True),
        "misc_select": _configuration(maximum=0xFFFFFFFF),
        "config_id": _configuration(64),
    }
)
_TDX: Mapping[str, Field] = MappingProxyType(
    {
        "mr_td": Field(48),
        "rt_mr0": Field(48),
        "rt_mr1": Field(48),
        "rt_mr2": Field(48),
        "rt_mr3": Field(48),
        # Intel's signature on it is verified; here it is not the one that was asked for.
        "mr_seam": Field(48, aspect="hardware", mismatch=97),
        "td_attributes": _configuration(8, masked=True),
        "xfam": _configuration(8, masked=True),
        "mr_config_id": _configuration(48),
        "mr_owner": _configuration(48),
        "mr_owner_config": _configuration(48),
        "mr_service_td": _configuration(48),
    }
)
#: By the name of the TEE.
FIELDS: Mapping[str, Mapping[str, Field]] = MappingProxyType({"sgx": _SGX, "tdx": _TDX})

#: Any one of these sets says which code it is. MRSIGNER alone is every enclave of that signer.
_IDENTITY: Mapping[str, tuple[frozenset[str], ...]] = MappingProxyType(
    {
        "sgx": (frozenset({"mr_enclave"}), frozenset({"mr_signer", "isv_prod_id", "min_isv_svn"})),
        "tdx": (frozenset({"mr_td"}),),
    }
)


def identity_gap(tee: str, names: Collection[str]) -> str | None:
    """What is needed besides ``names`` to pin the code, in words; ``None`` if nothing is."""
    if any(wanted <= set(names) for wanted in _IDENTITY[tee]):
        return None
    return ", or ".join(" + ".join(n for n in FIELDS[tee] if n in wanted) for wanted in _IDENTITY[tee])


def read_field(report: EnclaveReport | TdReport, name: str) -> bytes | int | None:
    """The value of field ``name`` in ``report``; ``None`` if this version of the report has none."""
    if isinstance(report, EnclaveReport):
        if name == "xfrm":
            return report.attributes[8:]
        name = name.removeprefix("min_")
    value: bytes | int | None = getattr(report, name, None)
    return value
