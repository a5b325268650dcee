"""AMD SEV-SNP verification: every step that must hold, in the order in which it is established.

 1. The ARK is byte for byte a trust anchor.
 2. The ASK, or the ASVK, is issued by the ARK, may issue certificates, and is of the ARK's product.
 3. The revocation list is the ARK's and lists neither. Whether there must be one is asked at each call.
 4. The VEK certificate is issued by the ASK, is not revoked, certifies a P-384 key, and is of the kind, VCEK
    or VLEK, and of the product that the ASK issues certificates of.
 5. All of 1–4 are within their validity period at ``now``.
 6. The report says that a key of this kind signed it.
 7. The VEK signed the received bytes 0 to 0x29F of the report.
 8. The processor is of the VEK certificate's product: by its CPUID from version 3 of the report on, and in
    version 2 by the shape of its TCB versions.
 9. The patch levels in the VEK certificate are exactly the reported TCB.
10. The chip id, unless the host masks it, is exactly the HWID of a VCEK certificate.
11. The guest asked for the report, and not the host.
12. Report data and host data are the expected ones, over all bytes.

1–3 are remembered by the bytes of ASK, ARK and list, and the anchors; 4 by the bytes of the VEK certificate
on top of that; 5–12 are done at each call. Four signatures are checked for a report of which nothing is
known, two for a new platform under a known ASK, one for a known platform. Nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.endorsements.x509 import Certificate
from eaa.errors import BindingError, EndorsementError, EndorsementNotFound, SignatureError, UsageError
from eaa.evidence.snp import SnpReport, parse_snp_report
from eaa.evidence.snp_bits import SigningKey
from eaa.verify.ecdsa import CRYPTOGRAPHY, EcdsaLibrary
from eaa.verify.memo import MAX_REMEMBERED_BYTES, BoundedMemo
from eaa.verify.primitives import require_bound
from eaa.verify.result import Binding
from eaa.verify.snp_chain import VerifiedAmdChain, VerifiedVek, verify_amd_chain, verify_vek
from eaa.verify.snp_result import VerifiedSnpEvidence
from eaa.verify.snp_signatures import verify_p384_report

__all__ = ["SnpMemo", "verify_report"]

#: An ASK, an ARK and a list have 4 KiB; what is larger is verified anew each time.
_MAX_CHAIN_BYTES = 64 * 1024
#: A verifier's memo: issuers by their bytes and anchors, each with the platforms seen under it.
SnpMemo = BoundedMemo[VerifiedAmdChain]


def verify_report(
    data: bytes,
    *,
    endorsements: SnpEndorsements,
    trust_anchors: Sequence[Certificate],
    binding: Binding,
    now: datetime,
    memo: SnpMemo,
    allow_missing_crl: bool = False,
    ecdsa: EcdsaLibrary = CRYPTOGRAPHY,
) -> VerifiedSnpEvidence:
    """The report in ``data``, verified against ``endorsements`` at ``now``.

    Args:
        data: an attestation report, version 2 to 5, exactly its 1184 bytes.
        endorsements: of the platform that made the report.
        trust_anchors: the only roots believed, e.g. ``AMD_ARKS``.
        binding: what report data (64 bytes) and host data (32, as ``config_id``) must be.
        now: aware, UTC.
        memo: what earlier calls verified; a new one verifies everything.
        allow_missing_crl: verify without a revocation list: nothing is then known of revocation, and the
            result says so.
        ecdsa: the library that checks the report's signature.

    Raises:
        UsageError: ``now`` is naive, or an expected value has the wrong length.
        FormatError, UnsupportedError
        EndorsementNotFound: names what is missing.
        VerificationError: a leaf of it names the step that does not hold.
    """
    if now.tzinfo is None:
        raise UsageError("now must be an aware datetime", detail="naive_datetime")
    report = parse_snp_report(data)
    kind = report.key_info.signing_key
    if kind is SigningKey.NONE:
        raise SignatureError("the report says that no key signed it", detail="report_unsigned")

    # 1.–4. Endorsements.
    chain, vek = _verified(endorsements, tuple(trust_anchors), kind, allow_missing_crl, memo, ecdsa)

    # 5. Periods, at each call.
    vek.windows.require(now)

    # 6. Kind of key.
    _require_kind(kind, vek)

    # 7. Report.
    verify_p384_report(vek.key, report.body.signature_r, report.body.signature_s, report.signed)

    # 8.–10. The platform is the one that the certificate names.
    _require_product(report, vek)
    if report.reported_tcb != vek.extensions.tcb:
        raise EndorsementError(
            f"the VEK certificate is for the TCB {vek.extensions.tcb}; reported is {report.reported_tcb}",
            detail="tcb_mismatch", expected=str(vek.extensions.tcb), came=str(report.reported_tcb),
        )  # fmt: skip
    _require_chip(report, vek)

    # 11. Who asked.
    if report.host_requested:
        raise BindingError("the host asked for the report, not the guest", detail="host_requested")

    # 12. Bindings.
    if binding.report_data is not None:
        require_bound("report data", "report_data", binding.report_data, report.body.report_data)
    if binding.config_id is not None:
        require_bound("host data", "config_id", binding.config_id, report.body.host_data)
    crl = chain.crl
    first_day = vek.certificate.not_before
    return VerifiedSnpEvidence(
        tee="snp",
        report=report,
        vek=vek.extensions,
        trust_anchor=chain.trust_anchor,
        verified_at=now,
        revocation_checked=crl is not None,
        endorsements_issued=first_day if crl is None else max(first_day, crl.this_update),
        endorsements_expire=vek.windows.not_after,
        bound=binding.names,
    )


def _verified(
    endorsements: SnpEndorsements,
    anchors: tuple[Certificate, ...],
    kind: SigningKey,
    allow_missing_crl: bool,
    memo: SnpMemo,
    ecdsa: EcdsaLibrary,
) -> tuple[VerifiedAmdChain, VerifiedVek]:
    if endorsements.vek is None:
        raise EndorsementNotFound(
            f"the {kind.name} certificate is missing from the endorsements", detail=kind.name.lower()
        )
    if endorsements.crl is None and not allow_missing_crl:
        raise EndorsementNotFound("the revocation list is missing from the endorsements", detail="crl")
    key = (endorsements.chain, tuple([anchor.der for anchor in anchors]))
    chain = memo.get(key)
    if chain is None:
        chain = verify_amd_chain(endorsements, anchors)
        if sum([len(part) for part in endorsements.chain if part is not None]) <= _MAX_CHAIN_BYTES:
            memo.put(key, chain)
    known = (endorsements.vek, ecdsa)
    vek = chain.veks.get(known)
    if vek is None:
        vek = verify_vek(endorsements.vek, chain, ecdsa)
        if len(endorsements.vek) <= MAX_REMEMBERED_BYTES:
            chain.veks.put(known, vek)
    return chain, vek


def _require_kind(kind: SigningKey, vek: VerifiedVek) -> None:
    came = vek.extensions.kind
    if came is not kind:
        raise EndorsementError(
            f"the report is signed with a {kind.name}, the certificate is of a {came.name}",
            detail="signing_key", expected=kind.name, came=came.name,
        )  # fmt: skip


def _require_product(report: SnpReport, vek: VerifiedVek) -> None:
    product = vek.extensions.product
    if report.product is not None and report.product is not product:
        raise EndorsementError(
            f"the VEK certificate is for {product}, the processor is {report.product}",
            detail="product_mismatch", expected=str(product), came=str(report.product),
        )  # fmt: skip
    if report.has_fmc != product.has_fmc:
        raise EndorsementError(
            f"the VEK certificate is for {product}, the report is of a processor "
            f"{'with' if report.has_fmc else 'without'} an FMC",
            detail="product_mismatch",
        )


def _require_chip(report: SnpReport, vek: VerifiedVek) -> None:
    expected = vek.extensions.chip_id
    if expected is None or report.chip_id_masked:
        return  # a VLEK is not bound to a chip; the signature binds a masked report to the VCEK
    if report.body.chip_id != expected:
        raise EndorsementError(
            f"the VEK certificate is for chip {expected.hex()}, the report is of {report.body.chip_id.hex()}",
            detail="chip_id_mismatch",
        )
