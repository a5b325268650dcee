"""The Python of docs/guide/snp.md does what the page says, and its table names every rule."""

from __future__ import annotations

import base64
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from eaa.appraisal.policy_snp import SnpPolicy
from eaa.errors import BindingError
from tests.fakes.amd_vendor import NOW, REPORT_DATA, SnpKind, make_snp_guest

PAGE = Path(__file__).parents[3] / "docs" / "guide" / "snp.md"


def page_names() -> dict[str, Any]:
    _, *blocks = PAGE.read_text("utf-8").split("```python\n")
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block.partition("```")[0], names)  # noqa: S102 - the page's own code
    return names


@pytest.mark.parametrize("kind", ["milan-v3", "turin-v5", "milan-vlek-v3"])
def test_the_page(kind: SnpKind) -> None:
    judged = page_names()["judged"]
    guest = make_snp_guest(kind)
    data = base64.b64encode(guest.collect_extended(REPORT_DATA).encode())
    crl, anchors = guest.platform.vendor.crl.der, (guest.trust_anchor,)
    result = judged(data, crl, REPORT_DATA, NOW, anchors)
    assert result.accepted
    assert result.verified.bound == ("report_data",)
    with pytest.raises(BindingError):
        judged(data, crl, bytes(64), NOW, anchors)


def test_the_rules_of_the_page_are_all_of_them() -> None:
    text = PAGE.read_text("utf-8")
    assert all(f"`{item.name}`" in text for item in fields(SnpPolicy))
