"""A simulated Hygon, a platform of it and its CSV guest, which attests itself without hardware.

All of it is of no worth outside its process [docs/adr/0005], and is refused unless its root is named as the
anchor: the user id of the root starts with the words that mark a simulated vendor.
"""

from __future__ import annotations

import hashlib
from typing import Literal

from cryptography.hazmat.primitives.hashes import SM3
from cryptography.hazmat.primitives.hmac import HMAC

from eaa.attester.device import require_report_data
from eaa.attester.simulated.hygon_certificates import HygonAuthority, HygonPlatformCertificate
from eaa.attester.simulated.hygon_keys import SimulatedSm2Key
from eaa.endorsements.hygon_certificate import HygonCaCertificate
from eaa.endorsements.hygon_endorsements import CsvEndorsements
from eaa.endorsements.roots import SIMULATED_NAME_PREFIX
from eaa.evidence.hygon_csv import CSV_PAGE_BYTES, CsvSigner, CsvTeeInfo, CsvTeeInfoV2, parse_csv_report
from eaa.evidence.hygon_csv_evidence import CsvEvidence
from eaa.evidence.psp_certificate import KeyUsage

__all__ = ["SimulatedCsvGuest", "SimulatedCsvPlatform", "SimulatedHygonVendor"]

_MNONCE_BYTES = 16
_MARK = SIMULATED_NAME_PREFIX.encode()
#: What each generation sets in the guest's policy, above NODBG and NOKS.
_POLICIES = {"csv1": 0b0000_0011, "csv2": 0b0000_0111, "csv3": 0b0100_0111}
_MASKED = CsvTeeInfo.anonce.offset


class SimulatedHygonVendor:
    """HRK and HSK."""

    def __init__(self, *, hrk: SimulatedSm2Key | None = None, hsk: SimulatedSm2Key | None = None) -> None:
        self.hrk = HygonAuthority(
            key=hrk or SimulatedSm2Key.generate(),
            key_id=_MARK + b"HRK",
            user_id=_MARK + b" HRK",
            usage=KeyUsage.ARK,
        )
        self.hsk = HygonAuthority(
            key=hsk or SimulatedSm2Key.generate(),
            key_id=_MARK + b"HSK",
            user_id=_MARK + b" HSK",
            usage=KeyUsage.ASK,
            issuer=self.hrk,
        )

    @property
    def trust_anchor(self) -> HygonCaCertificate:
        """The HRK that a verifier must name to believe it."""
        return self.hrk.parsed


class SimulatedCsvPlatform:
    """One machine of ``vendor``: its chip's key and the platform's.

    ``serial_number`` is the chip's, at most 64 printable characters.
    """

    def __init__(
        self,
        vendor: SimulatedHygonVendor,
        *,
        serial_number: str = "SIMULATED0000001",
        cek: SimulatedSm2Key | None = None,
        pek: SimulatedSm2Key | None = None,
    ) -> None:
        self.vendor = vendor
        self.serial_number = serial_number
        self.cek = HygonPlatformCertificate(
            key=cek or SimulatedSm2Key.generate(),
            user_id=_MARK + b" CEK",
            usage=KeyUsage.CEK,
            issuer=vendor.hsk,
            version=2,
        )
        self.pek = HygonPlatformCertificate(
            key=pek or SimulatedSm2Key.generate(),
            user_id=_MARK + b" PEK",
            usage=KeyUsage.PEK,
            issuer=self.cek,
        )

    @property
    def hsk_cek(self) -> bytes:
        """What Hygon's service returns for the chip."""
        return self.vendor.hsk.raw + self.cek.raw

    def endorsements(self) -> CsvEndorsements:
        """What the vendor has certified, signed now."""
        return CsvEndorsements(cek=self.cek.raw, hsk=self.vendor.hsk.raw, hrk=self.vendor.hrk.raw)


