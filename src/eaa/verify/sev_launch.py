"""The launch measurement of SEV and SEV-ES, which only the guest's owner can verify [SEV-API 6.5].

Owner and firmware share the key (TIK) through a session with the platform's PDH. Who verifies the platform's
chain with its PDH, makes a session for exactly that PDH and then finds the HMAC right, knows which firmware,
policy and digest the guest was launched with, before handing it a secret.
"""

from __future__ import annotations

from dataclasses import dataclass

from eaa.errors import BindingError
from eaa.evidence.psp_policy import SevGuestPolicy
from eaa.evidence.sev_launch import SevFirmware, launch_measurement, parse_sev_launch_measure
from eaa.verify.primitives import equal

__all__ = ["VerifiedSevLaunch", "verify_launch_measurement"]


@dataclass(frozen=True, slots=True)
class VerifiedSevLaunch:
    """A launch by whoever holds the TIK; constructed only here.

    Not established: that the session was with the PDH of a genuine platform, which is the caller's to know.
    """

    firmware: SevFirmware
    policy: SevGuestPolicy
    launch_digest: bytes
    mnonce: bytes


def verify_launch_measurement(
    data: bytes, *, tik: bytes, firmware: SevFirmware, policy: SevGuestPolicy, digest: bytes
) -> VerifiedSevLaunch:
    """The measurement in ``data``, 48 bytes, if it is of exactly this launch.

    Args:
        data: as LAUNCH_MEASURE returns it: HMAC and nonce.
        tik: transport integrity key of the session, 16 bytes.
        firmware: the version that the platform claims.
        policy: that the session was made with.
        digest: the launch digest that is expected, 32 bytes.

    Raises:
        FormatError
        UsageError: a value of another length.
        BindingError: any one of the values is another.
    """
    measure = parse_sev_launch_measure(data)
    expected = launch_measurement(tik, firmware, policy, digest, measure.mnonce)
    if not equal(expected, measure.measure):
        raise BindingError(
            "the launch measurement is not the expected one: another digest, policy, firmware or key",
            detail="launch_measurement",
        )
    return VerifiedSevLaunch(firmware, policy, digest, measure.mnonce)
