"""``/dev/csv-guest``, emulated as the driver behaves: by address, with one buffer for request and answer."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SM3, Hash

from eaa.attester.csv_guest import CSV_CMD_GET_REPORT, HSK_CEK_FOLDER, CsvGuestAttester
from eaa.attester.simulated.hygon_vendor import SimulatedCsvGuest
from eaa.errors import AttesterError, UsageError
from eaa.evidence.hygon_csv_evidence import parse_csv_evidence
from eaa.tls.peer import EvidenceKind
from tests.fakes.hygon_vendor import CSV_KINDS, CsvKind, make_csv_guest

REPORT_DATA = bytes(range(64))
PAGE = 4096


class Driver:
    """What stands behind the device: ``guest`` answers; ``answer`` and ``error`` in its place."""

    def __init__(self, guest: SimulatedCsvGuest) -> None:
        self.guest = guest
        self.error = 0
        self.answer: bytes | None = None
        self.report_data: bytes | None = None
        self.nonces: list[bytes] = []

    def __call__(self, descriptor: int, request: int, argument: bytearray) -> None:
        assert request == CSV_CMD_GET_REPORT
        address, length = struct.unpack("<Qi4x", argument)
        assert length == PAGE
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        data, nonce, digest = (
            ctypes.string_at(address + offset, size) for offset, size in ((0, 64), (64, 16), (80, 32))
        )
        expected = Hash(SM3())
        expected.update(data + nonce)
        assert digest == expected.finalize()
        assert ctypes.string_at(address + 112, PAGE - 112) == bytes(PAGE - 112)
        self.nonces.append(nonce)
        self.guest.mnonce = nonce
        answer = self.answer or self.guest.collect(self.report_data or data)
        ctypes.memmove(address, answer, PAGE)


def attester(root: Path, driver: Driver) -> CsvGuestAttester:
    (root / "dev").mkdir(exist_ok=True)
    (root / "dev/csv-guest").touch()
    return CsvGuestAttester(root=root, ioctl=driver)


def put_chip(root: Path, data: bytes) -> None:
    folder = root / HSK_CEK_FOLDER / "SIMULATED0000001"
    folder.mkdir(parents=True)
    (folder / "hsk_cek.cert").write_bytes(data)


def refused(csv: CsvGuestAttester, code: str, text: str) -> None:
    with pytest.raises(AttesterError, match=text) as caught:
        csv.collect(REPORT_DATA)
    assert caught.value.code == code


def test_request_code() -> None:
    assert 3 << 30 | 16 << 16 | ord("D") << 8 | 1 == CSV_CMD_GET_REPORT


@pytest.mark.parametrize("kind", CSV_KINDS)
def test_report(tmp_path: Path, kind: CsvKind) -> None:
    driver = Driver(make_csv_guest(kind))
    csv = attester(tmp_path, driver)
    assert csv.probe() is None
    found = [csv.collect(REPORT_DATA) for _ in range(2)]
    assert driver.nonces[0] != driver.nonces[1]
    for evidence, nonce in zip(found, driver.nonces, strict=True):
        report = parse_csv_evidence(evidence.evidence).report
        assert (evidence.kind, evidence.collateral) == (EvidenceKind.CSV_REPORT, None)
        assert (report.tee_info.report_data, report.tee_info.mnonce) == (REPORT_DATA, nonce)


def test_the_chips_certificates_come_with_it(tmp_path: Path) -> None:
    guest = make_csv_guest()
    put_chip(tmp_path, guest.platform.hsk_cek)
    found = parse_csv_evidence(attester(tmp_path, Driver(guest)).collect(REPORT_DATA).evidence)
    assert (found.hsk, found.cek) == (guest.platform.vendor.hsk.raw, guest.platform.cek.raw)


@pytest.mark.parametrize("data", [b"", b"no certificates", bytes(2916), bytes(4000)])
def test_certificates_that_are_none(tmp_path: Path, data: bytes) -> None:
    put_chip(tmp_path, data)
    refused(attester(tmp_path, Driver(make_csv_guest())), "attester.answer", "hsk_cek.cert: ")


def test_a_serial_number_is_no_path(tmp_path: Path) -> None:
    guest = make_csv_guest()
    guest.platform.serial_number = "../../../etc"
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hsk_cek.cert").write_bytes(b"somebody else's file")
    found = parse_csv_evidence(attester(tmp_path, Driver(guest)).collect(REPORT_DATA).evidence)
    assert (found.hsk, found.cek) == (None, None)


def test_an_answer_to_another_question(tmp_path: Path) -> None:
    driver = Driver(make_csv_guest())
    driver.report_data = bytes(64)
    refused(attester(tmp_path, driver), "attester.busy", "other report data, or another nonce")
    driver = Driver(make_csv_guest())
    driver.answer = make_csv_guest().collect(REPORT_DATA)
    refused(attester(tmp_path, driver), "attester.busy", "other report data, or another nonce")


def test_a_signer_that_the_host_changed(tmp_path: Path) -> None:
    guest = make_csv_guest()
    guest.mac = bytes(32)
    refused(attester(tmp_path, Driver(guest)), "attester.answer", "HMAC of the report's signer")


def test_no_report(tmp_path: Path) -> None:
    driver = Driver(make_csv_guest())
    driver.answer = bytes(PAGE)
    refused(attester(tmp_path, driver), "attester.answer", "no CSV report that is known here")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EIO, "attester.firmware"),
        (errno.ENOTTY, "attester.unknown_request"),
        (errno.EINVAL, "attester.refused"),
    ],
)
def test_what_the_driver_says(tmp_path: Path, number: int, code: str) -> None:
    driver = Driver(make_csv_guest())
    driver.error = number
    refused(attester(tmp_path, driver), code, "/dev/csv-guest: requesting a report")


def test_no_device(tmp_path: Path) -> None:
    csv = CsvGuestAttester(root=tmp_path)
    assert csv.probe() == "there is no /dev/csv-guest"
    refused(csv, "attester.no_device", "there is no /dev/csv-guest")


def test_report_data_is_64_bytes(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        attester(tmp_path, Driver(make_csv_guest())).collect(bytes(63))
