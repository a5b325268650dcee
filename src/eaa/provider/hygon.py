"""Hygon's certificate service: HSK and CEK of a chip [HYGON-CERT]."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eaa.endorsements.fetched import Fetched
from eaa.endorsements.subject import HygonChainSubject, Subject
from eaa.errors import EndorsementNotFound, EndorsementUnavailable
from eaa.evidence.hygon_csv_evidence import HSK_CEK_BYTES
from eaa.provider.addresses import HYGON_URL
from eaa.provider.explained import HYGON_STATUSES
from eaa.provider.limits import HttpLimits
from eaa.provider.upstream import Upstream

if TYPE_CHECKING:
    import httpx

__all__ = ["HYGON_URL", "HygonSource"]


class HygonSource:
    """The service at ``base_url``, or a cache of it."""

    def __init__(
        self, http: httpx.AsyncClient, base_url: str = HYGON_URL, *, limits: HttpLimits | None = None
    ) -> None:
        self._upstream = Upstream(http, "Hygon", base_url, statuses=HYGON_STATUSES, limits=limits)

    @property
    def name(self) -> str:
        return self._upstream.name

    async def fetch(self, subject: Subject) -> Fetched:
        """As :class:`eaa.provider.source.Source`."""
        if not isinstance(subject, HygonChainSubject):
            raise EndorsementNotFound(f"{self.name} has no {subject.key}", detail="kind")
        answer = await self._upstream.get(
            "hsk_cek", {"snumber": subject.chip_id}, asked="HSK and CEK of a Hygon chip"
        )
        if len(answer.body) != HSK_CEK_BYTES:
            raise EndorsementUnavailable(
                f"{answer.what}: expected {HSK_CEK_BYTES} bytes, came {len(answer.body)}", detail="malformed"
            )
        return Fetched(answer.body)
