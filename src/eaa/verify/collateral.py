"""Intel's endorsements, verified up to a trust anchor: steps 1 to 4 of :mod:`eaa.verify.dcap`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.crl import parse_crl
from eaa.endorsements.enclave_identity import parse_enclave_identity
from eaa.endorsements.tcb_info import parse_tcb_info
from eaa.endorsements.x509 import Certificate
from eaa.errors import EndorsementNotFound
from eaa.verify.ecdsa import EcdsaLibrary
from eaa.verify.path import certificate_key, certificate_window, crl_window, refuse_revoked, require_crl
from eaa.verify.primitives import verify_p256_raw
from eaa.verify.result import TrustAnchor
from eaa.verify.state import VerifiedCollateral
from eaa.verify.tcb_signing import require_root, signing_chain, signing_key
from eaa.verify.windows import Window, Windows

__all__ = ["verify_collateral"]

T = TypeVar("T")


def verify_collateral(
    collateral: IntelCollateral, anchors: Sequence[Certificate], now: datetime, ecdsa: EcdsaLibrary
) -> VerifiedCollateral:
    """``collateral`` verified up to one of ``anchors`` by ``ecdsa``, all of its windows open at ``now``.

    Raises:
        EndorsementNotFound: a part is missing.
        FormatError, ChainError, SignatureError, RevokedError, ValidityPeriodError
    """
    tcb_info = _required(collateral.tcb_info, "TCB info", "tcb_info")
    qe_identity = _required(collateral.qe_identity, "QE identity", "qe_identity")
    chain = signing_chain(tcb_info, "TCB info issuer chain", anchors)

    # 1. Root: byte for byte an anchor; its revocation list is signed by it.
    root = chain[1]
    require_root(root, anchors, "TCB info issuer chain")
    root_key = certificate_key(root, "root certificate", "root", ecdsa, anchor=True)
    crl = parse_crl(
        _required(collateral.root_ca_crl, "root CA revocation list", "root_ca_crl"),
        what="root CA revocation list",
    )
    require_crl(crl, root, root_key, "root CA revocation list", "root_ca_crl")
    refuse_revoked(root, crl, "root certificate", "root")

    # 2. and 3. The signing certificates, and with them the documents.
    windows = [
        certificate_window(root, "root certificate", "root"),
        crl_window(crl, "root CA revocation list", "root_ca_crl"),
    ]
    tcb_key, tcb_window = signing_key(
        chain, root, root_key, crl, "TCB signing certificate", "tcb_signing", ecdsa
    )
    verify_p256_raw(tcb_key, tcb_info.signature, tcb_info.body, "TCB info", "tcb_info")
    qe_key, qe_window = tcb_key, tcb_window
    if qe_identity.issuer_chain != tcb_info.issuer_chain:
        qe_chain = signing_chain(qe_identity, "QE identity issuer chain", anchors)
        require_root(qe_chain[1], anchors, "QE identity issuer chain")
        qe_key, qe_window = signing_key(
            qe_chain, root, root_key, crl, "QE identity signing certificate", "qe_identity_signing", ecdsa
        )
    verify_p256_raw(qe_key, qe_identity.signature, qe_identity.body, "QE identity", "qe_identity")

    # 4. What was signed, and all windows.
    info, identity = parse_tcb_info(tcb_info.body), parse_enclave_identity(qe_identity.body)
    windows += [tcb_window] if qe_window is tcb_window else [tcb_window, qe_window]
    windows += [
        Window("TCB info", "tcb_info", info.issue_date, info.next_update),
        Window("QE identity", "qe_identity", identity.issue_date, identity.next_update),
    ]
    verified = VerifiedCollateral(
        root, TrustAnchor.of_certificate(root), root_key, crl, info, identity, Windows.of(windows),
        max(info.issue_date, identity.issue_date), ecdsa,
    )  # fmt: skip
    verified.windows.require(now)
    return verified


def _required(part: T | None, what: str, detail: str) -> T:
    """``part``, or EndorsementNotFound naming it."""
    if part is None:
        raise EndorsementNotFound(f"the {what} is missing from the collateral", detail=detail)
    return part
