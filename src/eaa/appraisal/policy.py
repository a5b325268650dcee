"""The appraisal policy for Evidence [RFC9334 §8.5]: what an owner accepts beyond genuineness."""

from __future__ import annotations

import re
from dataclasses import dataclass

from eaa.appraisal.policy_psp import CsvPolicy, SevPolicy
from eaa.appraisal.policy_snp import SnpPolicy
from eaa.appraisal.reference_values import ReferenceValues
from eaa.endorsements.tcb import TcbStatus
from eaa.errors import UsageError

__all__ = ["MAX_GRACE_DAYS", "Policy"]

#: Ten years. A larger number is a slip, e.g. of seconds for days.
MAX_GRACE_DAYS = 3650
#: As Intel writes them in TCB info. A misspelt id would never match, and so never refuse anything.
_ADVISORY_ID = re.compile(r"INTEL-[A-Z]{2,8}-[0-9]{5}")
_SNP, _SEV, _CSV = SnpPolicy(), SevPolicy(), CsvPolicy()


@dataclass(frozen=True, slots=True)
class Policy:
    """What is acceptable. The defaults accept a platform that is up to date, and nothing under debug.

    Attributes:
        accepted_statuses: of Intel's converged TCB; ``Revoked`` is never acceptable.
        grace_days: how many days a platform that is out of date is tolerated. Counted from the TCB
            recovery that each part lacks, see :mod:`eaa.appraisal.rules_tcb`, or AMD's bulletin, see
            :mod:`eaa.appraisal.rules_snp_tcb`.
        min_evaluation_data_number: of the TCB info and QE identity that were used.
        refused_advisories: e.g. ``INTEL-SA-00837``; refused if they apply to the platform's level.
        allow_debug: accept enclaves, TDs and guests that the host can look into. For development only.
        reference_values: what code and configuration must be; ``None``: not compared, and said so.
        snp, sev, csv: what else is accepted of AMD SEV-SNP, of SEV and SEV-ES, and of Hygon CSV.

    Raises:
        UsageError: a value that could never be meant.
    """

    accepted_statuses: frozenset[TcbStatus] = frozenset({TcbStatus.UP_TO_DATE})
    grace_days: int = 0
    min_evaluation_data_number: int | None = None
    refused_advisories: frozenset[str] = frozenset()
    allow_debug: bool = False
    reference_values: ReferenceValues | None = None
    snp: SnpPolicy = _SNP
    sev: SevPolicy = _SEV
    csv: CsvPolicy = _CSV

    def __post_init__(self) -> None:
        _require_statuses(self.accepted_statuses)
        _require_number("grace_days", self.grace_days, MAX_GRACE_DAYS)
        if self.min_evaluation_data_number is not None:
            _require_number("min_evaluation_data_number", self.min_evaluation_data_number, 0xFFFFFFFF)
        _require_advisories(self.refused_advisories)
        if type(self.allow_debug) is not bool:
            raise _error("allow_debug", f"expected True or False, came {self.allow_debug!r:.40}")
        if not isinstance(self.reference_values, ReferenceValues | None):
            raise _error("reference_values", "expected ReferenceValues, see parse_reference_values()")
        for name, kind in (("snp", SnpPolicy), ("sev", SevPolicy), ("csv", CsvPolicy)):
            if not isinstance(getattr(self, name), kind):
                raise _error(name, f"expected a {kind.__name__}")


def _require_statuses(statuses: frozenset[TcbStatus]) -> None:
    if not isinstance(statuses, frozenset) or not all(isinstance(item, TcbStatus) for item in statuses):
        raise _error("accepted_statuses", "expected a frozenset of TcbStatus")
    if not statuses:
        raise _error("accepted_statuses", "without any status nothing is ever accepted")
    if TcbStatus.REVOKED in statuses:
        raise _error("accepted_statuses", "Revoked cannot be accepted: the platform's keys may be known")


def _require_number(name: str, value: int, maximum: int) -> None:
    if type(value) is not int or not 0 <= value <= maximum:
        raise _error(name, f"expected an integer from 0 to {maximum}, came {value!r:.40}")


def _require_advisories(advisories: frozenset[str]) -> None:
    # A plain string is iterable too: its letters would be taken for ids.
    if not isinstance(advisories, frozenset):
        raise _error("refused_advisories", "expected a frozenset of ids")
    for item in sorted(advisories, key=str):
        if not isinstance(item, str) or not _ADVISORY_ID.fullmatch(item):
            raise _error("refused_advisories", f"expected ids such as INTEL-SA-00837, came {item!r:.40}")


def _error(field: str, message: str) -> UsageError:
    return UsageError(f"policy: {field}: {message}", detail=f"policy_{field}", field=field)
