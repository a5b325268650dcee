"""What ``inclavared`` counts."""

from __future__ import annotations

from eaa.errors import EAAError
from eaa.services.attested_listener import Observer
from eaa.services.metrics import Family, Metrics

__all__ = ["FAMILIES", "CountingObserver"]

CONNECTIONS = "eaa_inclavared_connections_total"
OPEN_CONNECTIONS = "eaa_inclavared_open_connections"
HANDSHAKES_FAILED = "eaa_inclavared_handshakes_failed_total"
FORWARDED_BYTES = "eaa_inclavared_forwarded_bytes_total"
REQUESTS = "eaa_inclavared_requests_total"
UPSTREAM_CONNECTIONS = "eaa_inclavared_upstream_connections_total"
UPSTREAM_FAILURES = "eaa_inclavared_upstream_failures_total"
UPSTREAM_RECONNECTS = "eaa_inclavared_upstream_reconnects_total"
UPSTREAM_ATTESTED_AT = "eaa_inclavared_upstream_attested_timestamp_seconds"
WORKERS = "eaa_inclavared_workers"
WORKER_RESTARTS = "eaa_inclavared_worker_restarts_total"

FAMILIES: tuple[Family, ...] = (
    Family(CONNECTIONS, "counter", "Downstream connections, whatever came of them."),
    Family(OPEN_CONNECTIONS, "gauge", "Downstream connections that are not over."),
    Family(HANDSHAKES_FAILED, "counter", "Downstream connections that never opened, by code."),
    Family(FORWARDED_BYTES, "counter", "Application bytes forwarded, by direction."),
    Family(REQUESTS, "counter", "What open downstream connections asked for, by kind and outcome."),
    Family(UPSTREAM_CONNECTIONS, "counter", "Attested channels opened to the workload."),
    Family(UPSTREAM_FAILURES, "counter", "Attempts to open one that failed, by code."),
    Family(UPSTREAM_RECONNECTS, "counter", "How often the kept channel was lost and opened again."),
    Family(UPSTREAM_ATTESTED_AT, "gauge", "When the workload was attested last, seconds since 1970.", "max"),
    Family(WORKERS, "gauge", "Processes that serve."),
    Family(WORKER_RESTARTS, "counter", "Processes that ended unasked and were started again."),
)


class CountingObserver(Observer):
    """Counts downstream connections in ``metrics``."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        metrics.put(OPEN_CONNECTIONS, 0)

    def connected(self) -> None:
        self._metrics.add(CONNECTIONS)
        self._metrics.add(OPEN_CONNECTIONS)

    def refused(self, error: EAAError | None) -> None:
        self._metrics.add(HANDSHAKES_FAILED, code=error.code if error else "closed")

    def gone(self) -> None:
        self._metrics.add(OPEN_CONNECTIONS, -1)
