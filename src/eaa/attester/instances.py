"""Attesters by name, and which of them work on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from eaa.attester.null import NullAttester
from eaa.attester.options import AttesterOptions
from eaa.attester.simulated.platform import Tee
from eaa.attester.simulated_amd_store import SimulatedAmdStore
from eaa.attester.simulated_attester import StoredSimulatedAttester
from eaa.attester.simulated_snp_attester import StoredSimulatedSnpAttester
from eaa.attester.ways import working
from eaa.errors import AttesterError, UnsupportedError, UsageError
from eaa.tls.instances import ATTESTERS, NULL_ATTESTER, SIMULATED_SNP, Instance, find_instance
from eaa.tls.peer import Attester

__all__ = [
    "AttesterOptions",
    "Probe",
    "Selection",
    "choose_attester",
    "probe_attesters",
    "select_attester",
]


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether an attester works here; ``reason`` says from what, or why not."""

    name: str
    available: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Selection:
    """``passed_over`` are those of higher priority that do not work here, with their reasons, for a log."""

    attester: Attester
    passed_over: tuple[Probe, ...]


def select_attester(name: str, *, root: Path, options: AttesterOptions, allow_null: bool) -> Attester:
    """The attester of :func:`choose_attester`."""
    return choose_attester(name, root=root, options=options, allow_null=allow_null).attester


def choose_attester(name: str, *, root: Path, options: AttesterOptions, allow_null: bool) -> Selection:
    """The attester by ``name``, or, if that is empty, the best that works on this machine.

    Args:
        name: as in ``ATTESTERS``, or an alias. Empty never selects one that is null or simulated.
        root: where ``dev`` and ``sys`` are: ``/``, or an emulation.
        options: for single attesters.
        allow_null: whether ``nullattester`` may be named.

    Raises:
        UsageError: no such instance, or null without ``allow_null``.
        AttesterError: its device is not there or cannot be used; or nothing works here, with all reasons.
        UnsupportedError: ``unsupported.attester``: known, and not implemented, with the reason.
        ConfigError: the store of the simulated vendor cannot be used.
    """
    if not name:
        return _automatic(root, options)
    found = find_instance(ATTESTERS, "attester", name)
    if found.name == NULL_ATTESTER:
        return Selection(_null(allow_null), ())
    if tee := _SIMULATED.get(found.name):
        return Selection(_simulated(name, tee, options), ())
    if found.name == SIMULATED_SNP:
        return Selection(_simulated_snp(options), ())
    if found.unsupported:
        raise UnsupportedError(f"attester {found.name}: {found.unsupported}", detail="attester")
    attester, reason = working(found.name, root, options)
    if attester is None:
        raise AttesterError(f"attester {found.name} does not work here: {reason}", detail="no_device")
    return Selection(attester, ())


def probe_attesters(root: Path, options: AttesterOptions | None = None) -> list[Probe]:
    """Of each attester that may be selected automatically, best first, whether it works below ``root``."""
    return [_probe(item, root, options or AttesterOptions())[0] for item in ATTESTERS if item.automatic]


def _automatic(root: Path, options: AttesterOptions) -> Selection:
    passed_over: list[Probe] = []
    for item in ATTESTERS:
        if item.automatic:
            probe, attester = _probe(item, root, options)
            if attester is not None:
                return Selection(attester, tuple(passed_over))
            passed_over.append(probe)
    reasons = "; ".join(f"{probe.name}: {probe.reason}" for probe in passed_over)
    raise AttesterError(
        f"no attester works on this machine: {reasons}",
        detail="none", reasons={probe.name: probe.reason for probe in passed_over},
    )  # fmt: skip


def _probe(item: Instance, root: Path, options: AttesterOptions) -> tuple[Probe, Attester | None]:
    if item.unsupported:
        return Probe(item.name, False, item.unsupported), None
    attester, reason = working(item.name, root, options)
    return Probe(item.name, attester is not None, reason), attester


_SIMULATED: Mapping[str, Tee] = {"simulated": "sgx", "simulated-tdx": "tdx"}


def _simulated(name: str, tee: Tee, options: AttesterOptions) -> StoredSimulatedAttester:
    return StoredSimulatedAttester(
        name,
        tee,
        store=options.store,
        now=options.now,
        fields=options.simulated_fields,
        debug=options.simulated_debug,
    )


def _simulated_snp(options: AttesterOptions) -> StoredSimulatedSnpAttester:
    snp = StoredSimulatedSnpAttester(
        store=SimulatedAmdStore(options.store),
        now=options.now,
        machine=options.simulated_machine,
        fields=options.simulated_fields,
        debug=options.simulated_debug,
    )
    # Here, and not when the first peer asks: its vendor's keys may have to be made, and verifiers that start
    # later find its roots.
    snp.collateral()
    return snp


def _null(allowed: bool) -> NullAttester:
    if not allowed:
        raise UsageError("nullattester shows no evidence; it takes --unsafe-null", detail="null_not_allowed")
    return NullAttester()
