"""What verifying one fetched endorsement establishes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from eaa.endorsements.subject import Subject
from eaa.verify.windows import Windows

__all__ = ["Genuine"]


@dataclass(frozen=True, slots=True, eq=False)
class Genuine:
    """An endorsement that its vendor signed, of ``subject``: constructed only inside ``eaa.verify``.

    Not established: that evidence holds against it, or, where no revocation list was given, that its
    issuers are not revoked.
    """

    subject: Subject
    number: int  # TCB evaluation data number or CRL number; 0 where there is none
    issued: datetime
    windows: Windows  # of it and its issuers, not of the lists that they were judged by

    @property
    def expires(self) -> datetime:
        """The first end of it or an issuer."""
        return self.windows.not_after
