"""Members of the JSON in which guest components write SNP evidence, by type and size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eaa.evidence.json_members import JsonMembers
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

_READER = JsonMembers("SNP evidence", "[COCO-GUEST attester/snp]", MAX_TABLE_BYTES)
object_of, refuse_others = _READER.object_of, _READER.refuse_others
number, octets, bad_member = _READER.number, _READER.octets, _READER.bad_member

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
