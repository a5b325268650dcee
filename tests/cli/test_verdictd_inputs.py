"""What ``verdictd`` makes of its configuration for the attested channel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eaa.cli.verdictd_inputs import channel_config, evidence_source
from eaa.services.verdictd.config import load_config
from tests.fakes.simulated_amd import seed_simulated_amd


@pytest.mark.parametrize(
    ("channel", "seconds"),
    [({}, 60), ({"profile": "ratls-cert"}, None), ({"mutual": False}, None)],
)
def test_evidence_on_an_open_channel_is_renewed_as_tokens_are(
    tmp_path: Path, channel: dict[str, Any], seconds: float | None
) -> None:
    seed_simulated_amd(tmp_path / "vendor")
    flags = {
        "verification": {"simulated": True, "simulated_directory": tmp_path / "vendor"},
        "channel": {"attester": "simulated-tdx", **channel},
        "tokens": {"seconds": 60},
    }
    config = load_config(None, flags, {})
    evidence, _ = evidence_source(config)
    made, _ = channel_config(config, evidence)
    assert made is not None
    assert made.reattest_seconds == seconds
