"""The attester named ``simulated-snp``: SEV-SNP reports without hardware, with endorsements attached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from eaa.attester.device import require_report_data
from eaa.attester.simulated.amd_guest import SimulatedSnpGuest, SimulatedSnpPlatform
from eaa.attester.simulated_amd_store import ARKS_FILE, SimulatedAmdStore
from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion
from eaa.tls.instances import SIMULATED_SNP
from eaa.tls.peer import AttachedEvidence, EvidenceKind

__all__ = ["SimulatedSnpMachine", "StoredSimulatedSnpAttester"]


@dataclass(frozen=True, slots=True)
class SimulatedSnpMachine:
    """What a simulated guest runs on: ``tcb`` ``None`` is a recent one; ``version`` is that of its reports.

    ``chip`` names the machine: its keys and identifiers follow from it.
    """

    product: SnpProduct = SnpProduct.MILAN
    tcb: TcbVersion | None = None
    version: int = 5
    signing_key: SigningKey = SigningKey.VCEK
    chip: str = "platform"


@dataclass(frozen=True, slots=True)
class _Issue:
    epoch: datetime
    guest: SimulatedSnpGuest
    endorsements: SnpEndorsements


class StoredSimulatedSnpAttester:
    """Reports that verify only where the ARKs of ``store`` are named.

    Args:
        store: whose vendor signs; made at the first use, which takes seconds.
        now: the clock.
        machine: what the guest runs on.
        fields: of the report, by the names there, e.g. ``measurement`` or ``policy``.
        debug: whether the host can look into the guest.
    """

    name = SIMULATED_SNP

    def __init__(
        self,
        *,
        store: SimulatedAmdStore,
        now: Callable[[], datetime],
        machine: SimulatedSnpMachine,
        fields: Mapping[str, bytes | int],
        debug: bool,
    ) -> None:
        self.store = store
        self._now = now
        self._machine = machine
        self._fields = dict(fields)
        self._debug = debug
        self._issue: _Issue | None = None

    @property
    def warning(self) -> str:
        where = self.store.store.directory / ARKS_FILE
        return f"{self.name}: simulated evidence, believed only where {where} is named"

    def collect(self, report_data: bytes) -> AttachedEvidence:
        """A report with ``report_data``, 64 bytes, and its endorsements.

        Raises:
            ConfigError: the store cannot be used.
            UsageError
        """
        require_report_data(report_data)
        issue = self._current()
        return AttachedEvidence(EvidenceKind.SNP_REPORT, issue.guest.collect(report_data), issue.endorsements)

    def collateral(self) -> SnpEndorsements:
        """What the vendor vouches for today, for who verifies without an attester's help.

        Raises:
            ConfigError: the store cannot be used.
        """
        return self._current().endorsements

    def _current(self) -> _Issue:
        """Of the present period. Two threads may both make it: either is as good."""
        now = self._now()
        issue = self._issue
        if issue is None or issue.epoch != self.store.store.epoch(now=now):
            machine = self._machine
            platform = SimulatedSnpPlatform(
                self.store.vendor(machine.product, now=now), name=machine.chip, tcb=machine.tcb
            )
            guest = SimulatedSnpGuest(
                platform,
                version=machine.version,
                signing_key=machine.signing_key,
                debug=self._debug,
                **self._fields,
            )
            issue = self._issue = _Issue(self.store.store.epoch(now=now), guest, guest.endorsements())
        return issue
