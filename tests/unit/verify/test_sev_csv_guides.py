"""The Python of docs/guide/sev.md and docs/guide/csv.md does what the pages say; their tables are whole."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from eaa.errors import BindingError
from eaa.evidence.psp_policy import SevGuestPolicy
from eaa.evidence.sev_launch import SevFirmware, kernel_hashes_table, launch_digest
from eaa.verify.hygon_csv_result import CSV_LIMITS
from eaa.verify.sev_result import SEV_LIMITS
from tests.fakes.hygon_vendor import NOW, REPORT_DATA, make_csv_guest
from tests.fakes.sev_vendor import MNONCE, SevKind, make_sev_guest
from tests.unit.evidence.test_hygon_csv import guest_json

GUIDES = Path(__file__).parents[3] / "docs" / "guide"


def page(name: str) -> tuple[str, dict[str, Any]]:
    """The text of a page, and what its Python defines."""
    text = (GUIDES / name).read_text("utf-8")
    names: dict[str, Any] = {}
    for block in text.split("```python\n")[1:]:
        exec(block.partition("```")[0], names)  # noqa: S102 - the page's own code
    return text, names


@pytest.mark.parametrize("kind", ["naples", "rome-es"])
def test_sev(kind: SevKind) -> None:
    _, names = page("sev.md")
    guest = make_sev_guest(kind)
    data = base64.b64encode(guest.collect_with_platform(MNONCE).encode())
    files, anchors = [guest.platform.vendor.ask.raw], (guest.trust_anchor,)
    assert names["verified"](data, files, MNONCE, NOW, anchors).bound == ("mnonce",)
    with pytest.raises(BindingError):
        names["verified"](data, files, bytes(16), NOW, anchors)


def test_sev_launch() -> None:
    _, names = page("sev.md")
    guest, tik = make_sev_guest("rome-es"), bytes(range(16))
    parts = (b"ovmf", b"kernel", b"initrd", b"cmdline", [bytes(4096)])
    guest.policy = SevGuestPolicy(0x0F)
    guest.launch_digest = launch_digest(parts[0], kernel_hashes_table(*parts[1:4]), parts[4])
    measure = guest.launch_measure(tik, SevFirmware(1, 55, 8), MNONCE)
    assert names["launched"](measure, tik, *parts).launch_digest == guest.launch_digest
    with pytest.raises(BindingError):
        names["launched"](measure, bytes(16), *parts)


def test_csv() -> None:
    _, names = page("csv.md")
    guest = make_csv_guest("csv3-v2")
    files, anchors = [guest.platform.hsk_cek], (guest.trust_anchor,)
    for data in (guest.collect(REPORT_DATA), json.dumps(guest_json(guest)).encode()):
        assert names["verified"](data, files, REPORT_DATA, NOW, anchors).bound == ("report_data",)
        with pytest.raises(BindingError):
            names["verified"](data, files, bytes(64), NOW, anchors)


def test_the_limits_of_the_pages_are_all_of_them() -> None:
    for name, limits in (("sev.md", SEV_LIMITS), ("csv.md", CSV_LIMITS)):
        text, _ = page(name)
        assert all(f"| `{word}` |" in text for word in limits)
