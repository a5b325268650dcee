"""AMD SEV and SEV-ES verification: every step that must hold, in the order in which it is established.

 1. The ARK is byte for byte a trust anchor, is an ARK and certifies itself.
 2. The ASK is an ASK, names the ARK as its issuer, and is signed by it.
 3. The CEK certificate is of a CEK, has a P-384 key, and is signed by the ASK.
 4. The OCA certificate is of an OCA, has a P-384 key, and is signed by itself.
 5. The PEK certificate is of a PEK, has a P-384 key, and is signed by the OCA and by the CEK.
 6. A PDH certificate, if there is one, is of a PDH, has a P-384 key, and is signed by the PEK.
 7. The report names the PEK's algorithm, and the PEK signed its bytes 0 to 0x33.
 8. The nonce is the expected one, over all bytes.

1–2 are remembered by the bytes of ASK and ARK, and the anchors; 3–6 by the bytes of the platform's
certificates on top of that; 7–8 are done at each call. Six signatures are checked for a report of which
nothing is known, seven with a PDH, one less for a new platform under a known ASK, one for a known platform.
Nothing is fetched. AMD's certificates in this format have no validity period, and nothing revokes them.

What a SEV report cannot prove is said in the result: :data:`eaa.verify.sev_result.SEV_LIMITS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from eaa.endorsements.sev_ca import SevCaCertificate
from eaa.endorsements.sev_endorsements import SevEndorsements
from eaa.endorsements.sev_roots import sev_ark_name, sev_product
from eaa.errors import BindingError, SignatureError, UsageError
from eaa.evidence.sev import parse_sev_report
from eaa.verify.memo import BoundedMemo
from eaa.verify.primitives import equal
from eaa.verify.result import TrustAnchor
from eaa.verify.sev_chain import (
    VerifiedSevAuthorities,
    VerifiedSevPlatform,
    verify_sev_authorities,
    verify_sev_platform,
)
from eaa.verify.sev_result import VerifiedSevEvidence
from eaa.verify.sev_signatures import verify_sev_ecdsa

__all__ = ["MNONCE_BYTES", "SevMemo", "verify_sev_report"]

MNONCE_BYTES = 16
#: A verifier's memo: ASKs by their bytes and anchors, each with the platforms seen under it.
SevMemo = BoundedMemo[VerifiedSevAuthorities]


def verify_sev_report(
    data: bytes,
    *,
    endorsements: SevEndorsements,
    trust_anchors: Sequence[SevCaCertificate],
    mnonce: bytes | None,
    now: datetime,
    memo: SevMemo,
) -> VerifiedSevEvidence:
    """The report in ``data``, verified against ``endorsements``.

    Args:
        data: an attestation report, exactly its 208 bytes.
        endorsements: of the platform that made the report.
        trust_anchors: the only roots believed, e.g. ``AMD_SEV_ARKS.values()``.
        mnonce: the nonce that the host was given, 16 bytes; ``None``: not compared, and said so.
        now: aware, UTC; only noted in the result.
        memo: what earlier calls verified; a new one verifies everything.

    Raises:
        UsageError: ``now`` is naive, or the nonce has another length.
        FormatError
        EndorsementNotFound: names what is missing.
        VerificationError: a leaf of it names the step that does not hold.
    """
    if now.tzinfo is None:
        raise UsageError("now must be an aware datetime", detail="naive_datetime")
    if mnonce is not None and len(mnonce) != MNONCE_BYTES:
        raise UsageError(f"a nonce has {MNONCE_BYTES} bytes, came {len(mnonce)}", detail="mnonce_length")
    report = parse_sev_report(data)

    # 1.–6. Endorsements.
    authorities, platform = _verified(endorsements, tuple(trust_anchors), memo)

    # 7. Report. What names the algorithm is not signed, so that the PEK's certificate decides.
    body = report.body
    if body.sig_algo != platform.pek.algorithm:
        raise SignatureError("the report is not signed with the PEK's algorithm", detail="report_algorithm")
    signature = body.signature_r + body.signature_s
    verify_sev_ecdsa(platform.key, platform.pek.algorithm, signature, report.signed, "SEV report", "report")

    # 8. Nonce.
    if mnonce is not None and not equal(mnonce, body.mnonce):
        raise BindingError("the nonce is not the expected one", detail="mnonce")
    ark = authorities.ark
    return VerifiedSevEvidence(
        tee="sev",
        report=report,
        platform=platform,
        product=sev_product(ark),
        trust_anchor=TrustAnchor.of_bytes(sev_ark_name(ark), ark.raw),
        verified_at=now,
        endorsements_issued=None,
        endorsements_expire=None,
        bound=() if mnonce is None else ("mnonce",),
    )


def _verified(
    endorsements: SevEndorsements, anchors: tuple[SevCaCertificate, ...], memo: SevMemo
) -> tuple[VerifiedSevAuthorities, VerifiedSevPlatform]:
    # All parts have a bounded size by their format, so that all are worth remembering.
    key = (endorsements.authorities, tuple([anchor.raw for anchor in anchors]))
    authorities = memo.get(key)
    if authorities is None:
        authorities = verify_sev_authorities(endorsements, anchors)
        memo.put(key, authorities)
    platform = authorities.platforms.get(endorsements.platform)
    if platform is None:
        platform = verify_sev_platform(endorsements, authorities)
        authorities.platforms.put(endorsements.platform, platform)
    return authorities, platform