class SimulatedCsvGuest:
    """A guest on ``platform`` that gets reports of ``version`` 1 or 2.

    ``policy`` starts as that of ``generation``; ``fields`` replaces fields of the tee info by name, and all
    but the signature are signed as the firmware would; ``report_signing_key`` signs in place of the PEK;
    ``mac`` stands in place of the right HMAC.
    """

    def __init__(
        self,
        platform: SimulatedCsvPlatform,
        *,
        version: Literal[1, 2] = 1,
        generation: Literal["csv1", "csv2", "csv3"] = "csv3",
        debug: bool = False,
        anonce: int = 0x12914E9B,
        mnonce: bytes = bytes(range(_MNONCE_BYTES)),
    ) -> None:
        self.platform = platform
        self.version = version
        self.policy = _POLICIES[generation] ^ debug
        self.anonce = anonce
        self.mnonce = mnonce
        self.measure = hashlib.sha256(b"simulated CSV guest").digest()
        self.fields: dict[str, bytes | int] = {}
        self.report_signing_key: SimulatedSm2Key | None = None
        self.mac: bytes | None = None

    def collect(self, report_data: bytes) -> bytes:
        """A report with ``report_data``, exactly 64 bytes, as the firmware makes it: a page.

        Raises:
            UsageError: another length.
        """
        require_report_data(report_data)
        tee_info = self._version_1(report_data) if self.version == 1 else self._version_2(report_data)
        signer = CsvSigner.build(
            pek_cert=self.platform.pek.raw, sn=self.platform.serial_number.encode().ljust(64, b"\x00")
        ).raw
        if self.version == 1:
            signer = self._masked(signer)
        covered = signer[: CsvSigner.mac.offset]
        mac = HMAC(self.mnonce, SM3())
        mac.update(covered)
        return (tee_info + covered + (self.mac or mac.finalize())).ljust(CSV_PAGE_BYTES, b"\x00")

    def collect_restored(self, report_data: bytes) -> bytes:
        """As :meth:`collect`, with the mask of the signer taken off, as csv-rs does."""
        report = parse_csv_report(self.collect(report_data), restored=False)
        start = report.tee_info.SIZE
        signer = CsvSigner.build(
            pek_cert=report.pek_cert,
            sn=report.serial_number.encode().ljust(64, b"\x00"),
            mac=report.signer.mac,
        )
        return (report.raw[:start] + signer.raw).ljust(CSV_PAGE_BYTES, b"\x00")

    def collect_with_chip(self, report_data: bytes) -> CsvEvidence:
        """A report with the chip's certificates."""
        report = parse_csv_report(self.collect(report_data), restored=False)
        return CsvEvidence(report, self.platform.vendor.hsk.raw, self.platform.cek.raw)

    @property
    def trust_anchor(self) -> HygonCaCertificate:
        """The root that a verifier must name to believe it."""
        return self.platform.vendor.trust_anchor

    def _common(self, report_data: bytes) -> dict[str, bytes | int]:
        return {
            "report_data": report_data,
            "mnonce": self.mnonce,
            "measure": self.measure,
            "policy": self.policy,
            "sig_usage": KeyUsage.PEK,
            "sig_algo": 4,
        }

    def _version_1(self, report_data: bytes) -> bytes:
        values = self._common(report_data) | {"anonce": self.anonce} | self.fields
        plain = CsvTeeInfo.build(**values).raw
        masked = self._masked(plain[:_MASKED]) + plain[_MASKED : CsvTeeInfo.sig_r.offset]
        return masked + self._signature(masked[: CsvTeeInfo.sig_usage.offset])

    def _version_2(self, report_data: bytes) -> bytes:
        values = self._common(report_data) | {"fw_build": 2337, "rtmr_version": 1, "rtmr0": self.measure}
        signed = CsvTeeInfoV2.build(**(values | self.fields)).raw[: CsvTeeInfoV2.sig_r.offset]
        return signed + self._signature(signed)

    def _signature(self, signed: bytes) -> bytes:
        pek = self.platform.pek
        return (self.report_signing_key or pek.key).sign(pek.user_id, signed)

    def _masked(self, data: bytes) -> bytes:
        mask = self.anonce.to_bytes(4, "little")
        return bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
