"""A DCAP quote, as ``shelter verify`` judges it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eaa.cli.collateral import read_collateral
from eaa.cli.files import CollateralFiles
from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.pck import parse_pck_extension
from eaa.endorsements.pool import collateral_for
from eaa.endorsements.x509 import common_name, parse_certificate_chain
from eaa.errors import EndorsementNotFound, FormatError
from eaa.evidence.dcap_quote import CertificationType, DcapQuote, parse_certification, parse_quote
from eaa.evidence.tdx import TdReport
from eaa.verify.claims import quote_claims

__all__ = ["DcapSubject"]

_PCS = "https://api.trustedservices.intel.com"


class DcapSubject:
    """See :class:`eaa.cli.subjects.Subject`. Raises FormatError, UnsupportedError."""

    vendor = "Intel"

    def __init__(self, data: bytes) -> None:
        self._quote = parse_quote(data)

    @property
    def tee(self) -> str:
        return self._quote.tee

    @property
    def bindings(self) -> Mapping[str, tuple[str, bytes]]:
        body = self._quote.body
        if isinstance(body, TdReport):
            config = "mr_config_id", body.mr_config_id
        else:
            config = "config_id", body.config_id
        return {"report_data": ("report_data", body.report_data), "config_id": config}

    @property
    def rt_mrs(self) -> tuple[bytes, bytes, bytes, bytes] | None:
        body = self._quote.body
        return body.rt_mrs if isinstance(body, TdReport) else None

    def unverified_claims(self) -> dict[str, Any]:
        return quote_claims(self._quote)

    def endorsements(self, files: CollateralFiles) -> tuple[IntelCollateral, list[str]]:
        if not files:
            raise EndorsementNotFound("no endorsements were given", detail="collateral")
        pool, ignored = read_collateral(files)
        return collateral_for(self._quote, pool), ignored

    def needs(self) -> dict[str, str]:
        return _platform_of(self._quote)

    def missing(self, needs: Mapping[str, str]) -> list[str]:
        tee, fmspc, ca = needs["tee"], needs.get("fmspc"), needs.get("ca")
        lines = [
            f"needed for this {tee.upper()} quote: TCB info of FMSPC {fmspc or 'unknown'}, the QE identity, "
            f"the CRL of the PCK {ca or 'platform or processor'} CA and that of the root CA, with issuer "
            "chains",
        ]
        if fmspc and ca:
            lines += [
                "Intel publishes them; keep the headers, which hold the issuer chains (curl -i):",
                f"  {_PCS}/{tee}/certification/v4/tcb?fmspc={fmspc}",
                f"  {_PCS}/{tee}/certification/v4/qe/identity",
                f"  {_PCS}/sgx/certification/v4/pckcrl?ca={ca}&encoding=der",
                "  https://certificates.trustedservices.intel.com/IntelSGXRootCA.der",
            ]
        return lines


def _platform_of(quote: DcapQuote) -> dict[str, str]:
    """TEE, FMSPC and PCK CA of the platform, as far as the quote says them; nothing is verified."""
    needs = {"tee": quote.tee}
    data = parse_certification(quote).data
    if data.type is CertificationType.PCK_CHAIN:
        try:
            leaf = parse_certificate_chain(data.data, what="PCK certificate chain")[0]
            needs["fmspc"] = parse_pck_extension(leaf).fmspc.hex()
            issuer = common_name(leaf.issuer)
        except FormatError:
            return needs
        needs["ca"] = "platform" if "Platform" in issuer else "processor"
    return needs
