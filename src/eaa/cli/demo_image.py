"""The demo's encrypted image: run in an attested guest, and closed to one with another kernel."""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from eaa.attester.simulated import SimulatedPlatform, SimulatedTdxGuest
from eaa.attester.simulated_store import SimulatedStore
from eaa.cli.demo_broker_guest import Guest
from eaa.cli.demo_broker_owner import Owner
from eaa.cli.demo_cases import Shown
from eaa.cli.demo_flow_attacks import Outcome
from eaa.cli.demo_flow_processes import listening
from eaa.cli.demo_image_boot import COMMAND_LINE, Boot, demo_kernel
from eaa.cli.demo_image_guest import ImageGuest
from eaa.cli.demo_image_layout import write_layout
from eaa.cli.demo_image_pushed import pushed
from eaa.cli.demo_image_tools import Tools, find_tools

__all__ = ["image"]

_KERNEL, _CHANGED = demo_kernel("the kernel that was measured"), demo_kernel("the same with a back door")


def image() -> Iterator[tuple[str, Iterator[Outcome]]]:
    """The outcomes under their heading; everything is in a folder that is gone afterwards.

    Raises:
        EAAError: a process does not start, or does not do what it is asked.
    """
    with tempfile.TemporaryDirectory(prefix="eaa-demo-") as name:
        heading = "An encrypted image, a registry, verdictd, and attestation-agent in a TDX guest"
        yield heading, _outcomes(Path(name), find_tools(Path(name)))


def _outcomes(folder: Path, tools: Tools) -> Iterator[Outcome]:
    secret = f"the owner's data {secrets.token_hex(8)}\n".encode()
    expected = Boot(_KERNEL)
    with _verdictd(folder) as owner:
        _expect(owner, expected)
        plain = write_layout(folder / "plain", secret, tools.busybox)
        with pushed(owner, plain, tools) as (reference, outcome):
            yield outcome
            guest = ImageGuest(owner, reference, folder / "vendor", tools.runc if tools.busybox else "")
            yield guest.opens("as measured", folder / "bundle", expected, secret)
            yield guest.refused("changed kernel", folder / "none", Boot(_CHANGED), "tdx.rtmr_1")
    if tools.missing:
        yield Outcome("not as real", "note", Shown("note", "note", "; ".join(tools.missing)))


@contextmanager
def _verdictd(folder: Path) -> Iterator[Owner]:
    """Believes the simulated vendor in ``vendor``; releases, as by default, to whom its policies affirm."""
    state = folder / "state"
    options = (
        "--http", "127.0.0.1:0", "--listen", "", "--client-api", "", "--metrics", "", "--drain-seconds", "1",
        "--state-directory", str(state), "--simulated", "--simulated-dir", str(folder / "vendor"),
    )  # fmt: skip
    with listening("eaa.cli.verdictd", *options, environment={}) as url:
        yield Owner(url, state / "admin" / "admin-key.pem", folder)


def _expect(owner: Owner, boot: Boot) -> None:
    """Register what the owner computes from the kernel's file, and what is known of the machine."""
    kernel, machine = owner.folder / "vmlinuz", owner.folder / "machine.json"
    kernel.write_bytes(boot.kernel)
    computed = ("--kernel", str(kernel), "--cmdline", COMMAND_LINE)
    owner.verdict("reference", "compute", "tdx", *computed, "--register")
    vendor = SimulatedStore(owner.folder / "vendor").vendor(now=datetime.now(UTC))
    td = SimulatedTdxGuest(SimulatedPlatform(vendor), rt_mr1=boot.rtmr_1, rt_mr2=boot.rtmr_2)
    machine.write_text(json.dumps({"mr_td": [td.report.mr_td.hex()], "xfam": [td.report.xfam.hex()]}))
    owner.verdict("reference", "set", "--file", str(machine))
    Guest(owner.url, td).wait_until_affirming()
