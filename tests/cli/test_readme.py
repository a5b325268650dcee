"""What README shows works as it is written there."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import eaa
from eaa.attester.simulated import SimulatedPlatform, SimulatedTdxGuest, SimulatedVendor, dcap_qvl_json
from eaa.verify import schemes

README = Path(__file__).parents[2] / "README.md"


def test_the_python_example(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    vendor = SimulatedVendor(now=datetime.now(UTC))
    guest = SimulatedTdxGuest(SimulatedPlatform(vendor))
    # The example believes Intel's roots; here this vendor stands in for Intel.
    monkeypatch.setattr(schemes, "INTEL_SGX_ROOTS", (guest.trust_anchor,))
    names: dict[str, Any] = {
        "challenge": bytes(range(64)),
        "quote": guest.collect(bytes(range(64))),
        "endorsements": dcap_qvl_json(guest.endorsements()),
    }
    exec(example, names)  # noqa: S102 - the example is ours
    assert capsys.readouterr().out.startswith("True accepted no measurement was compared")


def test_the_commands_are_there() -> None:
    text = README.read_text()
    makefile = (README.parent / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", text, re.MULTILINE):
        assert f"\n{target}:" in makefile
    assert eaa.__version__
