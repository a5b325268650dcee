"""``/dev/sev-guest``, emulated as the driver behaves: by address, with its two error codes."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from eaa.attester.sev_guest import SNP_GET_EXT_REPORT, SevGuestAttester
from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.errors import AttesterError, UsageError
from eaa.evidence.snp_certificates import TableEntry, TableName, encode_certificate_table
from eaa.tls.peer import EvidenceKind
from tests.fakes.amd_vendor import SnpKind, make_snp_guest
from tests.fakes.tsm import snp_report_of

REPORT_DATA = bytes(range(64))
TABLE = b"certificates".ljust(8192, b"\0")


class Driver:
    """``table`` is what the host supplies; ``status`` the firmware's; ``growth`` added after each call."""

    def __init__(self, table: bytes = b"") -> None:
        self.table = table
        self.status = 0
        self.error = 0
        self.growth = 0
        self.needed: int | None = None
        self.report_size = 0x4A0
        self.vmm_error = self.fw_error = 0
        self.sign: Callable[[bytes], bytes] | None = None
        self.requests: list[int] = []

    def __call__(self, descriptor: int, request: int, argument: bytearray) -> None:
        self.requests.append(request)
        if self.error:
            argument[24:32] = self.fw_error.to_bytes(4, "little") + self.vmm_error.to_bytes(4, "little")
            raise OSError(self.error, os.strerror(self.error))
        version, asked, answer, _, _ = struct.unpack("<B7xQQII", argument)
        assert version == 1
        report_data, vmpl = (
            ctypes.string_at(asked, 64),
            int.from_bytes(ctypes.string_at(asked + 64, 4), "little"),
        )
        if request == SNP_GET_EXT_REPORT and self.table:
            self._table(asked, argument)
        report = snp_report_of(report_data, vmpl) if self.sign is None else self.sign(report_data)
        response = struct.pack("<II24x", self.status, self.report_size) + report
        ctypes.memmove(answer, response.ljust(4000, b"\0"), 4000)

    def _table(self, asked: int, argument: bytearray) -> None:
        address, length = struct.unpack("<QI", ctypes.string_at(asked + 96, 12))
        table, self.table = self.table, self.table + bytes(self.growth)
        if length < len(table):
            needed = len(table) if self.needed is None else self.needed
            ctypes.memmove(asked + 104, needed.to_bytes(4, "little"), 4)
            argument[28:32] = (1).to_bytes(4, "little")  # SNP_GUEST_VMM_ERR_INVALID_LEN
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        ctypes.memmove(address, table, len(table))


def attester(root: Path, driver: Driver, privlevel: int | None = None) -> SevGuestAttester:
    (root / "dev").mkdir(exist_ok=True)
    (root / "dev/sev-guest").touch()
    return SevGuestAttester(root=root, privlevel=privlevel, ioctl=driver, pause=lambda _: None)


def paged(entries: Sequence[TableEntry]) -> bytes:
    """A table as hosts supply it, up to the end of its last page."""
    table = encode_certificate_table(entries)
    return table.ljust(-len(table) % 4096 + len(table), b"\0")


def test_request_code() -> None:
    assert 3 << 30 | 32 << 16 | ord("S") << 8 | 2 == SNP_GET_EXT_REPORT


def test_report(tmp_path: Path) -> None:
    driver = Driver()
    snp = attester(tmp_path, driver, privlevel=1)
    assert snp.probe() is None
    evidence = snp.collect(REPORT_DATA)
    assert (evidence.kind, evidence.evidence) == (EvidenceKind.SNP_REPORT, snp_report_of(REPORT_DATA, 1))
    assert evidence.collateral is None
    assert driver.requests == [SNP_GET_EXT_REPORT]


@pytest.mark.parametrize("kind", ["milan-v5", "milan-vlek-v3"])
def test_the_hosts_certificates_are_attached(tmp_path: Path, kind: SnpKind) -> None:
    guest = make_snp_guest(kind)
    driver = Driver(paged(guest.collect_extended(REPORT_DATA).certificates))
    driver.sign = guest.collect
    found = attester(tmp_path, driver).collect(REPORT_DATA)
    assert found.collateral == replace(guest.endorsements(), crl=None)
    assert isinstance(found.collateral, SnpEndorsements)
    assert found.evidence == guest.collect(REPORT_DATA)


