"""dcap-qvl's collateral, read without a pool: the same value, or none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eaa.attester.simulated import dcap_qvl_json
from eaa.endorsements.bundle import collateral_for, read_endorsements
from eaa.endorsements.bundle_json import parse_dcap_qvl
from eaa.errors import FormatError
from eaa.evidence.dcap_quote import parse_quote_frame
from tests.fakes.vendor import shared_evidence


def document(**changes: Any) -> bytes:
    members = json.loads(dcap_qvl_json(shared_evidence("tdx-v4").collateral)) | changes
    return json.dumps({name: value for name, value in members.items() if value is not ...}).encode()


def test_the_same_as_through_a_pool() -> None:
    evidence = shared_evidence("tdx-v4")
    pool = read_endorsements("collateral.json", document())
    assert collateral_for(parse_quote_frame(evidence.quote), pool) == evidence.collateral
    assert parse_dcap_qvl(document()) == evidence.collateral


@pytest.mark.parametrize("data", [b"", b"\x30\x82", b"-----BEGIN", b'{"tcbInfo":{}}', b"[]"])
def test_another_shape(data: bytes) -> None:
    assert parse_dcap_qvl(data) is None


@pytest.mark.parametrize("name", ["tcb_info", "pck_crl", "qe_identity_signature", "pck_crl_issuer_chain"])
@pytest.mark.parametrize("value", [..., None, ""])
def test_a_part_is_left_out(name: str, value: object) -> None:
    assert parse_dcap_qvl(document(**{name: value})) is None


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("tcb_info", 1, "tcb_info"),
        ("tcb_info_signature", "00" * 63, "tcb_info_signature"),
        ("root_ca_crl", "xyz", "root_ca_crl"),
        ("pck_crl_issuer_chain", ["a"], "pck_crl_issuer_chain"),
    ],
)
def test_a_part_of_another_type(name: str, value: object, field: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_dcap_qvl(document(**{name: value}))
    assert caught.value.field == field
