"""Each signature that is taken as known, checked by ``cryptography``'s own reading of both ends."""

from __future__ import annotations

import dataclasses

import pytest
from cryptography import x509

from eaa.attester.simulated import SimulatedPlatform, SimulatedSgxEnclave, SimulatedVendor
from eaa.endorsements.amd_roots import AMD_ARKS, AMD_ISSUERS
from eaa.endorsements.intel_issuers import INTEL_SGX_ISSUERS
from eaa.endorsements.pinned import PINNED, SIGNED, known_to_be_signed
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.endorsements.x509 import Certificate, parse_certificate
from tests.fakes.amd_vendor import NOW

ISSUERS = (*INTEL_SGX_ISSUERS, *AMD_ISSUERS)
ROOTS = (*INTEL_SGX_ROOTS, *AMD_ARKS)


def name(pair: tuple[Certificate, Certificate]) -> str:
    return f"{pair[0].common_name} {pair[0].not_after:%Y} under {pair[1].not_after:%Y}"


@pytest.mark.parametrize("pair", SIGNED, ids=name)
def test_every_signature_that_is_known_to_hold_does(pair: tuple[Certificate, Certificate]) -> None:
    certificate, issuer = (x509.load_der_x509_certificate(item.der) for item in pair)
    certificate.verify_directly_issued_by(issuer)
    assert known_to_be_signed(*pair)


def test_every_issuer_has_its_root_and_no_root_stands_for_another_vendors() -> None:
    assert {item.der for item, _ in SIGNED} == {item.der for item in ISSUERS}
    for item in ISSUERS:
        for root in ROOTS:
            assert known_to_be_signed(item, root) is (item.issuer == root.subject)


def test_a_root_is_not_known_to_have_signed_itself() -> None:
    assert not any(known_to_be_signed(root, root) for root in ROOTS)


def test_another_certificate_or_key_is_not_known() -> None:
    issuer, root = SIGNED[0]
    other = issuer.der[:-1] + bytes((issuer.der[-1] ^ 1,))
    assert not known_to_be_signed(parse_certificate(other), root)
    assert not known_to_be_signed(dataclasses.replace(issuer, der=other), root)
    simulated = SimulatedSgxEnclave(SimulatedPlatform(SimulatedVendor(now=NOW))).trust_anchor
    assert not known_to_be_signed(issuer, dataclasses.replace(simulated, subject=root.subject))


def test_what_is_pinned_is_found_by_its_bytes_and_by_its_text() -> None:
    assert set(PINNED.by_der) == {item.der for item in (*ISSUERS, *ROOTS)} == set(PINNED.ders.values())
