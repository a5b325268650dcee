"""``/dev/csv-guest``: attestation reports of a Hygon CSV guest [LINUX-CSV].

One request: a buffer of which the driver takes the first 112 bytes, user data, nonce and their SM3, and into
which the firmware's report is written. Who reads the report knows by nonce and HMAC that it is the answer.
The chip's certificates are taken from ``/opt/csv/hsk_cek``, where librats keeps them, if they are there.

Emulated, not proven on hardware.
"""

from __future__ import annotations

import ctypes
import secrets
import struct
from dataclasses import replace

from cryptography.hazmat.primitives.hashes import SM3, Hash

from eaa.attester.device import (
    DeviceAttester,
    device_errors,
    find_device,
    opened,
    require_report_data,
)
from eaa.attester.sources import CSV_GUEST
from eaa.endorsements.hygon_endorsements import parse_hsk_cek
from eaa.errors import AttesterError, FormatError
from eaa.evidence.hygon_csv import CSV_PAGE_BYTES, CsvReport, parse_csv_report
from eaa.evidence.hygon_csv_evidence import HSK_CEK_BYTES, CsvEvidence
from eaa.tls.peer import AttachedEvidence, EvidenceKind
from eaa.verify.sm2 import sm3_mac_holds

__all__ = ["CSV_CMD_GET_REPORT", "HSK_CEK_FOLDER", "CsvGuestAttester"]

#: ``_IOWR('D', 1, struct csv_report_req)``, 16 bytes: address and length of the buffer.
CSV_CMD_GET_REPORT = 0xC0104401
#: ``<serial number>/hsk_cek.cert`` is what Hygon's service returns for the chip [LIBRATS csv].
HSK_CEK_FOLDER = "opt/csv/hsk_cek"
_REQUEST = struct.Struct("<Qi4x")
_NONCE_BYTES = 16


class CsvGuestAttester(DeviceAttester):
    """CSV reports."""

    name = "csv"
    source = CSV_GUEST

    def collect(self, report_data: bytes) -> AttachedEvidence:
        """A report with ``report_data``, 64 bytes, and its chip's certificates if this machine has them.

        Raises:
            AttesterError, UsageError
        """
        require_report_data(report_data)
        path = find_device(self._root, self.source)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        page = self._ask(path, report_data, nonce)
        try:
            report = parse_csv_report(page, restored=False)
        except FormatError as error:
            raise AttesterError(
                f"/{path}: the answer is no CSV report that is known here: {error}",
                detail="answer", device=f"/{path}",
            ) from None  # fmt: skip
        self._require_own(report, report_data, nonce, f"/{path}")
        evidence = self._with_chip(CsvEvidence(report))
        return AttachedEvidence(EvidenceKind.CSV_REPORT, evidence.encode())

    def _ask(self, path: str, report_data: bytes, nonce: bytes) -> bytes:
        asked = report_data + nonce
        digest = Hash(SM3())
        digest.update(asked)
        buffer = ctypes.create_string_buffer(asked + digest.finalize(), CSV_PAGE_BYTES)
        argument = bytearray(_REQUEST.pack(ctypes.addressof(buffer), CSV_PAGE_BYTES))
        with (
            opened(self._root, path, writes=True) as descriptor,
            device_errors(f"/{path}", "requesting a report"),
        ):
            self._ioctl(descriptor, CSV_CMD_GET_REPORT, argument)
        return buffer.raw

    @staticmethod
    def _require_own(report: CsvReport, report_data: bytes, nonce: bytes, device: str) -> None:
        info, covered = report.tee_info, report.mac_input
        if (info.report_data, info.mnonce) != (report_data, nonce):
            raise AttesterError(
                f"{device}: the report is of other report data, or another nonce, than asked for: try again",
                detail="busy", device=device,
            )  # fmt: skip
        if covered is None or not sm3_mac_holds(nonce, covered, report.signer.mac):
            raise AttesterError(
                f"{device}: the HMAC of the report's signer does not verify: the host changed it",
                detail="answer", device=device,
            )  # fmt: skip

    def _with_chip(self, evidence: CsvEvidence) -> CsvEvidence:
        """With HSK and CEK; whoever verifies needs them, and may have them already.

        Raises:
            AttesterError: the file is there, and is not what its name says.
        """
        name = evidence.report.serial_number
        # What the host says is not a path.
        if not name.isalnum():
            return evidence
        file = f"{HSK_CEK_FOLDER}/{name}/hsk_cek.cert"
        with device_errors(f"/{file}", "reading it"):
            try:
                with (self._root / file).open("rb") as stream:
                    data = stream.read(HSK_CEK_BYTES + 1)
            except FileNotFoundError:
                return evidence
        try:
            found = parse_hsk_cek(data)
        except FormatError as error:
            raise AttesterError(f"/{file}: {error}", detail="answer", device=f"/{file}") from None
        return replace(evidence, hsk=found.hsk, cek=found.cek)
