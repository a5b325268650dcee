"""A quote's own chain and signatures, without any collateral: each step fails alone."""

from __future__ import annotations

import pytest

from eaa.errors import EAAError
from eaa.evidence.dcap_quote import parse_quote_frame
from eaa.verify.dcap_origin import require_origin
from tests.fakes.vendor import (
    KINDS,
    REPORT_DATA,
    Attester,
    Kind,
    make_attester,
    make_platform,
    make_vendor,
    shared_evidence,
)
from tests.unit.verify.test_refusals import WRONG_KEY, change


@pytest.mark.parametrize("kind", KINDS)
def test_a_genuine_quote(kind: Kind) -> None:
    evidence = shared_evidence(kind)
    require_origin(parse_quote_frame(evidence.quote), trust_anchors=(evidence.trust_anchor,))


@pytest.mark.parametrize(
    ("code", "path", "value"),
    [
        ("signature.pck_ca", "ca.signing_key", WRONG_KEY),
        ("chain.pck_ca_not_ca", "ca.ca", False),
        ("signature.pck_certificate", "pck.signing_key", WRONG_KEY),
        ("chain.pck_certificate_is_ca", "pck.ca", True),
        ("signature.qe_report", "enclave.report_signing_key", WRONG_KEY),
        ("binding.qe_report_data", "enclave.report_data", b"\x01" * 64),
        ("signature.quote", "enclave.quote_signing_key", WRONG_KEY),
        ("unsupported.certification_data_type", "attester.certification_type", 1),
    ],
)
def test_one_change_is_one_refusal(code: str, path: str, value: object) -> None:
    attester = make_attester("tdx-v4")
    change(attester, path, value)
    refused(code, attester.collect(REPORT_DATA), attester)


def test_a_chain_of_another_length() -> None:
    attester = make_attester("sgx-v3")
    attester.platform.chain = (attester.platform.pck, attester.platform.vendor.root)
    refused("chain.length", attester.collect(REPORT_DATA), attester)


def test_another_root() -> None:
    another = make_attester("tdx-v4", platform=make_platform(vendor=make_vendor("another")))
    refused("chain.untrusted_root", shared_evidence("tdx-v4").quote, another)


def refused(code: str, quote: bytes, trusted: Attester) -> None:
    with pytest.raises(EAAError) as caught:
        require_origin(parse_quote_frame(quote), trust_anchors=(trusted.trust_anchor,))
    assert caught.value.code == code, str(caught.value)
