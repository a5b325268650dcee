"""Intel DCAP verification: every step that must hold, in the order in which it is established.

 1. The root of the collateral is byte for byte a trust anchor; its revocation list is signed by it
    and does not list it.
 2. The TCB signing certificate is issued by the root, may sign, and is not revoked; it signed the
    received bytes of the TCB info.
 3. The same for the QE identity.
 4. Every certificate, list and document of 1–3 is within its validity period at ``now``.
 5. The PCK certificate is issued by a PCK CA under the same root; neither is revoked, by lists whose
    signatures and periods hold too.
 6. The PCK key signed the received bytes of the QE report.
 7. The QE report data is SHA-256(attestation key ‖ authentication data), then 32 zero bytes.
 8. The quoting enclave is Intel's for this TEE: MRSIGNER, ISVPRODID, MISCSELECT and ATTRIBUTES under
    their masks; it meets a TCB level. FMSPC and PCEID of the PCK certificate are those of the TCB info.
 9. The TCB info and the QE identity are of the quote's TEE.
10. All certificates and lists of 5 are within their validity period at ``now``.
11. The attestation key signed the received bytes of header and body.
12. The platform meets a TCB level; a TDX module is one of Intel's and meets a level; the status is
    converged from platform, module and quoting enclave.
13. Report data and configuration are the expected ones, over all bytes.

1–4 are remembered by the bytes of the collateral and the anchors, 5–8 by the exact bytes of the
certification on top of that; 4 and 9–13 are done at each call. At most nine signatures are checked
for a quote of which nothing is known, seven under Intel's own root, whose two signatures over pinned
certificates are known to hold [docs/adr/0017]; three for a new platform under known collateral, one for
a known platform.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.x509 import Certificate
from eaa.errors import EndorsementError, UsageError
from eaa.evidence.dcap_quote import DcapQuote, parse_quote_frame
from eaa.verify.collateral import verify_collateral
from eaa.verify.dcap_result import VerifiedDcapEvidence
from eaa.verify.dcap_tees import DCAP_TEES, DcapTee
from eaa.verify.ecdsa import CRYPTOGRAPHY, EcdsaLibrary
from eaa.verify.memo import MAX_REMEMBERED_BYTES, BoundedMemo
from eaa.verify.platform import verify_platform
from eaa.verify.primitives import require_bound, verify_p256_raw
from eaa.verify.result import Binding
from eaa.verify.state import VerifiedCollateral, VerifiedPlatform
from eaa.verify.tcb import TcbEvaluation

__all__ = ["Memo", "verify_parsed_quote", "verify_quote"]

#: Collateral has some 20 KiB; what is larger is verified anew each time.
_MAX_COLLATERAL_BYTES = 256 * 1024
#: A verifier's memo: collateral by its bytes and anchors.
Memo = BoundedMemo[VerifiedCollateral]


def verify_quote(
    data: bytes,
    *,
    collateral: IntelCollateral,
    trust_anchors: Sequence[Certificate],
    binding: Binding,
    now: datetime,
    memo: Memo,
    ecdsa: EcdsaLibrary = CRYPTOGRAPHY,
) -> VerifiedDcapEvidence:
    """The quote in ``data``, verified against ``collateral`` at ``now``.

    Args:
        data: a DCAP quote, version 3, 4 or 5, exactly.
        collateral: of the platform that made the quote.
        trust_anchors: the only roots believed, e.g. ``INTEL_SGX_ROOTS``.
        binding: what report data and configuration must be.
        now: aware, UTC.
        memo: what earlier calls verified; a new one verifies everything.
        ecdsa: the library that checks signatures; what another one verified is not remembered for it.

    Raises:
        UsageError: ``now`` is naive, or an expected value has the wrong length.
        FormatError, UnsupportedError, EndorsementNotFound
        VerificationError: a leaf of it names the step that does not hold.
    """
    return verify_parsed_quote(
        parse_quote_frame(data), collateral=collateral, trust_anchors=trust_anchors, binding=binding, now=now,
        memo=memo, ecdsa=ecdsa,
    )  # fmt: skip


def verify_parsed_quote(
    quote: DcapQuote,
    *,
    collateral: IntelCollateral,
    trust_anchors: Sequence[Certificate],
    binding: Binding,
    now: datetime,
    memo: Memo,
    ecdsa: EcdsaLibrary = CRYPTOGRAPHY,
) -> VerifiedDcapEvidence:
    """As :func:`verify_quote`, for who has parsed the quote already, by :func:`parse_quote_frame`."""
    if now.tzinfo is None:
        raise UsageError("now must be an aware datetime", detail="naive_datetime")
    tee = quote.tee
    scheme = DCAP_TEES[tee]

    # 1.–4. Collateral.
    anchors = tuple(trust_anchors)
    verified = _collateral(collateral, anchors, now, memo, ecdsa)

    # 9. Before the rest, so that collateral of the wrong kind is named as such.
    if verified.tcb_info.tee != tee:
        raise EndorsementError(
            f"the TCB info is for {verified.tcb_info.tee.upper()}, the quote is of {tee.upper()}",
            detail="tcb_info_tee",
        )

    # 5.–8. Platform.
    platform = _platform(quote, collateral, verified, anchors, scheme.QE_ID)

    # 10. Periods of the platform's certificates, at each call.
    platform.windows.require(now)

    # 11. Quote.
    verify_p256_raw(platform.attestation_key, quote.signature, quote.signed, "quote", "quote")

    # 12. TCB.
    tcb = _tcb(quote, verified, platform, scheme)

    # 13. Bindings.
    if binding.report_data is not None:
        require_bound("report data", "report_data", binding.report_data, quote.body.report_data)
    if binding.config_id is not None:
        require_bound("configuration id", "config_id", binding.config_id, scheme.config_id(quote))
    return VerifiedDcapEvidence(
        tee=tee,
        quote=quote,
        pck=platform.pck,
        tcb=tcb,
        root=verified.root,
        trust_anchor=verified.trust_anchor,
        verified_at=now,
        endorsements_issued=verified.issued,
        endorsements_expire=min(verified.windows.not_after, platform.windows.not_after),
        bound=binding.names,
    )


def _collateral(
    collateral: IntelCollateral,
    anchors: tuple[Certificate, ...],
    now: datetime,
    memo: Memo,
    ecdsa: EcdsaLibrary,
) -> VerifiedCollateral:
    key = (collateral.parts, tuple([anchor.der for anchor in anchors]), ecdsa)
    known = memo.get(key)
    if known is None:
        known = verify_collateral(collateral, anchors, now, ecdsa)
        if sum([len(part) for part in collateral.parts if part is not None]) <= _MAX_COLLATERAL_BYTES:
            memo.put(key, known)
    else:
        known.windows.require(now)
    return known


def _platform(
    quote: DcapQuote,
    collateral: IntelCollateral,
    verified: VerifiedCollateral,
    anchors: tuple[Certificate, ...],
    qe_id: str,
) -> VerifiedPlatform:
    key = (quote.signed[:2], qe_id, quote.attestation_key)
    known = verified.platforms.get(key)
    if known is None or known.certification != quote.certification:
        known = verify_platform(quote, collateral, verified, anchors, qe_id)
        if len(quote.certification) <= MAX_REMEMBERED_BYTES:
            verified.platforms.put(key, known)
    return known


def _tcb(
    quote: DcapQuote,
    verified: VerifiedCollateral,
    platform: VerifiedPlatform,
    scheme: DcapTee,
) -> TcbEvaluation:
    key = (platform.svns, scheme.evaluation_key(quote))
    known = verified.evaluations.get(key)
    if known is None:
        known = scheme.evaluate(quote, verified, platform)
        verified.evaluations.put(key, known)
    return known
