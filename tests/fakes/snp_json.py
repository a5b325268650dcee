"""SNP reports in the JSON of guest components, by a writer of its own."""

from __future__ import annotations

from typing import Any

from eaa.evidence.snp import SnpReport
from eaa.evidence.snp_tcb import TcbVersion

__all__ = ["TCBS", "current_json", "old_json"]

TCBS = ("current_tcb", "reported_tcb", "committed_tcb", "launch_tcb")
Members = dict[str, Any]


def tcb_json(tcb: TcbVersion) -> Members:
    return {name: getattr(tcb, name) for name in ("fmc", "bootloader", "tee", "snp", "microcode")}


def current_json(report: SnpReport) -> Members:
    """As guest components v0.15 and later write it."""
    body, old = report.body, report.body.version == 2
    octets = (
        "family_id", "image_id", "report_data", "measurement", "host_data", "id_key_digest",
        "author_key_digest", "report_id", "report_id_ma", "chip_id",
    )  # fmt: skip
    cpuid = ("cpuid_fam_id", "cpuid_mod_id", "cpuid_step")
    values = (body.cpuid_family, body.cpuid_model, body.cpuid_stepping)
    versions = {"current": report.current_version, "committed": report.committed_version}
    return {
        **{name: getattr(body, name) for name in ("version", "guest_svn", "policy", "vmpl", "key_info")},
        **{name: list(getattr(body, name)) for name in octets},
        "sig_algo": body.signature_algo,
        "plat_info": body.platform_info,
        **{name: tcb_json(getattr(report, name)) for name in TCBS},
        **{name: None if old else value for name, value in zip(cpuid, values, strict=True)},
        **{
            name: dict(zip(("major", "minor", "build"), version, strict=True))
            for name, version in versions.items()
        },
        "launch_mit_vector": body.launch_mit_vector if body.version == 5 else None,
        "current_mit_vector": body.current_mit_vector if body.version == 5 else None,
        "signature": {"r": list(body.signature_r), "s": list(body.signature_s)},
    }  # fmt: skip


def old_json(report: SnpReport) -> Members:
    """As guest components up to v0.13 write it, with the reserved bytes as members."""
    raw, members = report.body.raw, current_json(report)
    for name in ("key_info", "cpuid_fam_id", "cpuid_mod_id", "cpuid_step", "current", "committed"):
        del members[name]
    del members["launch_mit_vector"], members["current_mit_vector"]
    for name in TCBS:
        tcb = getattr(report.body, name)
        members[name] = {
            "bootloader": tcb[0], "tee": tcb[1], "_reserved": list(tcb[2:6]), "snp": tcb[6],
            "microcode": tcb[7],
        }  # fmt: skip
    members |= {
        "_author_key_en": report.body.key_info,
        "_reserved_0": int.from_bytes(raw[0x4C:0x50], "little"),
        "_reserved_1": list(raw[0x188:0x1A0]),
        "_reserved_2": raw[0x1EB],
        "_reserved_3": raw[0x1EF],
        "_reserved_4": list(raw[0x1F8:0x2A0]),
    }
    for name in ("current", "committed"):
        for part in ("build", "minor", "major"):
            members[f"{name}_{part}"] = getattr(report.body, f"{name}_{part}")
    members["signature"]["_reserved"] = list(raw[0x330:])
    return members
