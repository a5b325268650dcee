"""One platform's attestation key, verified: steps 5 to 8 of :mod:`eaa.verify.dcap`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from eaa.codec.pem import split_chain
from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.crl import parse_crl
from eaa.endorsements.enclave_identity import EnclaveIdentity
from eaa.endorsements.pck import PckExtension, parse_pck_extension
from eaa.endorsements.pinned import PINNED
from eaa.endorsements.x509 import Certificate, parse_certificate_chain
from eaa.errors import (
    BindingError,
    ChainError,
    EndorsementError,
    EndorsementNotFound,
    FormatError,
    UnsupportedError,
)
from eaa.evidence.dcap_quote import CertificationType, DcapQuote, QeCertification, parse_certification
from eaa.evidence.sgx import EnclaveReport
from eaa.verify.ecdsa import CRYPTOGRAPHY, EcdsaKey, EcdsaLibrary
from eaa.verify.memo import MAX_REMEMBERED_BYTES
from eaa.verify.path import (
    certificate_key,
    certificate_window,
    crl_window,
    refuse_revoked,
    require_anchor,
    require_ca,
    require_crl,
    require_issued,
    require_leaf,
)
from eaa.verify.primitives import equal, verify_p256_raw
from eaa.verify.state import VerifiedCollateral, VerifiedPckCa, VerifiedPlatform
from eaa.verify.tcb import ComponentTcb, isv_level
from eaa.verify.windows import Windows

__all__ = [
    "PCK_CHAIN",
    "attestation_key",
    "masked",
    "pck_chain_text",
    "require_attestation_key",
    "require_pck",
    "verify_platform",
]

#: What errors call the chain that goes with a quote.
PCK_CHAIN = "PCK certificate chain"


def verify_platform(
    quote: DcapQuote,
    collateral: IntelCollateral,
    verified: VerifiedCollateral,
    anchors: Sequence[Certificate],
    qe_id: str,
) -> VerifiedPlatform:
    """The platform that made ``quote``; ``qe_id`` is the identity its quoting enclave must have.

    Windows are not asked here. Raises FormatError, UnsupportedError, EndorsementNotFound and the
    leaves of VerificationError.
    """
    certification = parse_certification(quote)

    # 5. PCK chain and revocation.
    leaf, ca = _leaf_and_ca(certification, collateral, verified, anchors)
    require_pck(leaf, ca.certificate, ca.key)
    refuse_revoked(leaf, ca.crl, "PCK certificate", "pck_certificate")

    # 6. and 7.
    require_attestation_key(quote, certification, leaf, verified.ecdsa)

    # 8. QE identity and its TCB level.
    level = _require_qe(certification.report, verified.qe_identity, qe_id)
    pck = parse_pck_extension(leaf)
    _require_same_platform(pck, verified)
    return VerifiedPlatform(
        certification=quote.certification,
        attestation_key=attestation_key(quote, verified.ecdsa),
        pck=pck,
        qe_report=certification.report,
        qe_tcb=level,
        svns=(pck.sgx_tcb_components, pck.pce_svn, certification.report.isv_svn),
        windows=ca.windows.and_of(certificate_window(leaf, "PCK certificate", "pck_certificate")),
    )


def require_pck(leaf: Certificate, ca: Certificate, ca_key: EcdsaKey) -> None:
    """Holds if ``leaf`` is a PCK certificate that ``ca`` issued."""
    require_leaf(leaf, "SGX PCK Certificate", "PCK certificate", "pck_certificate")
    require_issued(leaf, ca, ca_key, "PCK certificate", "pck_certificate")


def require_attestation_key(
    quote: DcapQuote, certification: QeCertification, leaf: Certificate, ecdsa: EcdsaLibrary = CRYPTOGRAPHY
) -> None:
    """Holds if the key of ``leaf`` signed the QE report, and that binds the quote's attestation key.

    Steps 6 and 7. Raises ChainError, SignatureError, BindingError.
    """
    # 6. QE report, by the PCK key over the received bytes.
    pck_key = certificate_key(leaf, "PCK certificate", "pck_certificate", ecdsa)
    verify_p256_raw(pck_key, certification.signature, certification.signed, "QE report", "qe_report")

    # 7. Attestation key, bound by the QE report over all 64 bytes.
    digest = hashlib.sha256(quote.attestation_key + certification.authentication_data).digest()
    if not equal(digest + bytes(32), certification.report.report_data):
        raise BindingError(
            "the QE report data is not SHA-256(attestation key ‖ authentication data)",
            detail="qe_report_data",
        )


def _leaf_and_ca(
    certification: QeCertification,
    collateral: IntelCollateral,
    verified: VerifiedCollateral,
    anchors: Sequence[Certificate],
) -> tuple[Certificate, VerifiedPckCa]:
    """The PCK certificate, parsed, and its CA, verified; the latter is known by the text after the former."""
    text = pck_chain_text(certification)
    first, rest = split_chain(text)
    known = verified.pck_cas.get(rest)
    if known is not None:
        return parse_certificate_chain(first, what=PCK_CHAIN)[0], known
    chain = parse_certificate_chain(text, what=PCK_CHAIN, known=PINNED.and_of(anchors))
    if len(chain) != 3:
        raise ChainError(
            f"the {PCK_CHAIN} has {len(chain)} certificates, expected leaf, CA and root", detail="length"
        )
    ca = _verify_pck_ca(chain, rest, collateral, verified, anchors)
    if 0 < len(rest) <= MAX_REMEMBERED_BYTES:
        verified.pck_cas.put(rest, ca)
    return chain[0], ca


def pck_chain_text(certification: QeCertification) -> bytes:
    """The PEM text of the PCK chain; of no other certification data. Raises UnsupportedError."""
    data = certification.data
    if data.type is not CertificationType.PCK_CHAIN:
        raise UnsupportedError(
            f"certification data type {int(data.type)} ({data.type_name}) is not supported, only 5 "
            "(PCK certificate chain)",
            detail="certification_data_type", certification_data_type=int(data.type),
        )  # fmt: skip
    return data.data


def _verify_pck_ca(
    chain: tuple[Certificate, ...],
    text: bytes,
    collateral: IntelCollateral,
    verified: VerifiedCollateral,
    anchors: Sequence[Certificate],
) -> VerifiedPckCa:
    _, intermediate, root = chain
    require_anchor(root, anchors, PCK_CHAIN)
    if root.spki != verified.root.spki:
        raise ChainError(
            "the PCK certificate chain and the collateral lead to different roots", detail="mixed_roots"
        )
    require_ca(intermediate, 0, "PCK CA", "pck_ca")
    key = certificate_key(intermediate, "PCK CA", "pck_ca", verified.ecdsa)
    if collateral.pck_crl is None:
        raise EndorsementNotFound("the PCK revocation list is missing from the collateral", detail="pck_crl")
    crl = parse_crl(collateral.pck_crl, what="PCK revocation list")
    # The signatures close to one another: the tables of the curve are still in the cache.
    require_issued(intermediate, verified.root, verified.root_key, "PCK CA", "pck_ca")
    refuse_revoked(intermediate, verified.root_ca_crl, "PCK CA", "pck_ca")
    require_crl(crl, intermediate, key, "PCK revocation list", "pck_crl")
    crl_chain = collateral.pck_crl_issuer_chain
    # The same text as after the leaf, as a rule: that one has just been read and has led to an anchor.
    if crl_chain is not None and (not text or crl_chain.strip(b"\n") != text.strip(b"\n\0")):
        _require_crl_issuer(crl_chain, intermediate, verified, anchors)
    return VerifiedPckCa(
        intermediate,
        key,
        crl,
        Windows.of(
            (
                certificate_window(root, "root certificate", "root"),
                certificate_window(intermediate, "PCK CA", "pck_ca"),
                crl_window(crl, "PCK revocation list", "pck_crl"),
            )
        ),
    )


def _require_crl_issuer(
    pem: bytes, intermediate: Certificate, verified: VerifiedCollateral, anchors: Sequence[Certificate]
) -> None:
    """The issuer chain that came with the PCK revocation list leads to the CA that the quote names.

    The list is verified with the quote's own chain; this refuses collateral that contradicts itself.
    """
    what = "PCK revocation list issuer chain"
    chain = parse_certificate_chain(pem, what=what, known=PINNED.and_of((intermediate, *anchors)))
    if len(chain) != 2:
        raise ChainError(f"the {what} has {len(chain)} certificates, expected 2", detail="length")
    issuer, root = chain
    require_anchor(root, anchors, what)
    if issuer.subject != intermediate.subject or issuer.spki != intermediate.spki:
        raise ChainError(
            f"the {what} is of {issuer.common_name!r}, the quote's PCK certificate is issued by "
            f"{intermediate.common_name!r}",
            detail="pck_crl_issuer_chain",
        )
    if issuer.der != intermediate.der:
        require_issued(issuer, verified.root, verified.root_key, what, "pck_crl_issuer_chain")


def _require_qe(report: EnclaveReport, identity: EnclaveIdentity, qe_id: str) -> ComponentTcb:
    if identity.id != qe_id:
        raise EndorsementError(
            f"the enclave identity is of {identity.id}, the quote needs {qe_id}", detail="qe_identity_id"
        )
    if report.mr_signer != identity.mr_signer:
        raise _qe_mismatch("MRSIGNER", identity.mr_signer.hex(), report.mr_signer.hex(), "mr_signer")
    if report.isv_prod_id != identity.isv_prod_id:
        raise _qe_mismatch("ISVPRODID", identity.isv_prod_id, report.isv_prod_id, "isv_prod_id")
    misc_select = masked(report.raw[16:20], identity.misc_select_mask)
    if misc_select != identity.misc_select:
        raise _qe_mismatch("MISCSELECT", identity.misc_select.hex(), misc_select.hex(), "misc_select")
    attributes = masked(report.attributes, identity.attributes_mask)
    if attributes != identity.attributes:
        raise _qe_mismatch("ATTRIBUTES", identity.attributes.hex(), attributes.hex(), "attributes")
    level = isv_level(identity.levels, report.isv_svn, "quoting enclave", "qe")
    return ComponentTcb.of(level, identity.levels)


def masked(value: bytes, mask: bytes) -> bytes:
    """``value`` AND ``mask``, of equal length."""
    return (int.from_bytes(value, "big") & int.from_bytes(mask, "big")).to_bytes(len(value), "big")


def _qe_mismatch(field: str, expected: object, came: object, detail: str) -> EndorsementError:
    return EndorsementError(
        f"the quoting enclave's {field} is {came}, Intel's identity says {expected}",
        detail=f"qe_{detail}",
    )


def _require_same_platform(pck: PckExtension, verified: VerifiedCollateral) -> None:
    info = verified.tcb_info
    for name, of_pck, of_info in (("FMSPC", pck.fmspc, info.fmspc), ("PCEID", pck.pce_id, info.pce_id)):
        if of_pck != of_info:
            raise EndorsementError(
                f"the TCB info is for {name} {of_info.hex()}, the platform has {of_pck.hex()}",
                detail=f"{name.lower()}_mismatch", expected=of_pck.hex(), came=of_info.hex(),
            )  # fmt: skip


def attestation_key(quote: DcapQuote, ecdsa: EcdsaLibrary = CRYPTOGRAPHY) -> EcdsaKey:
    """The key that signs header and body, of ``ecdsa``. Raises FormatError."""
    try:
        return ecdsa.p256(b"\x04" + quote.attestation_key)
    except ValueError:
        raise FormatError(
            "not a point on P-256", what="DCAP quote", field="attestation_key",
            offset=len(quote.signed) + 4 + 64, spec="[DCAP-QUOTE A.4]",
        ) from None  # fmt: skip
