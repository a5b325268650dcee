"""The demo's broker: verdictd and verdict as processes, simulated TDX guests that ask for a disk's key."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from eaa.attester.simulated import SimulatedPlatform, SimulatedTdxGuest, SimulatedVendor, write_collateral
from eaa.cli.demo_broker_guest import Guest
from eaa.cli.demo_broker_owner import Owner
from eaa.cli.demo_cases import ACCEPTED, Shown
from eaa.cli.demo_flow_attacks import Outcome
from eaa.cli.demo_flow_processes import listening
from eaa.errors import EAAError

__all__ = ["broker"]

_KEY, _OTHER = "disks/key/1", "payroll/key/1"
_KEY_BYTES = 32
_WRONG_MR_TD = b"\xee" * 48


def broker() -> Iterator[tuple[str, Iterator[Outcome]]]:
    """The outcomes under their heading; everything is in a folder that is gone afterwards.

    Raises:
        EAAError: a process does not start, or does not do what it is asked.
    """
    yield "Verdictd and verdict; a TDX guest asks for the key of its disk", _outcomes()


def _outcomes() -> Iterator[Outcome]:
    vendor = SimulatedVendor(now=datetime.now(UTC).replace(microsecond=0))
    td = SimulatedTdxGuest(SimulatedPlatform(vendor))
    with tempfile.TemporaryDirectory(prefix="eaa-demo-") as name, _verdictd(Path(name), td) as scene:
        yield scene.released("good", td)
        yield scene.refused(
            "out of date",
            "access_denied.policy (tdx.tcb_status)",
            lambda: _fetch(scene, _old(vendor)),
        )
        changed = SimulatedTdxGuest(td.platform, mr_td=_WRONG_MR_TD)
        yield scene.refused(
            "wrong measurement", "access_denied.policy (tdx.mr_td)", lambda: _fetch(scene, changed)
        )
        yield scene.refused("replayed", "session.spent", Guest(scene.owner.url, td).replay)
        yield scene.refused(
            "another's path", "access_denied.policy (deny_all)", lambda: _fetch(scene, td, _OTHER)
        )


@dataclass(frozen=True, slots=True)
class _Scene:
    """A verdictd that serves, who owns it, and the key that it keeps for one guest."""

    owner: Owner
    key: bytes

    def released(self, title: str, td: SimulatedTdxGuest) -> Outcome:
        """Of the guest that gets the key."""
        guest = Guest(self.owner.url, td)
        try:
            found, status = guest.fetch(_KEY)
        except EAAError as error:
            return Outcome(title, ACCEPTED, self._shown(error))
        if found != self.key:
            return Outcome(title, ACCEPTED, Shown("error", "another content", "it is not what the owner put"))
        reason = (
            f"gets {len(found)} bytes, encrypted to a key that is bound to its quote; the token says {status}"
        )
        return Outcome(title, ACCEPTED, Shown(ACCEPTED, ACCEPTED, reason))

    def refused(self, title: str, expected: str, attempt: Callable[[], object]) -> Outcome:
        """Of what must not succeed, with the reason that the owner reads."""
        try:
            attempt()
        except EAAError as error:
            return Outcome(title, expected, self._shown(error))
        return Outcome(title, expected, Shown(ACCEPTED, ACCEPTED, "it got what it asked for"))

    def _shown(self, error: EAAError) -> Shown:
        if not error.decision:
            return Shown("error", error.code, str(error))
        rules, reason = self.owner.reason(error.decision)
        code = str(error.fields["code"]) + (f" ({', '.join(rules)})" if rules else "")
        return Shown("rejected", code, f"verdict explain {error.decision}: {reason}")


@contextmanager
def _verdictd(folder: Path, td: SimulatedTdxGuest) -> Iterator[_Scene]:
    """Believes the vendor of ``td``, and has what its owner put: two keys, policies, what ``td`` runs."""
    write_collateral(td.endorsements(), folder / "collateral")
    root, state = folder / "root.pem", folder / "state"
    root.write_bytes(td.platform.vendor.root.pem)
    options = (
        "--http", "127.0.0.1:0", "--listen", "", "--client-api", "", "--metrics", "",
        "--state-directory", str(state), "--storage", f"sqlite:///{folder / 'verdictd.sqlite'}",
        "--master-key", f"file:{folder / 'master.key'}",
        "--collateral", str(folder / "collateral"), "--trust-anchor", str(root), "--drain-seconds", "1",
    )  # fmt: skip
    with listening("eaa.cli.verdictd", *options, environment={}) as url:
        scene = _Scene(Owner(url, state / "admin" / "admin-key.pem", folder), secrets.token_bytes(_KEY_BYTES))
        scene.owner.put_resource(_KEY, scene.key)
        scene.owner.put_resource(_OTHER, secrets.token_bytes(_KEY_BYTES))
        scene.owner.set_policy("resource/disks", "allow_affirming")
        scene.owner.set_policy("resource-policy", "deny_all")
        scene.owner.set_references(td.report)
        Guest(url, td).wait_until_affirming()
        yield scene


def _fetch(scene: _Scene, td: SimulatedTdxGuest, path: str = _KEY) -> object:
    return Guest(scene.owner.url, td).fetch(path)


def _old(vendor: SimulatedVendor) -> SimulatedTdxGuest:
    platform = SimulatedPlatform(vendor, name="old machine")
    platform.use_level(platform.tcb_info["sgx"].levels[1])
    return SimulatedTdxGuest(platform)
