"""What several processes have counted, also those that are gone: their counts stay, what they held goes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from eaa.services.verdictd.metrics import MULTIPROCESS_VARIABLE, metrics_of_all

_WORKER = """
from prometheus_client import CollectorRegistry
from eaa.services.verdictd.metrics import VerdictdMetrics
metrics = VerdictdMetrics(CollectorRegistry())
metrics.challenged(None)
metrics.active.inc()
metrics.endorsements({}, {"intel/crl": 1.0}, 0)
"""


def test_a_process_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, MULTIPROCESS_VARIABLE: str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", _WORKER], env=environment) as worker:
        assert worker.wait(60) == 0
    text = metrics_of_all(str(tmp_path), {worker.pid})
    assert "kbs_http_active_connections 1.0" in text
    assert "verdictd_endorsement_expiry_timestamp_seconds{" in text
    text = metrics_of_all(str(tmp_path), set())
    assert "kbs_http_active_connections 1.0" not in text
    assert "verdictd_endorsement_expiry_timestamp_seconds{" not in text
    assert "kbs_auth_requests_total 1.0" in text
