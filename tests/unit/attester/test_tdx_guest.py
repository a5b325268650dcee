"""``/dev/tdx_guest``, emulated."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from eaa.attester.device import kernel_ioctl
from eaa.attester.tdx_guest import TDX_CMD_GET_REPORT0, TdxGuestAttester
from eaa.errors import AttesterError, UsageError
from eaa.tls.peer import EvidenceKind

REPORT_DATA = bytes(range(64))


def iowr(kind: str, number: int, size: int) -> int:
    """``_IOWR`` of ``asm-generic/ioctl.h``."""
    return 3 << 30 | size << 16 | ord(kind) << 8 | number


def device(root: Path, name: str = "dev/tdx_guest") -> Path:
    (root / "dev").mkdir(exist_ok=True)
    (root / name).touch()
    return root


def answering(descriptor: int, request: int, argument: bytearray) -> None:
    assert (request, len(argument)) == (TDX_CMD_GET_REPORT0, 1088)
    argument[64 + 128 : 64 + 192] = argument[:64]


def test_request_code() -> None:
    assert iowr("T", 1, 64 + 1024) == TDX_CMD_GET_REPORT0


@pytest.mark.parametrize("name", ["dev/tdx_guest", "dev/tdx-guest", "dev/tdx-attest"])
def test_report(tmp_path: Path, name: str) -> None:
    attester = TdxGuestAttester(root=device(tmp_path, name), ioctl=answering)
    assert attester.probe() is None
    evidence = attester.collect(REPORT_DATA)
    assert (evidence.kind, len(evidence.evidence)) == (EvidenceKind.TDX_REPORT, 1024)
    assert evidence.evidence[128:192] == REPORT_DATA


def test_no_device(tmp_path: Path) -> None:
    attester = TdxGuestAttester(root=tmp_path)
    assert "there is no /dev/tdx_guest" in str(attester.probe())
    with pytest.raises(AttesterError, match="/dev/tdx_guest or /dev/tdx-guest") as caught:
        attester.collect(REPORT_DATA)
    assert caught.value.code == "attester.no_device"


def test_a_device_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "dev/tdx_guest").mkdir(parents=True)
    with pytest.raises(AttesterError, match="/dev/tdx_guest: opening it"):
        TdxGuestAttester(root=tmp_path).collect(REPORT_DATA)


def test_report_data_is_64_bytes(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="64 bytes, came 63"):
        TdxGuestAttester(root=device(tmp_path), ioctl=answering).collect(REPORT_DATA[1:])


def test_another_report(tmp_path: Path) -> None:
    with pytest.raises(AttesterError, match="other report data") as caught:
        TdxGuestAttester(root=device(tmp_path), ioctl=lambda *_: None).collect(REPORT_DATA)
    assert caught.value.code == "attester.busy"


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOTTY, "attester.unknown_request"), (errno.EIO, "attester.firmware")]
)
def test_what_the_driver_says(tmp_path: Path, number: int, code: str) -> None:
    def failing(descriptor: int, request: int, argument: bytearray) -> None:
        os.fstat(descriptor)
        raise OSError(number, os.strerror(number))

    with pytest.raises(AttesterError, match="/dev/tdx_guest: TDX_CMD_GET_REPORT0") as caught:
        TdxGuestAttester(root=device(tmp_path), ioctl=failing).collect(REPORT_DATA)
    assert caught.value.code == code


def test_the_real_ioctl_on_what_is_no_device(tmp_path: Path) -> None:
    with pytest.raises(AttesterError, match=r"\(ENOTTY\)"):
        TdxGuestAttester(root=device(tmp_path), ioctl=kernel_ioctl).collect(REPORT_DATA)
