"""Options about SEV and SEV-ES, and about Hygon CSV."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from eaa.appraisal.policy_psp import CsvPolicy, SevPolicy
from eaa.cli.options import with_options
from eaa.cli.snp_options import Abi

__all__ = ["psp_options", "psp_policies"]

F = TypeVar("F", bound=Callable[..., Any])

_SEV, _CSV = SevPolicy(), CsvPolicy()
_WANTED = sorted(_SEV.required_guest_policy | _CSV.required_guest_policy | _CSV.refused_guest_policy)
_OPTIONS = (
    click.option(
        "--allow-guest-policy", type=click.Choice(_WANTED, case_sensitive=False), multiple=True,
        metavar="NAME",
        help="SEV, CSV: put up with a guest policy that is without this bit, or, of ASID_REUSE, with it: "
        f"{', '.join(_WANTED)}. Repeatable.",
    ),
    click.option(
        "--require-csv3", is_flag=True, help="CSV: refuse guests whose memory the host can write."
    ),
    click.option(
        "--minimum-api", type=Abi(), metavar="M.N",
        help="SEV, CSV: least API of the firmware that the guest policy asks for.",
    ),
    click.option(
        "--minimum-build", type=click.IntRange(0, 0xFFFFFFFF), metavar="N",
        help="CSV: least build of the firmware; only reports of version 2 name it.",
    ),
)  # fmt: skip


def psp_options(command: F) -> F:
    """Adds the options, which :func:`psp_policies` reads."""
    return with_options(command, _OPTIONS)


def psp_policies(options: Mapping[str, Any]) -> tuple[SevPolicy, CsvPolicy]:
    """The policies that the options say."""
    allowed = frozenset(options["allow_guest_policy"])
    csv3 = frozenset({"CSV3"}) if options["require_csv3"] else frozenset[str]()
    sev = SevPolicy(
        required_guest_policy=_SEV.required_guest_policy - allowed, minimum_api=options["minimum_api"]
    )
    csv = CsvPolicy(
        required_guest_policy=_CSV.required_guest_policy - allowed | csv3,
        refused_guest_policy=_CSV.refused_guest_policy - allowed,
        minimum_api=options["minimum_api"],
        minimum_build=options["minimum_build"],
    )
    return sev, csv
