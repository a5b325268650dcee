"""Simulated attesters: a trust domain and an enclave that quote themselves without hardware."""

from __future__ import annotations

import hashlib

from eaa.attester.device import require_report_data
from eaa.attester.simulated.platform import SimulatedPlatform, Tee
from eaa.attester.simulated.quotes import sign_quote
from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.x509 import Certificate
from eaa.evidence.dcap_quote import CertificationType
from eaa.evidence.sgx import EnclaveReport
from eaa.evidence.tdx import TdReport, TdReport15

__all__ = ["SimulatedSgxEnclave", "SimulatedTdxGuest"]

_DEBUG = 0x02  # ATTRIBUTES.DEBUG [SDM-3D §38.7.1]
_TD_DEBUG = 0x01  # TD ATTRIBUTES.DEBUG [TDX-ABI §3.4.1]


class _Attester:
    """What both have. ``platform``, ``quote_version``, ``certification_type`` and ``header`` (fields of the
    quote header with unusual values) may be changed."""

    tee: Tee
    report: EnclaveReport | TdReport

    def __init__(self, platform: SimulatedPlatform, quote_version: int) -> None:
        self.platform = platform
        self.quote_version = quote_version
        self.certification_type: int = CertificationType.PCK_CHAIN
        self.header: dict[str, bytes | int] = {}

    def collect(self, report_data: bytes) -> bytes:
        """A quote with ``report_data``, exactly 64 bytes.

        Raises:
            UsageError: another length, or no such body in a quote of this version.
        """
        require_report_data(report_data)
        return sign_quote(
            self.platform,
            self.report.replace(report_data=report_data),
            version=self.quote_version,
            certification_type=self.certification_type,
            header=self.header,
        )

    def endorsements(self) -> IntelCollateral:
        """What its vendor vouches for, signed now."""
        return self.platform.collateral(self.tee)

    @property
    def trust_anchor(self) -> Certificate:
        """The root that a verifier must name to believe it."""
        return self.platform.vendor.root.parsed


class SimulatedTdxGuest(_Attester):
    """A trust domain. ``report`` is what its quotes say of it and may be replaced.

    Args:
        platform: where it runs.
        quote_version: 4 or 5.
        tdx15: whether the report is that of TDX 1.5, which needs version 5.
        debug: whether the host can see into it.
        fields: of the report, by the name there, e.g. ``mr_td`` or ``rt_mr3``, 48 bytes each.
    """

    tee: Tee = "tdx"
    report: TdReport

    def __init__(
        self,
        platform: SimulatedPlatform,
        *,
        quote_version: int = 4,
        tdx15: bool = False,
        debug: bool = False,
        **fields: bytes,
    ) -> None:
        super().__init__(platform, quote_version)
        values = _td_fields(debug) | fields
        if tdx15:
            values = {"tee_tcb_svn_2": values["tee_tcb_svn"], "mr_service_td": bytes(48)} | values
        self.report = (TdReport15 if tdx15 else TdReport).build(**values)


class SimulatedSgxEnclave(_Attester):
    """An enclave. ``report`` is what its quotes say of it and may be replaced.

    Args:
        platform: where it runs.
        quote_version: 3, 4 or 5.
        debug: whether the host can read and change it.
        fields: of the report, by the name there, e.g. ``mr_enclave`` or ``isv_svn``.
    """

    tee: Tee = "sgx"
    report: EnclaveReport

    def __init__(
        self,
        platform: SimulatedPlatform,
        *,
        quote_version: int = 3,
        debug: bool = False,
        **fields: bytes | int,
    ) -> None:
        super().__init__(platform, quote_version)
        self.report = EnclaveReport.build(**(_sgx_fields(platform, debug) | fields))


def _td_fields(debug: bool) -> dict[str, bytes]:
    return {
        "tee_tcb_svn": bytes((5, 1, 4)) + bytes(13),  # module ISVSVN, module version, microcode SVN
        "mr_seam": _measured("TDX module"),
        "td_attributes": bytes((_TD_DEBUG if debug else 0, 0, 0, 0x10)) + bytes(4),  # SEPT_VE_DISABLE
        "xfam": bytes.fromhex("e702060000000000"),
        "mr_td": _measured("TD firmware"),
        "rt_mr0": _measured("firmware configuration"),
        "rt_mr1": _measured("kernel"),
        "rt_mr2": _measured("kernel command line"),
    }


def _sgx_fields(platform: SimulatedPlatform, debug: bool) -> dict[str, bytes | int]:
    flags = 0x05 | (_DEBUG if debug else 0)  # INIT MODE64BIT
    return {
        "cpu_svn": platform.pck.tcb.cpu_svn,
        "attributes": bytes((flags,)) + bytes(7) + bytes.fromhex("e700000000000000"),
        "mr_enclave": _measured("enclave")[:32],
        "mr_signer": _measured("enclave signer")[:32],
        "isv_prod_id": 1,
        "isv_svn": 1,
    }


def _measured(what: str) -> bytes:
    """A measurement of 48 bytes."""
    return hashlib.sha384(f"simulated {what}".encode()).digest()
