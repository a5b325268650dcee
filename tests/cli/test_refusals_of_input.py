"""Input that is understood and cannot be used: each with its own code."""

from __future__ import annotations

import pytest

from eaa.cli import channel_options
from eaa.errors import ConfigError
from tests.cli.conftest import Files
from tests.cli.running import run


def test_a_bare_report_is_of_its_own_machine_only(guest: Files, enclave: Files) -> None:
    for files in (guest, enclave):
        report = files.write("report.bin", files.attester.report.raw)
        done = run("verify", report, "-o", "json")
        assert (done.code, done.json["verdict"]) == (20, "unsupported")
        assert done.json["code"] == "unsupported.local_report"


def test_the_simulated_measurement_of_the_environment() -> None:
    read, name = channel_options._simulated_fields, channel_options.SIMULATED_MR_ENCLAVE
    assert read({}) == read({name: ""}) == {}
    assert read({name: "11" * 32}) == {"mr_enclave": b"\x11" * 32}
    for wrong in ("zz" * 32, "11" * 31):
        with pytest.raises(ConfigError, match=name) as caught:
            read({name: wrong})
        assert caught.value.code == "config.simulated_mr_enclave"
