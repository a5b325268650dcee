"""What is believed: verification of what came, as :mod:`eaa.verify.fetched` has it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from eaa.endorsements.fetched import Fetched
from eaa.endorsements.pck import PckExtension, parse_pck_extension
from eaa.endorsements.subject import (
    AmdCrlSubject,
    PckCertificateSubject,
    PckCrlSubject,
    RootCaCrlSubject,
    Subject,
)
from eaa.endorsements.x509 import parse_certificate
from eaa.errors import EAAError, EndorsementError, FormatError
from eaa.storage.collateral.records import Document
from eaa.verify.fetched import TrustRoot, require_supersedes, verify_fetched
from eaa.verify.fetched_result import Genuine

__all__ = ["Judge", "expiry_of"]

#: The window of a list among the windows of what its issuer issued.
_LISTS = frozenset({"root_ca_crl", "pck_crl", "crl"})
_OWN_LIST: dict[type[Subject], str] = {
    RootCaCrlSubject: "root_ca_crl",
    PckCrlSubject: "pck_crl",
    AmdCrlSubject: "crl",
}


class Judge:
    """Believes ``anchors`` and no other root."""

    def __init__(self, anchors: Sequence[TrustRoot]) -> None:
        self._anchors = tuple(anchors)

    def verify(self, subject: Subject, fetched: Fetched, crls: Sequence[bytes], now: datetime) -> Genuine:
        """As :func:`eaa.verify.fetched.verify_fetched`; what is malformed is not genuine either.

        Raises:
            VerificationError, EndorsementNotFound, UnsupportedError
        """
        try:
            return verify_fetched(subject, fetched, trust_anchors=self._anchors, crls=crls, now=now)
        except FormatError as error:
            raise EndorsementError(f"{subject.key}: {error}", detail="malformed") from None

    def require_newer(self, new: Genuine, old: Document) -> None:
        """Holds if ``new`` may take the place of ``old``, which was verified when it was fetched.

        Raises:
            EndorsementStale: ``endorsement_stale.rollback``.
        """
        try:
            kept = self.verify(new.subject, Fetched(old.body, old.chain.encode()), (), old.fetched_at)
        except EAAError:
            return  # nothing that is believed today
        require_supersedes(new, kept)

    def pck_certificate(
        self,
        tcbm: str,
        fetched: Fetched,
        fmspc: str,
        pce_id: str,
        crls: Sequence[bytes],
        now: datetime,
    ) -> PckExtension:
        """One PCK certificate of a platform: genuine, of this FMSPC and PCE, for exactly the TCB ``tcbm``.

        Raises:
            VerificationError, EndorsementNotFound
        """
        tcb = bytes.fromhex(tcbm)
        subject = PckCertificateSubject(
            qe_id=bytes(16), pce_id=bytes.fromhex(pce_id), cpu_svn=tcb[:16],
            pce_svn=int.from_bytes(tcb[16:], "little"), fmspc=bytes.fromhex(fmspc),
        )  # fmt: skip
        self.verify(subject, fetched, crls, now)
        pck = parse_pck_extension(parse_certificate(fetched.body))
        if pck.cpu_svn + pck.pce_svn.to_bytes(2, "little") != tcb:
            raise EndorsementError(
                f"a PCK certificate that came for TCB {tcbm} is for another TCB", detail="pck_tcbm"
            )
        return pck


def expiry_of(genuine: Genuine) -> datetime:
    """The first end of it or of a certificate of its chain; lists it was judged by have their own."""
    own = _OWN_LIST.get(type(genuine.subject))
    return min(
        window.not_after
        for window in genuine.windows.items
        if window.detail == own or window.detail not in _LISTS
    )
