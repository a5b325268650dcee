"""HSK and CEK of a chip, judged by themselves."""

from __future__ import annotations

import pytest

from eaa.attester.simulated.hygon_vendor import SimulatedCsvPlatform, SimulatedHygonVendor
from eaa.endorsements.fetched import Fetched
from eaa.endorsements.subject import HygonChainSubject
from eaa.errors import EAAError
from eaa.verify.fetched_hygon import verify_hygon_chain

SUBJECT = HygonChainSubject("T1")
VENDOR = SimulatedHygonVendor()
CHAIN = SimulatedCsvPlatform(VENDOR).hsk_cek


def test_a_genuine_chain_holds_at_all_times() -> None:
    genuine = verify_hygon_chain(SUBJECT, Fetched(CHAIN), trust_anchors=(VENDOR.trust_anchor,))
    assert (genuine.subject, genuine.number) == (SUBJECT, 0)
    assert (genuine.windows.not_before.year, genuine.expires.year) == (1, 9999)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (CHAIN[:-1], "format.truncated"),
        (SimulatedCsvPlatform(SimulatedHygonVendor()).hsk_cek, "signature.hsk"),
        # The HSK of one vendor before the CEK of another.
        (CHAIN[:832] + SimulatedCsvPlatform(SimulatedHygonVendor()).hsk_cek[832:], "signature.cek"),
    ],
)
def test_what_is_not_genuine_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(EAAError) as caught:
        verify_hygon_chain(SUBJECT, Fetched(body), trust_anchors=(VENDOR.trust_anchor,))
    assert caught.value.code == code


def test_an_issuer_that_is_no_trust_anchor_is_refused() -> None:
    with pytest.raises(EAAError) as caught:
        verify_hygon_chain(SUBJECT, Fetched(CHAIN), trust_anchors=())
    assert caught.value.code == "chain.untrusted_root"
