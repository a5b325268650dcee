"""Input that is understood and cannot be used: each with its own code."""

from __future__ import annotations

import pytest

from eaa.cli.simulated_fields import simulated_fields
from eaa.errors import ConfigError
from tests.cli.conftest import Files
from tests.cli.running import run


def test_a_bare_report_is_of_its_own_machine_only(guest: Files, enclave: Files) -> None:
    for files in (guest, enclave):
        report = files.write("report.bin", files.attester.report.raw)
        done = run("verify", report, "-o", "json")
        assert (done.code, done.json["verdict"]) == (20, "unsupported")
        assert done.json["code"] == "unsupported.local_report"


@pytest.mark.parametrize(
    ("attester", "name", "field", "length"),
    [
        ("simulated", "EAA_SIMULATED_MRENCLAVE", "mr_enclave", 32),
        ("simulated-tdx", "EAA_SIMULATED_MRTD", "mr_td", 48),
        ("simulated-tdx", "EAA_SIMULATED_RTMR1", "rt_mr1", 48),
    ],
)
def test_the_simulated_measurement_of_the_environment(
    attester: str, name: str, field: str, length: int
) -> None:
    assert simulated_fields(attester, {}) == simulated_fields(attester, {name: ""}) == {}
    assert simulated_fields(attester, {name: "11" * length}) == {field: b"\x11" * length}
    other = "simulated" if attester == "simulated-tdx" else "simulated-tdx"
    assert simulated_fields(other, {name: "11" * length}) == {}
    for wrong in ("zz" * length, "11" * (length - 1)):
        with pytest.raises(ConfigError, match=name) as caught:
            simulated_fields(attester, {name: wrong})
        assert caught.value.code == "config.simulated_field"
