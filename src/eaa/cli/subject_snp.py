"""An SNP report, as ``shelter verify`` judges it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from eaa.cli.collateral import read_collateral
from eaa.cli.files import CollateralFiles
from eaa.endorsements.amd_endorsements import AmdParts, parts_of_pool
from eaa.endorsements.kds_address import KDS_URL, vcek_address, vcek_levels
from eaa.evidence.snp import SnpReport, parse_snp_report
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_evidence import parse_snp_evidence
from eaa.evidence.snp_tcb import SnpProduct
from eaa.verify.snp_result import snp_report_claims

__all__ = ["SnpSubject"]

#: Turin's chips have 8 bytes of identity, earlier ones 64 [AMD-KDS 4.1].
_TURIN_HWID_BYTES = 8


class SnpSubject:
    """See :class:`eaa.cli.subjects.Subject`. Raises FormatError, UnsupportedError."""

    vendor = "AMD"
    tee = "snp"
    rt_mrs = None

    def __init__(self, data: bytes) -> None:
        self._evidence = parse_snp_evidence(data)
        self._report = parse_snp_report(self._evidence.report)

    @property
    def bindings(self) -> Mapping[str, tuple[str, bytes]]:
        body = self._report.body
        return {"report_data": ("report_data", body.report_data), "config_id": ("host_data", body.host_data)}

    def unverified_claims(self) -> dict[str, Any]:
        return snp_report_claims(self._report)

    def endorsements(self, files: CollateralFiles) -> tuple[AmdParts, list[str]]:
        """Without files, what came with the report may do, but for the revocation list."""
        pool, ignored = read_collateral(files)
        return parts_of_pool(pool), ignored

    def needs(self) -> dict[str, str]:
        report = self._report
        needs = {"tee": self.tee, "signing_key": report.key_info.signing_key.name}
        if product := _product(report):
            needs["product"] = str(product)
        if not report.chip_id_masked:
            needs["chip_id"] = _hwid(report).hex()
        return needs | {"reported_tcb": str(report.reported_tcb)}

    def missing(self, needs: Mapping[str, str]) -> list[str]:
        key, product, chip = needs["signing_key"], needs.get("product"), needs.get("chip_id")
        lines = [
            f"needed for this SNP report: the {key} certificate of the TCB {needs['reported_tcb']}, and the "
            f"revocation list of the ARK of {product or 'its product'}",
        ]
        if product is None:
            return lines
        if key == SigningKey.VCEK.name and chip is not None:
            address = vcek_address(SnpProduct(product), bytes.fromhex(chip))
            query = urlencode(vcek_levels(self._report.reported_tcb))
            lines += ["AMD publishes them:", f"  {KDS_URL}/{address}?{query}"]
        else:
            lines.append("the machine hands its VLEK over with the report; AMD publishes the list:")
        return [*lines, f"  {KDS_URL}/{key.lower()}/v1/{product}/crl"]


def _product(report: SnpReport) -> SnpProduct | None:
    """By CPUID; of version 2, which has none, only Turin is known by its TCB."""
    return report.product or (SnpProduct.TURIN if report.has_fmc else None)


def _hwid(report: SnpReport) -> bytes:
    return report.body.chip_id[:_TURIN_HWID_BYTES] if report.has_fmc else report.body.chip_id
