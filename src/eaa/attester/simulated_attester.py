"""The attester named ``simulated``: evidence without hardware, with its vendor's endorsements attached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from eaa.attester.device import require_report_data
from eaa.attester.simulated import SimulatedPlatform, SimulatedSgxEnclave, SimulatedTdxGuest
from eaa.attester.simulated.platform import Tee
from eaa.attester.simulated.quoting_enclave import SimulatedQuotingEnclave
from eaa.attester.simulated_store import SimulatedStore
from eaa.endorsements.collateral import IntelCollateral
from eaa.evidence.sgx import EnclaveReport
from eaa.tls.peer import AttachedEvidence, EvidenceKind

__all__ = ["StoredSimulatedAttester"]


@dataclass(frozen=True, slots=True)
class _Issue:
    epoch: datetime
    attester: SimulatedSgxEnclave | SimulatedTdxGuest
    collateral: IntelCollateral


class _SettledPlatform(SimulatedPlatform):
    """Nobody changes this one: what does not differ between its quotes is signed once."""

    @cached_property
    def pck_chain(self) -> bytes:
        return super().pck_chain

    def vouch(self, enclave: SimulatedQuotingEnclave) -> tuple[EnclaveReport, bytes]:
        known = self._vouched.get(enclave)
        if known is None:
            known = self._vouched[enclave] = super().vouch(enclave)
        return known

    @cached_property
    def _vouched(self) -> dict[SimulatedQuotingEnclave, tuple[EnclaveReport, bytes]]:
        return {}


class StoredSimulatedAttester:
    """Quotes that verify only where the root of ``store`` is named.

    Args:
        name: of the instance.
        tee: ``"sgx"`` or ``"tdx"``.
        store: whose vendor signs; made at the first use.
        now: the clock.
        fields: of the report, by the names there, e.g. ``mr_enclave`` or ``rt_mr3``.
        debug: whether it says of itself that it can be looked into.
    """

    def __init__(
        self,
        name: str,
        tee: Tee,
        *,
        store: SimulatedStore,
        now: Callable[[], datetime],
        fields: Mapping[str, Any],
        debug: bool,
    ) -> None:
        self.name = name
        self.store = store
        self._tee: Tee = tee
        self._now = now
        self._fields = dict(fields)
        self._debug = debug
        self._issue: _Issue | None = None

    @property
    def warning(self) -> str:
        return (
            f"{self.name}: simulated evidence, believed only where {self.store.directory}/root.pem is named"
        )

    def collect(self, report_data: bytes) -> AttachedEvidence:
        """A quote with ``report_data``, 64 bytes, and its collateral.

        Raises:
            ConfigError: the store cannot be used.
            UsageError
        """
        require_report_data(report_data)
        issue = self._current()
        kind = EvidenceKind.SGX_QUOTE if self._tee == "sgx" else EvidenceKind.TDX_QUOTE
        return AttachedEvidence(kind, issue.attester.collect(report_data), issue.collateral)

    def collateral(self) -> IntelCollateral:
        """What the vendor vouches for today, for who verifies without an attester's help.

        Raises:
            ConfigError: the store cannot be used.
        """
        return self._current().collateral

    def _current(self) -> _Issue:
        """Of the present period. Two threads may both make it: the same bytes."""
        now = self._now()
        issue = self._issue
        if issue is None or issue.epoch != self.store.epoch(now=now):
            platform = _SettledPlatform(self.store.vendor(now=now))
            make = SimulatedSgxEnclave if self._tee == "sgx" else SimulatedTdxGuest
            attester = make(platform, debug=self._debug, **self._fields)
            issue = _Issue(self.store.epoch(now=now), attester, attester.endorsements())
            self._issue = issue
        return issue
