"""The launch measurement: right only with digest, policy, firmware, nonce and key of this very launch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eaa.errors import BindingError, FormatError, UsageError
from eaa.evidence.psp_policy import SevGuestPolicy
from eaa.evidence.sev_launch import SevFirmware, kernel_hashes_table, launch_digest, parse_sev_launch_measure
from eaa.verify.sev_launch import verify_launch_measurement
from tests.fakes.sev_vendor import MNONCE, make_sev_guest

TIK, FIRMWARE = bytes(range(100, 116)), SevFirmware(1, 49, 6)


def test_the_launch_that_was_measured() -> None:
    guest = make_sev_guest("rome-es")
    launch = verify_launch_measurement(
        guest.launch_measure(TIK, FIRMWARE, MNONCE),
        tik=TIK, firmware=FIRMWARE, policy=guest.policy, digest=guest.launch_digest,
    )  # fmt: skip
    assert (launch.firmware, launch.policy, launch.mnonce) == (FIRMWARE, guest.policy, MNONCE)


@pytest.mark.parametrize(
    ("tik", "firmware", "policy", "digest"),
    [
        (bytes(16), FIRMWARE, None, None),
        (TIK, replace(FIRMWARE, api_major=2), None, None),
        (TIK, replace(FIRMWARE, api_minor=50), None, None),
        (TIK, replace(FIRMWARE, build=7), None, None),
        (TIK, FIRMWARE, SevGuestPolicy(0), None),
        (TIK, FIRMWARE, None, bytes(32)),
    ],
)
def test_any_other_value(
    tik: bytes, firmware: SevFirmware, policy: SevGuestPolicy | None, digest: bytes | None
) -> None:
    guest = make_sev_guest("rome-es")
    with pytest.raises(BindingError) as caught:
        verify_launch_measurement(
            guest.launch_measure(TIK, FIRMWARE, MNONCE),
            tik=tik, firmware=firmware, policy=policy or guest.policy, digest=digest or guest.launch_digest,
        )  # fmt: skip
    assert caught.value.code == "binding.launch_measurement"


@pytest.mark.parametrize("bit", range(0, 48 * 8, 7))
def test_a_flipped_bit(bit: int) -> None:
    guest = make_sev_guest()
    data = bytearray(guest.launch_measure(TIK, FIRMWARE, MNONCE))
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BindingError):
        verify_launch_measurement(
            bytes(data), tik=TIK, firmware=FIRMWARE, policy=guest.policy, digest=guest.launch_digest
        )


def test_lengths() -> None:
    guest = make_sev_guest()
    for size in (0, 47, 49):
        with pytest.raises(FormatError):
            parse_sev_launch_measure(bytes(size))
    for tik, digest in ((bytes(15), bytes(32)), (TIK, bytes(31))):
        with pytest.raises(UsageError):
            verify_launch_measurement(
                bytes(48), tik=tik, firmware=FIRMWARE, policy=guest.policy, digest=digest
            )
    with pytest.raises(UsageError):
        guest.launch_measure(TIK, FIRMWARE, bytes(15))
    with pytest.raises(UsageError):
        launch_digest(b"firmware", vmsas=[bytes(4095)])


def test_what_is_measured_matters() -> None:
    table = kernel_hashes_table(b"kernel", b"initrd", b"cmdline")
    digests = {
        launch_digest(b"firmware"),
        launch_digest(b"firmware", table),
        launch_digest(b"firmware", table, [bytes(4096)]),
        launch_digest(b"firmware", kernel_hashes_table(b"kernel", b"initrd", b"cmdline2")),
        launch_digest(b"firmware", kernel_hashes_table(b"kernel", b"initrd2", b"cmdline")),
        launch_digest(b"firmware", kernel_hashes_table(b"kernel2", b"initrd", b"cmdline")),
    }
    assert len(digests) == 6
    assert len(table) % 16 == 0
