"""Endorsements of the simulated vendor in the shapes that people have them in."""

from __future__ import annotations

import json
from pathlib import Path

from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.endorsements.collateral import IntelCollateral, SignedDocument
from eaa.errors import UsageError

__all__ = ["collateral_files", "dcap_qvl_json", "snp_files", "write_collateral", "write_snp_endorsements"]


def dcap_qvl_json(collateral: IntelCollateral) -> bytes:
    """``collateral``, which must be complete, as the JSON of dcap-qvl's ``QuoteCollateralV3``."""
    tcb_info, qe_identity, root_ca_crl, pck_crl, chain = _parts(collateral)
    return json.dumps(
        {
            "pck_crl_issuer_chain": chain.decode(),
            "root_ca_crl": root_ca_crl.hex(),
            "pck_crl": pck_crl.hex(),
            "tcb_info_issuer_chain": tcb_info.issuer_chain.decode(),
            "tcb_info": tcb_info.body.decode(),
            "tcb_info_signature": tcb_info.signature.hex(),
            "qe_identity_issuer_chain": qe_identity.issuer_chain.decode(),
            "qe_identity": qe_identity.body.decode(),
            "qe_identity_signature": qe_identity.signature.hex(),
        },
        indent=2,
    ).encode()


def collateral_files(collateral: IntelCollateral) -> dict[str, bytes]:
    """``collateral``, which must be complete, as files by name.

    The two JSON files are the bodies of PCS responses: the document and its signature in hexadecimal.
    """
    tcb_info, qe_identity, root_ca_crl, pck_crl, chain = _parts(collateral)
    return {
        "tcb_info.json": _response("tcbInfo", tcb_info),
        "tcb_info_issuer_chain.pem": tcb_info.issuer_chain,
        "qe_identity.json": _response("enclaveIdentity", qe_identity),
        "qe_identity_issuer_chain.pem": qe_identity.issuer_chain,
        "root_ca_crl.der": root_ca_crl,
        "pck_crl.der": pck_crl,
        "pck_crl_issuer_chain.pem": chain,
    }


def write_collateral(collateral: IntelCollateral, folder: Path) -> None:
    """:func:`collateral_files` written to ``folder``, which is made if it is not there."""
    _write(collateral_files(collateral), folder)


def snp_files(endorsements: SnpEndorsements) -> dict[str, bytes]:
    """AMD's ``endorsements`` as files by name, each DER; what is missing has no file."""
    parts = {
        "vek.der": endorsements.vek,
        "ask.der": endorsements.ask,
        "ark.der": endorsements.ark,
        "crl.der": endorsements.crl,
    }
    return {name: der for name, der in parts.items() if der is not None}


def write_snp_endorsements(endorsements: SnpEndorsements, folder: Path) -> None:
    """:func:`snp_files` written to ``folder``, which is made if it is not there."""
    _write(snp_files(endorsements), folder)


def _write(files: dict[str, bytes], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def _response(member: str, document: SignedDocument) -> bytes:
    return b'{"%b":%b,"signature":"%b"}' % (
        member.encode(), document.body, document.signature.hex().encode(),
    )  # fmt: skip


def _parts(collateral: IntelCollateral) -> tuple[SignedDocument, SignedDocument, bytes, bytes, bytes]:
    parts = (
        collateral.tcb_info, collateral.qe_identity, collateral.root_ca_crl, collateral.pck_crl,
        collateral.pck_crl_issuer_chain,
    )  # fmt: skip
    tcb_info, qe_identity, root_ca_crl, pck_crl, chain = parts
    if tcb_info is None or qe_identity is None or root_ca_crl is None or pck_crl is None or chain is None:
        raise UsageError("only complete collateral has this shape", detail="incomplete_collateral")
    return tcb_info, qe_identity, root_ca_crl, pck_crl, chain
