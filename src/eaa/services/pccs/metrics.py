"""What is counted, and the gauges that say what expires when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from eaa import __version__
from eaa.errors import EAAError
from eaa.services.metrics import Family, Metrics, Sample
from eaa.storage.collateral.records import Document

__all__ = ["FAMILIES", "Events"]

FAMILIES = (
    Family("pccs_requests_total", "counter", "Requests by route and status."),
    Family("pccs_direct_total", "counter", "Requests of these that were answered with bytes made before."),
    Family("pccs_hits_total", "counter", "Documents that were kept and valid, by vendor."),
    Family("pccs_misses_total", "counter", "Documents that had to be fetched, by vendor."),
    Family("pccs_upstream_total", "counter", "What came of asking upstream, by vendor and code."),
    Family("pccs_refreshed_total", "counter", "Documents and platforms fetched anew, by outcome."),
    Family("pccs_platforms", "gauge", "Platforms whose PCK certificates are kept.", "max"),
    Family("pccs_documents", "gauge", "Documents that are kept.", "max"),
    Family(
        "pccs_expiry_timestamp_seconds", "gauge", "When a document expires; of chips the first.",
        "max",
    ),
    Family("pccs_failures", "gauge", "Attempts in a row to fetch a document anew that failed.", "max"),
    Family("pccs_build_info", "gauge", "Always 1.", "max"),
)  # fmt: skip

#: Chips' certificates are too many for a gauge each.
_MANY = "amd/vcek/"


class Events:
    """Counters and gauges of one process."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.direct = 0
        self.metrics.put("pccs_build_info", 1, version=__version__)

    def served(self, route: str, status: int) -> None:
        self.metrics.add("pccs_requests_total", route=route, status=str(status))

    def hit(self, vendor: str) -> None:
        self.metrics.add("pccs_hits_total", vendor=vendor)

    def miss(self, vendor: str) -> None:
        self.metrics.add("pccs_misses_total", vendor=vendor)

    def fetched(self, vendor: str, error: EAAError | None) -> None:
        self.metrics.add("pccs_upstream_total", vendor=vendor, code="ok" if error is None else error.code)

    def refreshed(self, what: str, error: EAAError | None) -> None:
        outcome = "ok" if error is None else "failed"
        self.metrics.add("pccs_refreshed_total", what=what, outcome=outcome)

    def kept(self, documents: Iterable[Document], platforms: int) -> None:
        """All documents, and how many platforms, there are."""
        for key in [key for key in self.metrics.values if key[0] in _STATES]:
            del self.metrics.values[key]
        count, first = 0, None
        for document in documents:
            count += 1
            if document.name.startswith(_MANY):
                first = document.expires_at if first is None else min(first, document.expires_at)
                continue
            self._expiry(document.name, document.expires_at)
            self.metrics.put("pccs_failures", document.failures, document=document.name)
        if first is not None:
            self._expiry(_MANY + "*", first)
        self.metrics.put("pccs_documents", count)
        self.metrics.put("pccs_platforms", platforms)

    def samples(self) -> list[Sample]:
        """For the text of the metrics, or the supervisor."""
        self.metrics.values["pccs_direct_total", ()] = self.direct
        return self.metrics.samples()

    def _expiry(self, name: str, at: datetime) -> None:
        self.metrics.put("pccs_expiry_timestamp_seconds", at.timestamp(), document=name)


_STATES = frozenset({"pccs_expiry_timestamp_seconds", "pccs_failures", "pccs_documents", "pccs_platforms"})
