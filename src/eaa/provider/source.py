"""Where one endorsement can be asked for. What a source answers is not verified yet."""

from __future__ import annotations

from typing import Protocol

from eaa.endorsements.fetched import Fetched
from eaa.endorsements.subject import Subject

__all__ = ["Source"]


class Source(Protocol):
    """One place. Those of this room: PCS, PCCS, KDS, Hygon's service, a folder, a bundle, Trustee's store."""

    @property
    def name(self) -> str:
        """What errors and the cache call it, e.g. ``"PCS https://api.trustedservices.intel.com"``."""
        ...

    async def fetch(self, subject: Subject) -> Fetched:
        """The endorsement of ``subject`` as it is there; a VEK's may come without its chain.

        Raises:
            EndorsementNotFound: it is not there, or nothing of its kind is.
            EndorsementUnavailable: the place did not answer, or not as it should.
        """
        ...
