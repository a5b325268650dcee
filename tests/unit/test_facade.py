"""The four names at the top, used as a program would."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import eaa
from eaa.attester.simulated import dcap_qvl_json
from eaa.endorsements.bundle import read_endorsements
from eaa.verify.result import Binding
from tests.fakes.vendor import NOW, REPORT_DATA, shared_evidence


def test_from_bytes_to_a_result() -> None:
    evidence = shared_evidence("tdx-v4")
    shapes = (
        evidence.collateral,
        dcap_qvl_json(evidence.collateral),
        read_endorsements("collateral.json", dcap_qvl_json(evidence.collateral)),
    )
    for endorsements in shapes:
        verified = eaa.verify(
            evidence.quote,
            endorsements=endorsements,
            report_data=REPORT_DATA,
            now=NOW,
            trust_anchors=(evidence.trust_anchor,),
        )
        assert verified.bound == Binding(REPORT_DATA).names
        assert eaa.appraise(verified, eaa.Policy()).accepted


def test_simulated_evidence_is_refused_by_default() -> None:
    evidence = shared_evidence("sgx-v3")
    with pytest.raises(eaa.EAAError, match="simulated platform") as caught:
        eaa.verify(evidence.quote, endorsements=evidence.collateral, report_data=None, now=NOW)
    assert caught.value.code == "chain.untrusted_root"


def test_report_data_cannot_be_forgotten() -> None:
    evidence = shared_evidence("sgx-v3")
    with pytest.raises(TypeError, match="report_data"):
        eaa.verify(evidence.quote, endorsements=evidence.collateral, now=NOW)  # type: ignore[call-arg]  # the case


def test_the_function_keeps_its_name_when_its_room_is_imported() -> None:
    importlib.import_module("eaa.verify.dcap")
    assert callable(eaa.verify)
    with pytest.raises(AttributeError):
        _ = eaa.nothing


def test_importing_the_package_imports_no_cryptography() -> None:
    code = "import sys, eaa, eaa.cli.shelter; print('cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
