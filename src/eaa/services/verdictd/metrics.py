"""What verdictd counts, under the names of Trustee's metrics so that dashboards carry over.

No label holds a path or anything else that comes from outside: their values are few and known.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

from eaa import __version__
from eaa.broker.release import KEY_PLUGIN, RESOURCE_PLUGIN, Events
from eaa.errors import EAAError

__all__ = ["MULTIPROCESS_VARIABLE", "VerdictdMetrics", "metrics_of_all"]

#: Names the folder through which several processes count together; the library reads it as it is imported.
MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_BYTES = (256, 1024, 4096, 16384, 65536, 262144, 1048576)
_PLUGINS = frozenset({RESOURCE_PLUGIN, KEY_PLUGIN})


def metrics_of_all(folder: str, alive: Collection[int]) -> str:
    """What all processes that count in ``folder`` have counted, in Prometheus' text format.

    Of those whose id is not in ``alive``, what they held when they ended is forgotten.
    """
    for process in {int(path.stem.rpartition("_")[2]) for path in Path(folder).glob("gauge_live*.db")}:
        if process not in alive:
            multiprocess.mark_process_dead(process, path=folder)  # type: ignore[no-untyped-call]  # as below
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]  # the library's is not annotated
    return generate_latest(registry).decode()


class VerdictdMetrics(Events):
    """Counters in ``registry``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # as is the library's

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"kbs_{name}", text, labels, registry=registry)

        self._requests = counter("http_requests", "Requests by status.", "method", "status")
        self._seconds = Histogram(
            "kbs_http_request_duration_seconds", "From head to last byte.", ["method"], buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self._counts: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self.request_bytes = Histogram(
            "kbs_http_request_size_bytes", "Bodies of requests.", buckets=_BYTES, registry=registry
        )
        self._response_bytes = Histogram(
            "kbs_http_response_size_bytes", "Bodies of responses.", buckets=_BYTES, registry=registry
        )
        self.active = Gauge(
            "kbs_http_active_connections", "Requests under way.", registry=registry,
            multiprocess_mode="livesum",
        )  # fmt: skip
        self._auth = counter("auth_requests", "Challenges asked for.")
        self._auth_successes = counter("auth_successes", "Challenges given.")
        self._auth_errors = counter("auth_errors", "Challenges refused.")
        self._attestations = counter("attestation_requests", "Attestations tried.")
        self._attestation_errors = counter("attestation_errors", "Attestations refused.")
        self._successes = counter("attestation_successes", "Attestation results issued.", "tee_type")
        self._failures = counter("attestation_failures", "Evidence refused.", "tee_type", "code")
        self._evaluations = counter("policy_evaluations", "Resource policies evaluated.")
        self._policies = {
            "approved": counter("policy_approvals", "Resource policies that granted."),
            "violated": counter("policy_violations", "Resource policies that did not."),
            "error": counter("policy_errors", "Resource policies that could not be evaluated."),
        }
        self._reads = counter("resource_reads", "Secrets released.")
        self._plugin_requests = counter("plugin_requests", "Secrets asked for.", "plugin_name")
        self._plugin_errors = counter("plugin_errors", "Secrets not released.", "plugin_name")
        self._endorsements = Gauge(
            "verdictd_endorsements", "Fetched endorsements by state.", ["state"], registry=registry,
            multiprocess_mode="livemax",
        )  # fmt: skip
        self._expiry = Gauge(
            "verdictd_endorsement_expiry_timestamp_seconds", "The first end of fetched endorsements by kind.",
            ["kind"], registry=registry, multiprocess_mode="livemin",
        )  # fmt: skip
        self._refreshes = Counter(
            "verdictd_endorsement_refresh_failures", "Endorsements that were due and could not be fetched.",
            registry=registry,
        )  # fmt: skip
        build = Gauge(
            "kbs_build_info", "Always 1.", ["version"], registry=registry, multiprocess_mode="mostrecent"
        )
        build.labels(__version__).set(1)

    def answered(self, method: str, status: int, seconds: float, size: int) -> None:
        """A request of ``method``, which is one of a few, was answered by so many bytes."""
        counts = self._counts.get((method, status))
        if counts is None:
            counts = self._requests.labels(method, str(status)), self._seconds.labels(method)
            self._counts[method, status] = counts
        counts[0].inc()
        counts[1].observe(seconds)
        self._response_bytes.observe(size)

    def challenged(self, error: EAAError | None) -> None:
        self._auth.inc()
        (self._auth_errors if error else self._auth_successes).inc()

    def attested(self, tee: str, error: EAAError | None) -> None:
        self._attestations.inc()
        if error is None:
            self._successes.labels(tee).inc()
        else:
            self._attestation_errors.inc()
            self._failures.labels(tee, error.code).inc()

    def endorsements(self, states: Mapping[str, int], ends: Mapping[str, float], failures: int) -> None:
        """How many fetched endorsements there are by state, the first end by kind, and failures since."""
        for state, count in states.items():
            self._endorsements.labels(state).set(count)
        for kind, end in ends.items():
            self._expiry.labels(kind).set(end)
        self._refreshes.inc(failures)

    def policy(self, outcome: str) -> None:
        self._evaluations.inc()
        self._policies[outcome].inc()

    def released(self, plugin: str, error: EAAError | None) -> None:
        name = plugin if plugin in _PLUGINS else "other"
        self._plugin_requests.labels(name).inc()
        if error is None:
            self._reads.inc()
        else:
            self._plugin_errors.labels(name).inc()
