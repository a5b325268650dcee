"""``verdict reference compute init-data``."""

from __future__ import annotations

import click

from eaa.broker.kbs.init_data import expected_register, parse_init_data
from eaa.broker.kbs.tees import Tee
from eaa.cli.files import load_input
from eaa.cli.verdict_reference_compute_output import Computed, computing
from eaa.errors import FormatError

__all__ = ["init_data"]

_REGISTERS = {Tee.TDX: "MRCONFIGID", Tee.SGX: "CONFIGID", Tee.SNP: "HOST_DATA"}


@click.command("init-data")
@click.argument("file", metavar="FILE|-")
@click.option(
    "--tee", "tees", type=click.Choice([tee.value for tee in _REGISTERS]), multiple=True,
    default=("tdx",), show_default=True, help="Whose register; may be given again.",
)  # fmt: skip
@computing
def init_data(file: str, tees: tuple[str, ...]) -> Computed:
    """What a TEE's register holds that is started with the init-data FILE, a TOML text."""
    try:
        parsed = parse_init_data(load_input(file).decode())
    except UnicodeDecodeError:
        raise FormatError("not UTF-8", what="init-data", field="body", detail="not_toml") from None
    registers = {Tee(name): expected_register(Tee(name), parsed.digest).hex() for name in tees}
    notes = (
        f"the {parsed.algorithm.value} digest is {parsed.digest.hex()}",
        *(f"{_REGISTERS[tee]} of {tee.value}: {value}" for tee, value in registers.items()),
    )
    return Computed({"init_data": list(registers.values())}, notes)
