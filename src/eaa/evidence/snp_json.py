"""SNP evidence as guest components write it: the report's fields as JSON [COCO-GUEST attester/snp].

``{"attestation_report": {…}, "cert_chain": [{"cert_type": "VCEK", "data": [48, …]}] | null}``. The report is
put together from its members again, so that what was signed is verified; byte arrays are arrays of numbers.
Guest components v0.14 and later write the shape of ``sev`` 6 and 7, earlier ones that of ``sev`` 4, which has
the reserved bytes as members.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eaa.evidence.snp import SnpReportBody
from eaa.evidence.snp_certificates import GUIDS, MAX_ENTRIES, TableEntry, TableName
from eaa.evidence.snp_json_members import (
    FIELDS,
    SIZES,
    TCBS,
    bad_member,
    number,
    object_of,
    octets,
    plain_fields,
    refuse_others,
    signature_fields,
)
from eaa.evidence.snp_json_sev4 import is_sev4_report, report_of_sev4_json
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion, is_turin_chip_id, product_of_cpuid

__all__ = ["certificates_of_json", "report_of_json"]

_VERSIONS = ("current", "committed")

_OPTIONAL: Mapping[str, str] = {
    "cpuid_fam_id": "cpuid_family",
    "cpuid_mod_id": "cpuid_model",
    "cpuid_step": "cpuid_stepping",
    "launch_mit_vector": "launch_mit_vector",
    "current_mit_vector": "current_mit_vector",
}
_MEMBERS = {*FIELDS, *_OPTIONAL, *TCBS, *_VERSIONS, "key_info", "signature"}


def report_of_json(value: Any) -> bytes:
    """The report, 1184 bytes, whose fields are the members of ``value``.

    Raises:
        FormatError: a member is missing, unknown or of another type or size.
        UnsupportedError: a processor that is not known here.
    """
    members = object_of(value, "attestation_report")
    return report_of_sev4_json(members) if is_sev4_report(members) else _of_current(members)


def _of_current(members: dict[str, Any]) -> bytes:
    refuse_others(members, _MEMBERS, "attestation_report")
    values = plain_fields(members)
    for name, field in _OPTIONAL.items():
        if members.get(name) is not None:
            values[field] = number(members, name, SIZES[field])
    values["key_info"] = number(members, "key_info", 4)
    has_fmc = _has_fmc(values)
    for name in TCBS:
        values[name] = _tcb(object_of(members.get(name), name), name, has_fmc)
    for name in _VERSIONS:
        version = object_of(members.get(name), name)
        refuse_others(version, {"major", "minor", "build"}, name)
        values |= {f"{name}_{part}": number(version, part, 1) for part in ("major", "minor", "build")}
    signature = object_of(members.get("signature"), "signature")
    refuse_others(signature, {"r", "s"}, "signature")
    values |= signature_fields(signature)
    return SnpReportBody.build(**values).raw


def certificates_of_json(value: Any) -> tuple[TableEntry, ...]:
    """The certificates in ``value``, the member ``cert_chain``; none if it is null.

    Raises:
        FormatError: another shape, more than 64 KiB, or more than 16 entries.
    """
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MAX_ENTRIES:
        raise bad_member("cert_chain", f"expected an array of at most {MAX_ENTRIES} elements")
    entries: list[TableEntry] = []
    for item in value:
        members = object_of(item, "cert_chain")
        refuse_others(members, {"cert_type", "data"}, "cert_chain")
        entries.append(TableEntry(_guid(members.get("cert_type")), octets(members, "data", None)))
    return tuple(entries)


def _guid(kind: Any) -> bytes:
    if isinstance(kind, str) and kind in GUIDS:
        return GUIDS[TableName(kind)]
    if isinstance(kind, dict) and [*kind] == ["OTHER"] and isinstance(kind["OTHER"], str):
        try:
            guid = bytes.fromhex(kind["OTHER"].replace("-", ""))
        except ValueError:
            guid = b""
        if len(guid) == 16:
            return guid
    raise bad_member("cert_type", f"expected one of {', '.join(GUIDS)}, or OTHER with a GUID")


def _has_fmc(values: Mapping[str, bytes | int]) -> bool:
    family, model = values.get("cpuid_family"), values.get("cpuid_model")
    if values["version"] == 2:
        chip_id = values["chip_id"]
        return isinstance(chip_id, bytes) and is_turin_chip_id(chip_id)
    if not isinstance(family, int) or not isinstance(model, int):
        raise bad_member("cpuid_fam_id", "a report from version 3 on has a CPUID", "missing")
    return product_of_cpuid(family, model) is SnpProduct.TURIN


def _tcb(tcb: dict[str, Any], name: str, has_fmc: bool) -> bytes:
    refuse_others(tcb, {"fmc", "bootloader", "tee", "snp", "microcode"}, name)
    if (tcb.get("fmc") is not None) != has_fmc:
        raise bad_member(f"{name}.fmc", "is there if and only if the processor has it")
    levels = {part: number(tcb, part, 1) for part in ("bootloader", "tee", "snp", "microcode")}
    return TcbVersion(**levels, fmc=number(tcb, "fmc", 1) if has_fmc else None).encode()
