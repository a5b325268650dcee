"""The demo's broker: verdictd and verdict as processes, simulated guests that ask for their disk's key."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eaa.attester.simulated import SimulatedPlatform, SimulatedTdxGuest, SimulatedVendor
from eaa.attester.simulated.amd_guest import SimulatedSnpGuest, SimulatedSnpPlatform
from eaa.attester.simulated.amd_vendor import SimulatedAmdVendor
from eaa.cli.demo_broker_guest import Guest
from eaa.cli.demo_broker_scene import OTHER, Scene, verdictd
from eaa.cli.demo_flow_attacks import Outcome
from eaa.evidence.snp import SnpReport, parse_snp_report

__all__ = ["broker"]

_WRONG_MR_TD = b"\xee" * 48


def broker() -> Iterator[tuple[str, Iterator[Outcome]]]:
    """The outcomes under their headings; everything is in a folder that is gone afterwards.

    Raises:
        EAAError: a process does not start, or does not do what it is asked.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    td = SimulatedTdxGuest(SimulatedPlatform(SimulatedVendor(now=now)))
    snp = SimulatedSnpGuest(SimulatedSnpPlatform(SimulatedAmdVendor(now=now)))
    with tempfile.TemporaryDirectory(prefix="eaa-demo-") as name, verdictd(Path(name), td, snp) as scene:
        yield "Verdictd and verdict; a TDX guest asks for the key of its disk", _tdx(scene, td)
        yield "The same verdictd; an SEV-SNP guest asks for the key of its disk", _snp(scene, snp)


def _tdx(scene: Scene, td: SimulatedTdxGuest) -> Iterator[Outcome]:
    yield scene.released("good", td)
    yield scene.refused(
        "out of date", "access_denied.policy (tdx.tcb_status)", lambda: scene.fetch(_old_td(td))
    )
    changed = SimulatedTdxGuest(td.platform, mr_td=_WRONG_MR_TD)
    yield scene.refused("wrong measurement", "access_denied.policy (tdx.mr_td)", lambda: scene.fetch(changed))
    yield scene.refused("replayed", "session.spent", Guest(scene.owner.url, td).replay)
    yield scene.refused("another's path", "access_denied.policy (deny_all)", lambda: scene.fetch(td, OTHER))


def _snp(scene: Scene, snp: SimulatedSnpGuest) -> Iterator[Outcome]:
    scene.owner.set_values(_expected(parse_snp_report(snp.collect(bytes(64)))))
    Guest(scene.owner.url, snp).wait_until_affirming()
    yield scene.released("good", snp)
    yield scene.refused(
        "out of date", "access_denied.policy (snp.snp_svn)", lambda: scene.fetch(_old_snp(snp))
    )
    debugged = SimulatedSnpGuest(snp.platform, debug=True)
    yield scene.refused("debug", "access_denied.policy (snp.debug)", lambda: scene.fetch(debugged))


def _expected(report: SnpReport) -> dict[str, Any]:
    """Reference values of ``default_cpu`` that accept what ``report`` says."""
    tcb, policy, platform = report.reported_tcb, report.policy, report.platform_info
    return {
        "snp_launch_measurement": [report.body.measurement.hex()],
        "snp_bootloader": [tcb.bootloader],
        "snp_microcode": [tcb.microcode],
        "snp_snp_svn": [tcb.snp],
        "snp_tee_svn": [tcb.tee],
        "snp_smt_enabled": platform.smt_enabled,
        "snp_tsme_enabled": platform.tsme_enabled,
        "snp_guest_abi_major": policy.abi_major,
        "snp_guest_abi_minor": policy.abi_minor,
        "snp_single_socket": policy.single_socket_required,
        "snp_smt_allowed": policy.smt_allowed,
    }


def _old_td(td: SimulatedTdxGuest) -> SimulatedTdxGuest:
    platform = SimulatedPlatform(td.platform.vendor, name="old machine")
    platform.use_level(platform.tcb_info["sgx"].levels[1])
    return SimulatedTdxGuest(platform)


def _old_snp(snp: SimulatedSnpGuest) -> SimulatedSnpGuest:
    old = replace(snp.platform.tcb, snp=snp.platform.tcb.snp - 1)
    return SimulatedSnpGuest(SimulatedSnpPlatform(snp.platform.vendor, name="old machine", tcb=old))
