"""``verdict reference compute``: what an owner should expect, before anything is deployed."""

from __future__ import annotations

import click

from eaa.cli.verdict_reference_compute_evidence import evidence
from eaa.cli.verdict_reference_compute_init_data import init_data
from eaa.cli.verdict_reference_compute_log import event_log
from eaa.cli.verdict_reference_compute_sgx import sgx
from eaa.cli.verdict_reference_compute_snp import snp
from eaa.cli.verdict_reference_compute_tdx import tdx

__all__ = ["compute"]


@click.group()
def compute() -> None:
    """Compute reference values from what will be deployed, and with --register set them.

    \b
    Examples:
      verdict reference compute sgx enclave.signed.so --register
      verdict reference compute tdx --firmware OVMF.fd --kernel vmlinuz --cmdline "console=hvc0"
      verdict reference compute event-log ccel.bin --quote quote.bin -o json
    """


for _command in (sgx, tdx, event_log, evidence, snp, init_data):
    compute.add_command(_command)
