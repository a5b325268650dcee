"""The revocation lists by which a fetched endorsement's issuers are judged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from eaa.endorsements.crl import CertificateRevocationList, parse_crl
from eaa.verify.path import crl_window
from eaa.verify.windows import Windows

__all__ = ["Lists"]


@dataclass(frozen=True, slots=True)
class Lists:
    """Lists in DER, of any issuers, none of them verified; and the time at which they are asked."""

    ders: tuple[bytes, ...]
    now: datetime

    def latest(self, issuer: bytes, what: str, detail: str) -> CertificateRevocationList | None:
        """The latest list of ``issuer``, a Name in DER, valid now but not verified; ``None`` without one.

        Raises:
            FormatError: a list is malformed.
            ValidityPeriodError: the latest is not valid now.
        """
        own = [crl for der in self.ders if (crl := parse_crl(der, what=what)).issuer == issuer]
        if not own:
            return None
        latest = max(own, key=_this_update)
        Windows.of((crl_window(latest, what, detail),)).require(self.now)
        return latest


def _this_update(crl: CertificateRevocationList) -> datetime:
    return crl.this_update
