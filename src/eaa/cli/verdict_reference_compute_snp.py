"""``verdict reference compute snp``."""

from __future__ import annotations

import click

from eaa.cli.verdict_reference_compute_output import Computed, computing
from eaa.cli.verdict_reference_compute_snp_guest import LaunchDigests, SnpGuest
from eaa.errors import ConfigError

__all__ = ["snp"]

_MONITORS = ("qemu", "ec2", "gce")


@click.command()
@click.option("--firmware", metavar="FILE", required=True, help="OVMF built for SEV-SNP.")
@click.option("--vcpus", type=click.IntRange(1, 4096), metavar="N", required=True, help="How many.")
@click.option("--vcpu-type", metavar="MODEL", required=True, help="QEMU's name, such as EPYC-Milan.")
@click.option("--vmm", type=click.Choice(_MONITORS), default="qemu", show_default=True, help="Who starts it.")
@click.option(
    "--guest-features", type=click.IntRange(0, (1 << 64) - 1), default=1, show_default=True, metavar="N",
    help="SEV_FEATURES of the VMSA: 1, or 33 where KVM swaps debug registers, as Linux 6.6 does by default.",
)  # fmt: skip
@click.option("--kernel", metavar="FILE", help="What QEMU gets as -kernel, with kernel-hashes=on.")
@click.option("--initrd", metavar="FILE", help="What QEMU gets as -initrd.")
@click.option("--cmdline", metavar="TEXT", help="What QEMU gets as -append.")
@computing
def snp(
    firmware: str, vcpus: int, vcpu_type: str, vmm: str, guest_features: int, kernel: str | None,
    initrd: str | None, cmdline: str | None,
) -> Computed:  # fmt: skip
    """The launch digest of an SEV-SNP guest, by the library sev-snp-measure (extra snp-measure)."""
    if kernel is None and (initrd is not None or cmdline is not None):
        raise click.UsageError("--initrd and --cmdline go with --kernel")
    guest = SnpGuest(firmware, vcpus, vcpu_type, vmm, guest_features, kernel, initrd, cmdline or "")
    return Computed({"snp_launch_measurement": [_library().launch_digest(guest).hex()]})


def _library() -> LaunchDigests:
    try:
        from eaa.cli.verdict_reference_compute_snp_library import SevSnpMeasure  # noqa: PLC0415 - optional
    except ImportError as error:
        raise ConfigError(
            "the launch digest needs sev-snp-measure: pip install eaa[snp-measure]", key="snp-measure"
        ) from error
    return SevSnpMeasure()
