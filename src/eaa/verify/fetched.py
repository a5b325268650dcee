"""One fetched endorsement, judged by itself: is it genuine, of what was asked for, and not a rollback.

 1. Its issuer chain leads to a trust anchor, and no given revocation list has a certificate of it.
 2. Its vendor signed the received bytes.
 3. It is of the subject that was asked for: FMSPC and TEE, enclave, CA, product, chip and TCB.
 4. All of 1 and 2 are within their validity period at ``now``.
 5. By :func:`supersedes`: it is not older than what is there already.

What holds 1 to 4 may be stored; only with 5 does it replace another. This is not verification of evidence,
which judges everything again, together.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from eaa.endorsements.fetched import MAX_FETCHED_BYTES, Fetched
from eaa.endorsements.hygon_certificate import HygonCaCertificate
from eaa.endorsements.subject import (
    AmdChainSubject,
    AmdCrlSubject,
    IdentitySubject,
    PckCertificateSubject,
    PckCrlSubject,
    RootCaCrlSubject,
    Subject,
    TcbInfoSubject,
    VekSubject,
)
from eaa.endorsements.x509 import Certificate
from eaa.errors import EndorsementStale, FormatError, UsageError
from eaa.verify import fetched_amd, fetched_hygon, fetched_intel
from eaa.verify.fetched_lists import Lists
from eaa.verify.fetched_result import Genuine

__all__ = ["TrustRoot", "require_supersedes", "supersedes", "verify_fetched"]

#: Roots that are believed: X.509 certificates of Intel and AMD, and Hygon's in its own format.
TrustRoot = Certificate | HygonCaCertificate


def verify_fetched(
    subject: Subject,
    fetched: Fetched,
    *,
    trust_anchors: Sequence[TrustRoot],
    crls: Sequence[bytes],
    now: datetime,
) -> Genuine:
    """``fetched``, which was asked for as ``subject``, verified at ``now``.

    Args:
        trust_anchors: the only roots believed: the pinned ones, or a simulated vendor's.
        crls: revocation lists, DER, by which the certificates of the issuer chain are judged. Each is
            verified itself; those of other issuers are left aside. Without one nothing is known of
            revocation, which verification of evidence asks for in any case.
        now: aware, UTC.

    Raises:
        UsageError: ``now`` is naive.
        FormatError, UnsupportedError: malformed, larger than 4 MiB, or of a kind that is not known.
        ConfigError: SM2 is needed, and the extra ``csv`` is not installed.
        EndorsementNotFound: the issuer chain is missing.
        EndorsementError: it is of another subject.
        ChainError, SignatureError, RevokedError, ValidityPeriodError
    """
    if now.tzinfo is None:
        raise UsageError("now must be an aware datetime", detail="naive_datetime")
    size = max(len(fetched.body), len(fetched.issuer_chain))
    if size > MAX_FETCHED_BYTES:
        raise FormatError(
            f"{size} bytes exceed {MAX_FETCHED_BYTES}", what="endorsement", field="length", detail="too_large"
        )
    genuine = _verify(subject, fetched, tuple(trust_anchors), Lists(tuple(crls), now))
    genuine.windows.require(now)
    return genuine


def _verify(subject: Subject, fetched: Fetched, roots: tuple[TrustRoot, ...], lists: Lists) -> Genuine:
    anchors = [root for root in roots if isinstance(root, Certificate)]
    match subject:
        case TcbInfoSubject():
            genuine = fetched_intel.verify_tcb_info(subject, fetched, anchors, lists)
        case IdentitySubject():
            genuine = fetched_intel.verify_identity(subject, fetched, anchors, lists)
        case PckCrlSubject():
            genuine = fetched_intel.verify_pck_crl(subject, fetched, anchors, lists)
        case RootCaCrlSubject():
            genuine = fetched_intel.verify_root_ca_crl(subject, fetched, anchors)
        case PckCertificateSubject():
            genuine = fetched_intel.verify_pck_certificate(subject, fetched, anchors, lists)
        case AmdChainSubject():
            genuine = fetched_amd.verify_chain(subject, fetched, anchors, lists)
        case AmdCrlSubject():
            genuine = fetched_amd.verify_crl(subject, fetched, anchors)
        case VekSubject():
            genuine = fetched_amd.verify_vek_certificate(subject, fetched, anchors, lists)
        case _:
            hrks = [root for root in roots if isinstance(root, HygonCaCertificate)]
            genuine = fetched_hygon.verify_hygon_chain(subject, fetched, hrks)
    return genuine


def supersedes(new: Genuine, old: Genuine) -> bool:
    """Whether ``new`` may replace ``old``, of the same subject: neither its number nor its date is lower.

    The number is the TCB evaluation data number or the CRL number, the date that of issue.

    Raises:
        UsageError: they are of two subjects.
    """
    if new.subject.key != old.subject.key:
        raise UsageError(
            f"{new.subject.key} and {old.subject.key} are not the same subject", detail="subject"
        )
    return new.number >= old.number and new.issued >= old.issued


def require_supersedes(new: Genuine, old: Genuine) -> None:
    """Holds if ``new`` may replace ``old``.

    Raises:
        EndorsementStale: ``endorsement_stale.rollback``: it is older, which an attacker between us and the
            vendor, or a stale cache, would bring about.
    """
    if not supersedes(new, old):
        raise EndorsementStale(
            f"{new.subject.key}: what came is older than what is there: number {new.number} of "
            f"{new.issued:%Y-%m-%dT%H:%M:%SZ}, there is {old.number} of {old.issued:%Y-%m-%dT%H:%M:%SZ}",
            detail="rollback", subject=new.subject.key,
        )  # fmt: skip
