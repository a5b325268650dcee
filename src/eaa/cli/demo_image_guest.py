"""The demo's guest: attestation-agent in a simulated TD, which pulls, opens and runs the image."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from eaa.attester.simulated_store import ENVIRONMENT_VARIABLE
from eaa.cli.demo_broker_owner import Owner
from eaa.cli.demo_cases import ACCEPTED, Shown
from eaa.cli.demo_flow_attacks import Outcome
from eaa.cli.demo_flow_processes import Done, run_to_end
from eaa.cli.demo_image_boot import Boot
from eaa.cli.demo_image_layout import SECRET_FILE
from eaa.cli.simulated_fields import SIMULATED_RTMR_1, SIMULATED_RTMR_2

__all__ = ["ImageGuest"]

#: As the agent names a refusal: its code, and the broker's decision.
_REFUSED = re.compile(r"\(code (\w+\.\w+), id ([0-9A-Z]+)\)")
_RUN_SECONDS = 20.0
_ACCEPT = '{"default": [{"type": "insecureAcceptAnything"}]}'


@dataclass(frozen=True, slots=True)
class ImageGuest:
    """Pulls ``reference`` with keys from the verdictd of ``owner``; of the simulated vendor in ``vendor``.

    ``runc`` is ``""`` where the image cannot be run.
    """

    owner: Owner
    reference: str
    vendor: Path
    runc: str

    def opens(self, title: str, bundle: Path, boot: Boot, secret: bytes) -> Outcome:
        """Of the guest that gets the key; its image shows ``secret``."""
        done = self._pull(bundle, boot)
        if done.code:
            return Outcome(title, ACCEPTED, self._shown(done))
        shown, how = self._contents(bundle)
        if shown != secret:
            return Outcome(title, ACCEPTED, Shown("error", "another content", f"{how}: {shown!r:.200}"))
        reason = f"pulled, opened and unpacked; {how}: {secret.decode().strip()}"
        return Outcome(title, ACCEPTED, Shown(ACCEPTED, ACCEPTED, reason))

    def refused(self, title: str, bundle: Path, boot: Boot, rule: str) -> Outcome:
        """Of the guest for whom ``rule`` does not hold: nothing is unpacked."""
        expected = f"access_denied.policy ({rule})"
        done = self._pull(bundle, boot)
        if done.code == 0 or bundle.exists():
            return Outcome(title, expected, Shown(ACCEPTED, ACCEPTED, "the image was opened"))
        return Outcome(title, expected, self._shown(done))

    def _pull(self, bundle: Path, boot: Boot) -> Done:
        policy = self.owner.folder / "image-policy.json"
        policy.write_text(_ACCEPT)
        measured = {SIMULATED_RTMR_1: boot.rtmr_1.hex(), SIMULATED_RTMR_2: boot.rtmr_2.hex()}
        return run_to_end(
            "eaa.cli.attestation_agent", "--aa-kbc-params", f"cc_kbc::{self.owner.url}",
            "--attester", "simulated-tdx",
            "pull", self.reference, "--into", str(bundle), "--policy", str(policy),
            environment={ENVIRONMENT_VARIABLE: str(self.vendor), **measured},
        )  # fmt: skip

    def _contents(self, bundle: Path) -> tuple[bytes, str]:
        """What the image says when it runs, or, where it does not, what it would; and which of the two."""
        if self.runc:
            state = self.owner.folder / "runc"
            ran = subprocess.run(  # noqa: S603 - the program that was found, no shell
                [self.runc, "--root", str(state), "run", "--bundle", str(bundle), f"eaa-demo-{os.getpid()}"],
                stdin=subprocess.DEVNULL, capture_output=True, timeout=_RUN_SECONDS, check=False,
            )  # fmt: skip
            if ran.returncode == 0:
                return ran.stdout, "runc runs it, and it says"
            last = ran.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            why = f"runc does not run it on this machine ({last:.120}); its file says"
        else:
            why = "its file says"
        return (bundle / "rootfs" / SECRET_FILE).read_bytes(), why

    def _shown(self, done: Done) -> Shown:
        """With the first rule that did not hold: others are of an event log, which there is none of."""
        last = done.err.strip().rpartition("\n")[2]
        if not (found := _REFUSED.search(last)):
            return Shown("error", f"exit code {done.code}", last)
        code, decision = found.groups()
        rules, reason = self.owner.reason(decision)
        words = f"verdict explain {decision}: {reason.partition('; ')[0]}; every layer stays closed"
        return Shown("rejected", f"{code} ({rules[0]})" if rules else code, words)
