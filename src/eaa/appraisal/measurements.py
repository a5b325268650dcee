"""The comparison of a report with the reference values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from eaa.appraisal.finding import Finding, finding
from eaa.appraisal.reference_fields import FIELDS, Report, read_field
from eaa.appraisal.reference_values import Alternative, Pin, ReferenceValues

__all__ = ["Comparison", "compare"]

_APPROVED_AT_BOOT, _NOT_RECOGNISED = 3, 33  # executables [AR4SI §2.3.4]
_APPROVED = {"executables": 0, "configuration": 3, "hardware": 2, "instance_identity": 2}
#: What a TD has started once its firmware handed over: kernel, command line, initrd.
_BOOTED = ("rt_mr1", "rt_mr2")


@dataclass(frozen=True, slots=True)
class Comparison:
    """The outcomes, and the alternative that they are about: the one that is met, else the closest."""

    findings: tuple[Finding, ...]
    alternative: Alternative | None

    def pins_bits(self, name: str, came: bytes, bits: bytes) -> bool:
        """Whether an accepted value of field ``name`` that ``came`` matches compares all of ``bits``."""
        pin = self.alternative.pin(name) if self.alternative else None
        return pin is not None and any(
            all(mask & bit == bit for mask, bit in zip(pattern.mask, bits, strict=True))
            for pattern in pin.matching(came)
        )


def compare(tee: str, report: Report, values: ReferenceValues | None) -> Comparison:
    """``report`` against the alternatives of ``tee``.

    Of several alternatives none of which is met, the one with the fewest mismatches is reported, the
    first of them if there are more: most likely it is the one that was meant.
    """
    if values is None:
        return Comparison((_not_compared(),), None)
    alternatives = values.of(tee)
    if not alternatives:
        return Comparison((_no_values(tee),), None)
    closest = min(alternatives, key=lambda item: len(_mismatches(item, report)))
    return Comparison(tuple(_findings(closest, report, len(alternatives))), closest)


def _mismatches(alternative: Alternative, report: Report) -> list[Pin]:
    return [pin for pin in alternative.pins if not pin.matches(read_field(report, pin.name))]


def _findings(alternative: Alternative, report: Report, count: int) -> Iterator[Finding]:
    mismatches = _mismatches(alternative, report)
    for pin in alternative.pins:
        yield _compared(alternative, pin, report, count, matches=pin not in mismatches)
    if alternative.tee == "tdx" and not all(alternative.pin(name) for name in _BOOTED):
        yield finding(
            "boot_chain", "rt_mr1, rt_mr2", "-", "not compared", "note",
            "rt_mr1 and rt_mr2 were not both compared: what the firmware started is unknown",
        )  # fmt: skip
    elif not mismatches:
        # What runs later is the business of the code that was measured.
        yield finding(
            "measurements", "measurements", "a reference value", "equal", "pass",
            "all reference values are met", ("executables", _APPROVED_AT_BOOT),
        )  # fmt: skip


def _compared(alternative: Alternative, pin: Pin, report: Report, count: int, *, matches: bool) -> Finding:
    field = FIELDS[alternative.tee][pin.name]
    came = _text(read_field(report, pin.name))
    if matches:
        asserts = (field.aspect, _APPROVED[field.aspect])
        return finding(pin.name, pin.name, str(pin), came, "pass", f"{pin.name} is {came}", asserts)
    message = f"{pin.name} is {came}, expected {pin}"
    if count > 1:
        message += f" (closest of {count} alternatives)"
    return finding(pin.name, pin.name, str(pin), came, "fail", message, (field.aspect, field.mismatch))


def _text(value: bytes | int | None) -> str:
    if value is None:
        return "not in this report"
    return value.hex() if isinstance(value, bytes) else str(value)


def _not_compared() -> Finding:
    return finding(
        "measurements", "measurements", "-", "not compared", "note",
        "no measurement was compared: no reference values were given",
    )  # fmt: skip


def _no_values(tee: str) -> Finding:
    return finding(
        "reference_values", "tee", "a reference value", tee, "fail",
        f"no reference value for {tee}", ("executables", _NOT_RECOGNISED),
    )  # fmt: skip
