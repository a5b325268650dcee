"""From what was given to the bytes of evidence in it; anything else is refused by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from eaa.endorsements.recognise import Kind, Recognised, recognise
from eaa.endorsements.recognise_snp import begins_as_snp
from eaa.errors import FormatError, UnsupportedError
from eaa.evidence.dcap_quote import parse_quote
from eaa.evidence.snp_evidence import parse_snp_evidence

__all__ = ["EVIDENCE", "KIND_NAMES", "recognise_evidence"]

KIND_NAMES: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.DCAP_QUOTE: "DCAP quote",
        Kind.ENCLAVE_REPORT: "SGX enclave report",
        Kind.TD_REPORT: "TD report body",
        Kind.TDREPORT_STRUCT: "TDREPORT",
        Kind.SNP_REPORT: "AMD SEV-SNP attestation report",
        Kind.SEV_REPORT: "AMD SEV attestation report",
        Kind.CSV_REPORT: "Hygon CSV attestation report",
        Kind.EVENT_LOG: "event log",
        Kind.PCK_CERTIFICATE: "PCK certificate",
        Kind.VEK_CERTIFICATE: "VEK certificate",
        Kind.CERTIFICATE: "certificate",
        Kind.CERTIFICATE_CHAIN: "certificate chain",
        Kind.CERTIFICATE_TABLE: "certificate table",
        Kind.SEV_CERTIFICATES: "SEV certificates",
        Kind.HYGON_CERTIFICATES: "Hygon certificates",
        Kind.REVOCATION_LIST: "certificate revocation list",
        Kind.TCB_INFO: "TCB info",
        Kind.ENCLAVE_IDENTITY: "enclave identity",
        Kind.COLLATERAL: "collateral",
    }
)
#: What a remote verifier can judge.
EVIDENCE = frozenset({Kind.DCAP_QUOTE, Kind.SNP_REPORT, Kind.SEV_REPORT, Kind.CSV_REPORT})
#: Evidence that is none for a remote verifier: only the machine itself can check it.
_LOCAL = {Kind.ENCLAVE_REPORT: "sgx", Kind.TD_REPORT: "tdx", Kind.TDREPORT_STRUCT: "tdx"}


def recognise_evidence(data: bytes) -> Recognised:
    """The evidence in ``data``, of a kind in :data:`EVIDENCE`.

    Raises:
        UnsupportedError: evidence that cannot be verified; ``fields["tee"]`` names its TEE.
        FormatError: nothing known, or something that is no evidence.
    """
    found = _recognise(data)
    if found.kind in EVIDENCE:
        return found
    name = KIND_NAMES[found.kind]
    if found.kind in _LOCAL:
        raise UnsupportedError(
            f"{name}: carries no signature that another machine can verify; a quote does",
            detail="local_report", tee=_LOCAL[found.kind],
        )  # fmt: skip
    raise FormatError(f"this is no evidence but: {name}", what="input", field="kind", detail="not_evidence")


def _recognise(data: bytes) -> Recognised:
    try:
        return recognise(data)
    except FormatError as error:
        # Of binary, say in which field it is none of what comes most often.
        if error.code == "format.unrecognised" and not _is_text(data):
            parse: Callable[[bytes], object] = parse_snp_evidence if begins_as_snp(data) else parse_quote
            parse(data)
        raise


def _is_text(data: bytes) -> bool:
    return data.isascii() and b"\x00" not in data
