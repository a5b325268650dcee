"""Options that name fields of a TD report, and the values given with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from eaa.appraisal.reference_fields import FIELDS
from eaa.appraisal.reference_values import Pattern
from eaa.cli.params import HexBytes

__all__ = ["TD_FIELDS", "given_patterns", "td_options"]

F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:
    _PatternType = click.ParamType[Pattern]
else:  # generic in newer releases of click only
    _PatternType = click.ParamType

#: What can be compared besides MRTD, in the order of reference values.
TD_FIELDS = ("rt_mr0", "rt_mr1", "rt_mr2", "rt_mr3", "mr_seam", "td_attributes", "xfam")
_WORDS = {
    "mr_td": "MRTD, 48 bytes. Alone it is recorded; with --from-quote, what the file must say.",
    **{f"rt_mr{n}": f"RTMR{n}, 48 bytes: compared and recorded with MRTD." for n in range(4)},
    "mr_seam": "MRSEAM of the TDX module, 48 bytes: likewise.",
    "td_attributes": "ATTRIBUTES, 8 bytes; with a mask only the bits set in it: likewise.",
    "xfam": "XFAM, 8 bytes; with a mask only the bits set in it: likewise.",
}


class HexPattern(_PatternType):
    """Hexadecimal of exactly ``length`` bytes, where ``masked`` perhaps with ``/`` and a mask of as many."""

    name = "pattern"

    def __init__(self, length: int, *, masked: bool) -> None:
        self._hex = HexBytes(length)
        self._masked = masked

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Pattern:
        if isinstance(value, Pattern):
            return value
        text, separator, mask_text = value.partition("/")
        wanted = self._hex.convert(text, param, ctx)
        if not separator:
            return Pattern(wanted, b"\xff" * len(wanted))
        if not self._masked:
            self.fail("takes no mask", param, ctx)
        mask = self._hex.convert(mask_text, param, ctx)
        if not any(mask):
            self.fail("has a mask of zeros, which compares nothing", param, ctx)
        if any(byte & ~bits for byte, bits in zip(wanted, mask, strict=True)):
            self.fail("has bits that its mask leaves out", param, ctx)
        return Pattern(wanted, mask)


def td_options(function: F) -> F:
    """``--mr-td`` and an option for each of :data:`TD_FIELDS`, as patterns, and ``--field``."""
    function = click.option(
        "--field", "fields", multiple=True, type=click.Choice(TD_FIELDS), metavar="NAME",
        help="With --from-quote: record this field of the TD report too, as the file says it. Repeatable.",
    )(function)  # fmt: skip
    for name in reversed(("mr_td", *TD_FIELDS)):
        field = FIELDS["tdx"][name]
        function = click.option(
            f"--{name.replace('_', '-')}",
            type=HexPattern(field.length, masked=field.masked),
            metavar="HEX[/MASK]" if field.masked else "HEX",
            help=_WORDS[name],
        )(function)
    return function


def given_patterns(options: Mapping[str, Any]) -> dict[str, Pattern]:
    """The patterns among click's ``options``, by field, in the order of reference values."""
    return {name: options[name] for name in ("mr_td", *TD_FIELDS) if options[name] is not None}
