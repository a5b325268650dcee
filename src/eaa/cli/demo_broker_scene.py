"""The demo's verdictd: what it believes, what its owner put, and what comes of guests that ask."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eaa.attester.simulated import SimulatedTdxGuest, write_collateral
from eaa.attester.simulated.amd_guest import SimulatedSnpGuest
from eaa.cli.demo_broker_guest import Guest, Machine
from eaa.cli.demo_broker_owner import Owner
from eaa.cli.demo_cases import ACCEPTED, Shown
from eaa.cli.demo_flow_attacks import Outcome
from eaa.cli.demo_flow_processes import listening
from eaa.errors import EAAError

__all__ = ["KEY", "OTHER", "Scene", "verdictd"]

KEY, OTHER = "disks/key/1", "payroll/key/1"
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Scene:
    """A verdictd that serves, who owns it, and the key that it keeps for one guest."""

    owner: Owner
    key: bytes

    def released(self, title: str, machine: Machine) -> Outcome:
        """Of the guest that gets the key."""
        guest = Guest(self.owner.url, machine)
        try:
            found, status = guest.fetch(KEY)
        except EAAError as error:
            return Outcome(title, ACCEPTED, self._shown(error))
        if found != self.key:
            return Outcome(title, ACCEPTED, Shown("error", "another content", "it is not what the owner put"))
        reason = f"gets {len(found)} bytes, encrypted to a key in its evidence; the token says {status}"
        return Outcome(title, ACCEPTED, Shown(ACCEPTED, ACCEPTED, reason))

    def fetch(self, machine: Machine, path: str = KEY) -> object:
        """What ``machine`` gets.

        Raises:
            EAAError: the broker refuses.
        """
        return Guest(self.owner.url, machine).fetch(path)

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
def verdictd(folder: Path, td: SimulatedTdxGuest, snp: SimulatedSnpGuest) -> Iterator[Scene]:
    """Believes the vendors of both, and has what its owner put: two keys, policies, what ``td`` runs."""
    write_collateral(td.endorsements(), folder / "collateral")
    roots, state = folder / "roots.pem", folder / "state"
    roots.write_bytes(td.platform.vendor.root.pem + snp.platform.vendor.ark.pem)
    options = (
        "--http", "127.0.0.1:0", "--listen", "", "--client-api", "", "--metrics", "",
        "--state-directory", str(state), "--storage", f"sqlite:///{folder / 'verdictd.sqlite'}",
        "--master-key", f"file:{folder / 'master.key'}",
        "--collateral", str(folder / "collateral"), "--trust-anchor", str(roots), "--drain-seconds", "1",
    )  # fmt: skip
    with listening("eaa.cli.verdictd", *options, environment={}) as url:
        scene = Scene(Owner(url, state / "admin" / "admin-key.pem", folder), secrets.token_bytes(_KEY_BYTES))
        scene.owner.put_resource(KEY, scene.key)
        scene.owner.put_resource(OTHER, secrets.token_bytes(_KEY_BYTES))
        scene.owner.set_policy("resource/disks", "allow_affirming")
        scene.owner.set_policy("resource-policy", "deny_all")
        scene.owner.set_references(td.report)
        Guest(url, td).wait_until_affirming()
        yield scene