def test_a_table_without_a_vek_attaches_nothing(tmp_path: Path) -> None:
    guest = make_snp_guest()
    entries = guest.collect_extended(REPORT_DATA).certificates
    others = [entry for entry in entries if entry.name is not TableName.VCEK]
    driver = Driver(paged([*others, TableEntry(bytes(range(16)), b"what a host likes")]))
    driver.sign = guest.collect
    assert attester(tmp_path, driver).collect(REPORT_DATA).collateral is None


def test_a_table_that_is_none(tmp_path: Path) -> None:
    driver = Driver(TABLE)
    with pytest.raises(AttesterError, match="do not fit together: SNP certificate table") as caught:
        attester(tmp_path, driver).collect(REPORT_DATA)
    assert caught.value.code == "attester.answer"


@pytest.mark.parametrize(("table", "calls"), [(b"", 1), (TABLE, 2)])
def test_certificate_table(tmp_path: Path, table: bytes, calls: int) -> None:
    driver = Driver(table)
    report = attester(tmp_path, driver).report(REPORT_DATA)
    assert (report.report, report.certificate_table) == (snp_report_of(REPORT_DATA), table)
    assert driver.requests == [SNP_GET_EXT_REPORT] * calls


def test_a_table_that_grows(tmp_path: Path) -> None:
    driver = Driver(TABLE)
    driver.growth = 4096
    with pytest.raises(AttesterError, match="grew between two requests") as caught:
        attester(tmp_path, driver).report(REPORT_DATA)
    assert caught.value.code == "attester.busy"


@pytest.mark.parametrize("needed", [0, 100, 0x5000])
def test_a_table_of_an_impossible_size(tmp_path: Path, needed: int) -> None:
    driver = Driver(TABLE)
    driver.needed = needed
    with pytest.raises(AttesterError, match=f"table of {needed} bytes is not possible"):
        attester(tmp_path, driver).report(REPORT_DATA)


def test_firmware_status(tmp_path: Path) -> None:
    driver = Driver()
    driver.status = 0x16
    with pytest.raises(AttesterError, match="status 0x16") as caught:
        attester(tmp_path, driver).collect(REPORT_DATA)
    assert caught.value.code == "attester.firmware"


@pytest.mark.parametrize("size", [0x49F, 0x4A1])
def test_another_size(tmp_path: Path, size: int) -> None:
    driver = Driver()
    driver.report_size = size
    with pytest.raises(AttesterError, match=f"1184 bytes, came {size}"):
        attester(tmp_path, driver).collect(REPORT_DATA)


@pytest.mark.parametrize(
    ("number", "code", "text"),
    [
        (errno.EIO, "attester.firmware", "kernel's log"),
        (errno.ENOTTY, "attester.unknown_request", "restart the guest"),
    ],
)
def test_what_the_driver_says(tmp_path: Path, number: int, code: str, text: str) -> None:
    driver = Driver()
    driver.error = number
    with pytest.raises(AttesterError, match=text) as caught:
        attester(tmp_path, driver).report(REPORT_DATA)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("firmware", "vmm", "code", "text"),
    [
        (0x16, 0, "attester.firmware", "the firmware reported 0x16, the host 0x0"),
        (0, 7, "attester.firmware", "the firmware reported 0x0, the host 0x7"),
        (0, 2, "attester.busy", "the host is busy"),
    ],
)
def test_what_firmware_and_host_say(tmp_path: Path, firmware: int, vmm: int, code: str, text: str) -> None:
    driver = Driver()
    driver.error, driver.fw_error, driver.vmm_error = errno.EIO, firmware, vmm
    with pytest.raises(AttesterError, match=text) as caught:
        attester(tmp_path, driver).collect(REPORT_DATA)
    assert caught.value.code == code
    assert len(driver.requests) == (4 if vmm == 2 else 1)


def test_no_device(tmp_path: Path) -> None:
    snp = SevGuestAttester(root=tmp_path)
    for call in (snp.collect, snp.report):
        with pytest.raises(AttesterError, match="there is no /dev/sev-guest"):
            call(REPORT_DATA)


def test_report_data_is_64_bytes(tmp_path: Path) -> None:
    snp = attester(tmp_path, Driver())
    for call in (snp.collect, snp.report):
        with pytest.raises(UsageError):
            call(bytes(63))
