"""Options about SEV-SNP: the part of the policy that is its own, and AMD's revocation list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from eaa.appraisal.minimum_tcb import parse_minimum_tcb
from eaa.appraisal.policy_snp import SnpPolicy
from eaa.cli.options import with_options
from eaa.errors import UsageError
from eaa.evidence.snp_bits import GUEST_POLICY_BITS, PLATFORM_INFO_BITS
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion

__all__ = ["SNP_OPTIONS", "Abi", "MinimumTcb", "snp_options", "snp_policy"]

F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:
    _TcbType = click.ParamType[tuple[SnpProduct, TcbVersion]]
    _AbiType = click.ParamType[tuple[int, int]]
else:  # generic in newer releases of click only
    _TcbType = _AbiType = click.ParamType

_MAX = 0xFF


class MinimumTcb(_TcbType):
    """``Milan:snp=29,microcode=219``, see :func:`parse_minimum_tcb`."""

    name = "tcb"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[SnpProduct, TcbVersion]:
        if isinstance(value, tuple):
            return value
        if not isinstance(value, str):  # a file's: a number has no product
            self.fail(f"{value!r} is not PRODUCT:PART=N,…", param, ctx)
        try:
            return parse_minimum_tcb(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


class Abi(_AbiType):
    """``1.55``."""

    name = "abi"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        if not isinstance(value, str):  # a file's: 1.50 as a number is 1.5
            self.fail(f"{value!r} is not a version in quotes, such as '1.55'", param, ctx)
        major, _, minor = value.partition(".")
        for number in (major, minor):
            if not (number.isascii() and number.isdigit() and int(number) <= _MAX):
                self.fail(f"{value!r} is not a version such as 1.55", param, ctx)
        return int(major), int(minor)


_GUEST = click.Choice([name for name in GUEST_POLICY_BITS.values() if name != "DEBUG"], case_sensitive=False)
_PLATFORM = click.Choice(list(PLATFORM_INFO_BITS.values()), case_sensitive=False)
_OPTIONS = (
    click.option(
        "--minimum-tcb", type=MinimumTcb(), multiple=True, metavar="PRODUCT:PART=N,…",
        help="SNP: least reported and launch TCB of Milan, Genoa or Turin. Repeatable, once for each.",
    ),
    click.option(
        "--accept-advisory", multiple=True, metavar="ID",
        help="SNP: accept a platform that lacks the fixes of this bulletin, such as AMD-SB-3027. Repeatable.",
    ),
    click.option("--require-vcek", is_flag=True, help="SNP: refuse reports that a cloud's VLEK signed."),
    click.option(
        "--allow-masked-chip-id", is_flag=True, help="SNP: accept reports that leave the chip id out."
    ),
    click.option(
        "--allow-provisional-firmware", is_flag=True, help="SNP: accept firmware that is not committed."
    ),
    click.option(
        "--allow-missing-crl", is_flag=True,
        help="SNP: verify without AMD's revocation list; whether a key was revoked is then unknown.",
    ),
    click.option(
        "--allow-migration-agent", is_flag=True, help="SNP: accept guests that a migration agent may move."
    ),
    click.option(
        "--require-guest-policy", type=_GUEST, multiple=True, metavar="NAME",
        help=f"SNP: a bit that the guest policy must have: {', '.join(_GUEST.choices)}. Repeatable.",
    ),
    click.option(
        "--refuse-guest-policy", type=_GUEST, multiple=True, metavar="NAME",
        help="SNP: a bit that the guest policy must not have. Repeatable.",
    ),
    click.option(
        "--require-platform-info", type=_PLATFORM, multiple=True, metavar="NAME",
        help=f"SNP: what the platform must have: {', '.join(_PLATFORM.choices)}. Repeatable.",
    ),
    click.option(
        "--refuse-platform-info", type=_PLATFORM, multiple=True, metavar="NAME",
        help="SNP: what the platform must not have. Repeatable.",
    ),
    click.option(
        "--minimum-abi", type=Abi(), metavar="M.N", help="SNP: least ABI that the guest policy asks for."
    ),
    click.option(
        "--max-vmpl", type=click.IntRange(0, 3), default=0, show_default=True, metavar="N",
        help="SNP: highest VMPL of who asked for the report.",
    ),
    click.option(
        "--require-mitigations", type=click.IntRange(0, (1 << 64) - 1), default=0, metavar="MASK",
        help="SNP: bits that both mitigation vectors must have; reports before version 5 have none.",
    ),
)  # fmt: skip


#: The names that :func:`snp_policy` reads.
SNP_OPTIONS = (
    "minimum_tcb",
    "accept_advisory",
    "require_vcek",
    "allow_masked_chip_id",
    "allow_provisional_firmware",
    "allow_migration_agent",
    "require_guest_policy",
    "refuse_guest_policy",
    "require_platform_info",
    "refuse_platform_info",
    "minimum_abi",
    "max_vmpl",
    "require_mitigations",
)


def snp_options(command: F) -> F:
    """Adds the options, which :func:`snp_policy` reads, and ``--allow-missing-crl``."""
    return with_options(command, _OPTIONS)


def snp_policy(options: Mapping[str, Any]) -> SnpPolicy:
    """The policy that the options say.

    Raises:
        UsageError: they contradict each other, or an id is misspelt.
    """
    migration = frozenset[str]() if options["allow_migration_agent"] else frozenset({"MIGRATE_MA"})
    required = frozenset(options["require_guest_policy"])
    return SnpPolicy(
        accepted_advisories=frozenset(item.upper() for item in options["accept_advisory"]),
        minimum_tcb=tuple(options["minimum_tcb"]),
        allow_provisional_firmware=options["allow_provisional_firmware"],
        require_vcek=options["require_vcek"],
        allow_masked_chip_id=options["allow_masked_chip_id"],
        required_guest_policy=required,
        refused_guest_policy=migration | frozenset(options["refuse_guest_policy"]),
        required_platform_info=frozenset(options["require_platform_info"]),
        refused_platform_info=frozenset(options["refuse_platform_info"]),
        minimum_abi=options["minimum_abi"],
        max_vmpl=options["max_vmpl"],
        required_mitigations=options["require_mitigations"],
    )
