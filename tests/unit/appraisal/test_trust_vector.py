"""Tiers and the trust vector, against the tables of the AR4SI draft."""

from __future__ import annotations

import pytest

from eaa.appraisal.trust_vector import Tier, TrustVector, tier_of


@pytest.mark.parametrize(
    ("values", "tier"),
    [
        ((-1, 0, 1), Tier.NONE),
        ((2, 31, -2, -32), Tier.AFFIRMING),
        ((32, 95, -33, -96), Tier.WARNING),
        ((96, 127, -97, -128), Tier.CONTRAINDICATED),
    ],
)
def test_tier_boundaries(values: tuple[int, ...], tier: Tier) -> None:
    assert [tier_of(value) for value in values] == [tier] * len(values)


def test_labels() -> None:
    assert [tier.label for tier in Tier] == ["none", "affirming", "warning", "contraindicated"]
    assert [int(tier) for tier in Tier] == [0, 2, 32, 96]


def test_the_worst_value_of_a_claim_counts() -> None:
    vector = TrustVector.of([("hardware", 2), ("configuration", 36), ("configuration", 3), ("hardware", 32)])
    assert vector == TrustVector(hardware=32, configuration=36)


def test_the_tier_is_that_of_the_worst_claim_made() -> None:
    assert TrustVector().tier is Tier.NONE
    assert TrustVector(hardware=2).tier is Tier.AFFIRMING
    assert TrustVector(hardware=2, executables=33).tier is Tier.WARNING
    assert TrustVector(hardware=32, runtime_opaque=96).tier is Tier.CONTRAINDICATED


def test_names_in_json() -> None:
    assert TrustVector(runtime_opaque=2).to_dict() == {
        "instance-identity": 0,
        "configuration": 0,
        "executables": 0,
        "file-system": 0,
        "hardware": 0,
        "runtime-opaque": 2,
        "storage-opaque": 0,
        "sourced-data": 0,
    }
