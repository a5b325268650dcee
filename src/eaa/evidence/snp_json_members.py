"""Members of the JSON in which guest components write SNP evidence, by type and size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eaa.errors import FormatError
from eaa.evidence.snp import SNP_VERSIONS, SnpReportBody
from eaa.evidence.snp_certificates import MAX_TABLE_BYTES

__all__ = [
    "FIELDS",
    "SIZES",
    "TCBS",
    "bad_member",
    "number",
    "object_of",
    "octets",
    "plain_fields",
    "refuse_others",
    "signature_fields",
]

_WHAT, _SPEC = "SNP evidence", "[COCO-GUEST attester/snp]"

TCBS = ("current_tcb", "reported_tcb", "committed_tcb", "launch_tcb")
#: Members that are fields under the name in the report's own table; bytes or numbers by their size there.
FIELDS: Mapping[str, str] = {
    **{name: name for name in (
        "version", "guest_svn", "policy", "family_id", "image_id", "vmpl", "report_data", "measurement",
        "host_data", "id_key_digest", "author_key_digest", "report_id", "report_id_ma", "chip_id",
    )},
    "sig_algo": "signature_algo",
    "plat_info": "platform_info",
}  # fmt: skip
#: Bytes of each field of the report.
SIZES: Mapping[str, int] = {name: item.size for name, item in SnpReportBody.layout().items()}
_NUMBERS = frozenset({"version", "guest_svn", "policy", "vmpl", "sig_algo", "plat_info"})


def plain_fields(members: dict[str, Any]) -> dict[str, bytes | int]:
    """The members that are fields of the report, by the report's names; raises FormatError."""
    values: dict[str, bytes | int] = {}
    for name, field in FIELDS.items():
        size = SIZES[field]
        values[field] = number(members, name, size) if name in _NUMBERS else octets(members, name, size)
    if values["version"] not in SNP_VERSIONS:
        raise bad_member("version", f"expected one of {list(SNP_VERSIONS)}")
    return values


def signature_fields(members: dict[str, Any]) -> dict[str, bytes | int]:
    """Members ``r`` and ``s``, 72 bytes each; raises FormatError."""
    return {"signature_r": octets(members, "r", 72), "signature_s": octets(members, "s", 72)}


def object_of(value: Any, field: str) -> dict[str, Any]:
    """``value`` if it is an object; raises FormatError."""
    if not isinstance(value, dict):
        raise bad_member(field, "expected an object")
    return value


def refuse_others(members: dict[str, Any], known: set[str], field: str) -> None:
    """Holds if ``members`` has none that is not ``known``."""
    if unknown := members.keys() - known:
        raise bad_member(field, f"{len(unknown)} unknown members, such as {min(unknown)!a:.40}")


def number(members: dict[str, Any], name: str, size: int) -> int:
    """The number that is member ``name`` and fits into ``size`` bytes; raises FormatError."""
    value = members.get(name)
    if type(value) is not int or not 0 <= value < 1 << 8 * size:
        raise bad_member(name, f"expected a number of {size} bytes")
    return value


def octets(members: dict[str, Any], name: str, size: int | None) -> bytes:
    """The array of numbers that is member ``name``: ``size`` bytes, or at most 64 KiB; raises FormatError."""
    value = members.get(name)
    if isinstance(value, list) and len(value) <= MAX_TABLE_BYTES and set(map(type, value)) <= {int}:
        try:
            data = bytes(value)
        except ValueError:
            data = None
        if data is not None and (size is None or len(data) == size):
            return data
    raise bad_member(name, f"expected an array of {'at most 64 Ki' if size is None else size} bytes")


def bad_member(field: str, message: str, detail: str = "bad_value") -> FormatError:
    """The error; ``message`` must not show what came, for that may be evidence."""
    return FormatError(message, what=_WHAT, field=field, spec=_SPEC, detail=detail)
