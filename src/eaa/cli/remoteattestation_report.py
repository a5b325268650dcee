"""From what was seen of a node to what is said about it: was the code compared, and with what."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from eaa.appraisal.alternatives import by_measurement
from eaa.appraisal.reference_values import ReferenceValues
from eaa.appraisal.result import AttestationResult
from eaa.cli.mrverify_text import entry_fields
from eaa.cli.remoteattestation_ask import Failure, Seen
from eaa.cli.remoteattestation_proven import forwarder_fields, is_simulated, measurement_of, notes_of
from eaa.cli.rules import appraisal_rules
from eaa.cli.verdict import Verdict, verified_fields
from eaa.storage.reference_store import ReferenceStore
from eaa.verify.claims import rfc3339

__all__ = ["References", "Report", "conclude", "conclude_all"]

#: Appraisal's name of the rule that there are reference values for this TEE.
_NONE_RECORDED = "reference_values"
_REJECTED = 10
_MAX_LABEL_DIGITS = 12
#: What records a measurement, and what it is called, by TEE.
_OPTIONS = {
    "sgx": "--mr-enclave", "tdx": "--mr-td", "snp": "--snp-measurement", "csv": "--csv-measure",
}  # fmt: skip
_NAMES = {"sgx": "MRENCLAVE", "tdx": "MRTD", "snp": "launch measurement", "csv": "launch measurement"}


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What the code is compared with.

    ``source`` is for people. ``any`` compares nothing; ``record`` accepts what is seen first.
    ``store_option`` is what ``--store`` was given, for the command that is shown.
    """

    source: str
    values: ReferenceValues | None
    store: ReferenceStore
    store_option: str | None = None
    any: bool = False
    record: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The verdict on one node's workload. ``forwarder`` is who answered for it, as far as it was proven."""

    address: str
    verdict: Verdict
    measurement: str | None = None
    reference: str | None = None
    forwarder: dict[str, Any] | None = None
    recorded: dict[str, Any] | None = None
    record_command: str | None = None

    @property
    def accepted(self) -> bool:
        return self.verdict.exit_code == 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "address": self.address,
            **self.verdict.to_dict(),
            "measurement": self.measurement,
            "reference": self.reference,
            "forwarder": self.forwarder,
            "recorded": self.recorded,
            "record_command": self.record_command,
        }


def conclude_all(
    seen: Sequence[Seen], references: References, *, direct: bool, notes: Sequence[str]
) -> list[Report]:
    """A report of each node. On first contact with several nodes they must run the same code.

    Raises:
        ConfigError, StorageError: what is to be recorded cannot be.
    """
    if references.record:
        first = {
            (item.result.verified.tee, measurement_of(item.result))
            for item in seen
            if item.result is not None and _unrecorded(item, references)
        }
        if len(first) > 1:
            # Of several that are new, nobody knows which is meant.
            references = replace(references, record=False)
            notes = [*notes, "nothing was recorded: the nodes run different code, and none of it is known"]
    return [conclude(item, references, direct=direct, notes=notes) for item in seen]


def conclude(seen: Seen, references: References, *, direct: bool, notes: Sequence[str] = ()) -> Report:
    """The report of one node; with ``record``, what it runs is recorded if nothing is yet.

    Raises:
        ConfigError, StorageError
    """
    notes = [*notes, *notes_of(seen, any_code=references.any, direct=direct)]
    result = seen.result
    if result is None:
        failure = seen.failure or Failure(
            "rejected", "nothing_proven", _REJECTED,
            "nothing was proven about the workload: the null verifier asks for no evidence",
        )  # fmt: skip
        verdict = _verdict(seen, failure, notes)
        return Report(address=seen.address, verdict=verdict, forwarder=forwarder_fields(seen, direct=direct))
    known: dict[str, Any] = {
        "address": seen.address,
        "measurement": measurement_of(result).hex(),
        "forwarder": forwarder_fields(seen, direct=direct),
    }
    if _unrecorded(seen, references):
        return _first_contact(seen, result, references, known, notes)
    if seen.failure is not None:
        return Report(verdict=_verdict(seen, seen.failure, notes), reference=references.source, **known)
    return Report(
        verdict=_accepted(seen, result, references, direct, notes),
        reference=None if references.any else references.source,
        **known,
    )


def _unrecorded(seen: Seen, references: References) -> bool:
    """Whether everything holds, and there is no reference value that the code could be compared with."""
    if seen.result is None or references.any:
        return False
    if seen.failure is None:
        return references.values is None
    return [rule.rule for rule in seen.result.failed] == [_NONE_RECORDED]


def _first_contact(
    seen: Seen, result: AttestationResult, references: References, known: dict[str, Any], notes: list[str]
) -> Report:
    measurement, tee = measurement_of(result), result.verified.tee
    if references.record:
        recorded = references.store.record(
            by_measurement(tee, measurement),
            label=f"{tee}-{measurement.hex()[:_MAX_LABEL_DIGITS]}",
            source=f"first contact with {seen.address}",
            recorded_at=seen.at,
        )
        notes = [
            "trusted on first contact: this code was compared with nothing, and is expected from now on",
            *notes,
        ]
        accepted = Failure("accepted", "accepted.first_contact", 0, f"recorded in {references.store.file}")
        fields = {**entry_fields(recorded.entry), "new": recorded.new}
        return Report(verdict=_verdict(seen, accepted, notes), recorded=fields, **known)
    conjunction = "and" if is_simulated(result) else "but"
    command = _record_command(tee, measurement, references)
    reason = (
        f"the {tee.upper()} hardware is {_kind(result)}, {conjunction} the code was NOT compared: "
        f"there is no reference value for it in {references.source}\n"
        f"if it is the code that you expect, record it:\n  {command}"
    )
    failure = Failure("rejected", f"appraisal.{_NONE_RECORDED}", _REJECTED, reason)
    return Report(verdict=_verdict(seen, failure, notes), record_command=command, **known)


def _record_command(tee: str, measurement: bytes, references: References) -> str:
    option = _OPTIONS[tee]
    store = f" --store {shlex.quote(references.store_option)}" if references.store_option else ""
    return f"shelter mrverify {option} {measurement.hex()}{store}"


def _accepted(
    seen: Seen, result: AttestationResult, references: References, direct: bool, notes: list[str]
) -> Verdict:
    tee = result.verified.tee.upper()
    code = (
        f"any {_NAMES[result.verified.tee]} was accepted"
        if references.any
        else f"its code is that of {references.source}"
    )
    bound = "the TLS key of this channel" if direct else "a nonce of this run and a TLS key of its own"
    reason = f"the workload runs in {_kind(result)} {tee} hardware, {code}; its evidence is bound to {bound}"
    return _verdict(seen, Failure("accepted", "accepted", 0, reason), notes)


def _kind(result: AttestationResult) -> str:
    return "simulated" if is_simulated(result) else "genuine"


def _verdict(seen: Seen, outcome: Failure, notes: Sequence[str]) -> Verdict:
    known: dict[str, Any] = {}
    if seen.result is not None:
        known = verified_fields(seen.result.verified)
        known |= {"rules": appraisal_rules(seen.result), "result": seen.result.to_dict()}
    return Verdict(
        **known,
        verdict=outcome.verdict,
        code=outcome.code,
        exit_code=outcome.exit_code,
        reasons=[outcome.reason],
        notes=list(dict.fromkeys(notes)),
        verified_at=rfc3339(seen.at),
    )
