"""The report as guest components up to v0.13 write it in JSON: the shape of the crate ``sev`` 4.

Processors before Turin only. The reserved bytes are members, and the CPUID of version 3 is in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eaa.evidence.snp import SNP_REPORT_BYTES, SnpReportBody
from eaa.evidence.snp_json_members import (
    FIELDS,
    TCBS,
    number,
    object_of,
    octets,
    plain_fields,
    refuse_others,
    signature_fields,
)

__all__ = ["is_sev4_report", "report_of_sev4_json"]

_NUMBERS = tuple(
    f"{name}_{part}" for name in ("current", "committed") for part in ("build", "minor", "major")
)
#: Reserved bytes with their offset and size.
_RESERVED: Mapping[str, tuple[int, int]] = {
    "_reserved_0": (0x4C, 4),
    "_reserved_1": (0x188, 24),
    "_reserved_2": (0x1EB, 1),
    "_reserved_3": (0x1EF, 1),
    "_reserved_4": (0x1F8, 168),
}
_MEMBERS = {*FIELDS, *TCBS, *_NUMBERS, *_RESERVED, "_author_key_en", "signature"}


def is_sev4_report(members: Mapping[str, Any]) -> bool:
    """Whether ``members`` are of this shape."""
    return "_author_key_en" in members


def report_of_sev4_json(members: dict[str, Any]) -> bytes:
    """The report, 1184 bytes; raises FormatError as :func:`eaa.evidence.snp_json.report_of_json`."""
    refuse_others(members, _MEMBERS, "attestation_report")
    values = plain_fields(members)
    values["key_info"] = number(members, "_author_key_en", 4)
    values |= {name: number(members, name, 1) for name in _NUMBERS}
    for name in TCBS:
        tcb = object_of(members.get(name), name)
        refuse_others(tcb, {"bootloader", "tee", "_reserved", "snp", "microcode"}, name)
        low = bytes((number(tcb, "bootloader", 1), number(tcb, "tee", 1)))
        high = bytes((number(tcb, "snp", 1), number(tcb, "microcode", 1)))
        values[name] = low + octets(tcb, "_reserved", 4) + high
    signature = object_of(members.get("signature"), "signature")
    refuse_others(signature, {"r", "s", "_reserved"}, "signature")
    values |= signature_fields(signature)
    raw = bytearray(SnpReportBody.build(**values).raw)
    for name, (offset, size) in _RESERVED.items():
        # Up to four bytes are a number there.
        short = size <= 4
        raw[offset : offset + size] = (
            number(members, name, size).to_bytes(size, "little") if short else octets(members, name, size)
        )
    raw[0x330:SNP_REPORT_BYTES] = octets(signature, "_reserved", SNP_REPORT_BYTES - 0x330)
    return bytes(raw)
