"""``verdict reference compute sgx``."""

from __future__ import annotations

from typing import Any

import click

from eaa.cli.measured import Measured, from_sigstruct
from eaa.cli.verdict_reference_compute_output import Computed, computing
from eaa.errors import BindingError

__all__ = ["sgx"]


@click.command()
@click.argument("file", metavar="FILE|-")
@click.option("--enclave", metavar="FILE", help="Its pages, to be measured: encl.bin or SGXS.")
@click.option(
    "--ssa-frame-pages", type=click.IntRange(1, 255), metavar="N", help="Of encl.bin.  [default: tried]"
)
@click.option(
    "--by-signer", is_flag=True, help="In place of this enclave: its signer's product, from this version on."
)
@computing
def sgx(file: str, enclave: str | None, ssa_frame_pages: int | None, by_signer: bool) -> Computed:
    """MRENCLAVE of FILE, a SIGSTRUCT or an enclave.signed.so, whose signature is verified.

    With --by-signer: MRSIGNER, ISVPRODID, and ISVSVN as the least. A policy that finds both in the reference
    values accepts either.
    """
    measured = from_sigstruct(file, enclave, ssa_frame_pages)
    if measured.reasons:
        raise BindingError(measured.reasons[0], detail="pages")
    return Computed(_values(measured, by_signer), tuple(measured.notes))


def _values(measured: Measured, by_signer: bool) -> dict[str, Any]:
    if not by_signer:
        return {"sgx_mr_enclave": [value.hex() for value in measured.measurements]}
    pins = measured.alternative(signer=True).pins
    signer, product, least = (pin.to_json() for pin in pins)
    return {"sgx_mr_signer": [signer], "sgx_isv_prod_id": [product], "sgx_minimum_isv_svn": least}
