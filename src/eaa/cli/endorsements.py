"""Endorsements from files, and what to say about those that are missing."""

from __future__ import annotations

from collections.abc import Mapping

from eaa.cli.files import CollateralFiles
from eaa.endorsements.bundle import collateral_for, merge, read_endorsement_folder, read_endorsements
from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.pck import parse_pck_extension
from eaa.endorsements.x509 import common_name, parse_certificate_chain
from eaa.errors import EAAError, EndorsementNotFound, FormatError
from eaa.evidence.dcap_quote import CertificationType, DcapQuote, parse_certification

__all__ = ["collateral_of", "explain_missing", "platform_of"]

_PCS = "https://api.trustedservices.intel.com"


def collateral_of(quote: DcapQuote, files: CollateralFiles) -> tuple[IntelCollateral, list[str]]:
    """Of ``files`` those for the platform of ``quote``, and a note for each file not understood.

    Raises:
        EndorsementNotFound: none were given, or none are for this platform.
        FormatError: a named file is no endorsement, or one of any file is malformed.
    """
    if not files:
        raise EndorsementNotFound("no endorsements were given", detail="collateral")
    named = (read_endorsements(name, data) for name, data in files.named.items())
    pool = merge([*named, read_endorsement_folder(files.found)])
    ignored = [f"{name}: not an endorsement that is known, ignored" for name in pool.ignored]
    return collateral_for(quote, pool), ignored


def platform_of(quote: DcapQuote) -> dict[str, str]:
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


def explain_missing(error: EAAError, needs: Mapping[str, str], *, given: bool) -> str:
    """What is missing, for which platform, where Intel has it and how to give it."""
    tee, fmspc, ca = needs["tee"], needs.get("fmspc"), needs.get("ca")
    lines = [
        str(error),
        f"needed for this {tee.upper()} quote: TCB info of FMSPC {fmspc or 'unknown'}, the QE identity, "
        f"the CRL of the PCK {ca or 'platform or processor'} CA and that of the root CA, with issuer chains",
    ]
    if fmspc and ca:
        lines += [
            "Intel publishes them; keep the headers, which hold the issuer chains (curl -i):",
            f"  {_PCS}/{tee}/certification/v4/tcb?fmspc={fmspc}",
            f"  {_PCS}/{tee}/certification/v4/qe/identity",
            f"  {_PCS}/sgx/certification/v4/pckcrl?ca={ca}&encoding=der",
            "  https://certificates.trustedservices.intel.com/IntelSGXRootCA.der",
        ]
    how = "add what is missing to --collateral" if given else "give them with --collateral FILE or FOLDER"
    return "\n".join([*lines, how])
