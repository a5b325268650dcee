"""Launch digests by the library ``sev-snp-measure``, whose options are names of files."""

from __future__ import annotations

from sevsnpmeasure import guest as library
from sevsnpmeasure.sev_mode import SevMode
from sevsnpmeasure.vcpu_types import CPU_SIGS
from sevsnpmeasure.vmm_types import VMMType

from eaa.cli.verdict_reference_compute_snp_guest import SnpGuest
from eaa.errors import FormatError, UsageError

__all__ = ["SevSnpMeasure"]

_MONITORS = {"qemu": VMMType.QEMU, "ec2": VMMType.ec2, "gce": VMMType.gce}


class SevSnpMeasure:
    """What the library computes, its errors as ours."""

    def launch_digest(self, guest: SnpGuest) -> bytes:
        """See :class:`~eaa.cli.verdict_reference_compute_snp_guest.LaunchDigests`."""
        if guest.vcpu_type not in CPU_SIGS:
            raise UsageError(f"{guest.vcpu_type!a:.40} is none of {', '.join(CPU_SIGS)}", detail="vcpu_type")
        try:
            digest: bytes = library.calc_launch_digest(
                SevMode.SEV_SNP, guest.vcpus, CPU_SIGS[guest.vcpu_type], guest.firmware, guest.kernel or "",
                guest.initrd or "", guest.command_line, guest.guest_features,
                vmm_type=_MONITORS[guest.monitor],
            )  # fmt: skip
        except OSError as error:
            raise UsageError(
                f"cannot read {error.filename!r}: {error.strerror}", detail="unreadable"
            ) from None
        except (ValueError, RuntimeError, AssertionError) as error:
            raise FormatError(
                f"cannot be measured: {error or type(error).__name__}", what=guest.firmware, field="firmware",
                detail="snp_firmware",
            ) from None  # fmt: skip
        return digest
