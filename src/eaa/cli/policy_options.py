"""Options of the appraisal policy that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from eaa.appraisal.policy import MAX_GRACE_DAYS
from eaa.cli.options import with_options

__all__ = ["policy_options"]

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--grace-days",
        type=click.IntRange(0, MAX_GRACE_DAYS),
        default=0,
        show_default=True,
        metavar="N",
        help="Tolerate what is out of date for this many days after the TCB recovery that made it so.",
    ),
    click.option(
        "--min-eval-number",
        type=click.IntRange(0, 0xFFFFFFFF),
        metavar="N",
        help="Refuse endorsements with a TCB evaluation data number below this.",
    ),
    click.option(
        "--refuse-advisory",
        multiple=True,
        metavar="ID",
        help="Refuse a platform to which this advisory applies. Repeatable.",
    ),
)


def policy_options(command: F) -> F:
    """Adds ``--grace-days``, ``--min-eval-number`` and ``--refuse-advisory``."""
    return with_options(command, _OPTIONS)
