"""Signatures checked per verification: at most nine cold, three for a new platform, one for a known one.

Counted by the interpreter's own report of calls into ``cryptography``, so that no way around
:mod:`eaa.verify.ecdsa` is missed.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import pytest

from eaa.attester.simulated import SimulatedPlatform, SimulatedSgxEnclave, SimulatedTdxGuest, SimulatedVendor
from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.endorsements.x509 import Certificate
from eaa.errors import SignatureError
from eaa.verify.dcap import Memo, verify_quote
from eaa.verify.result import Binding
from tests.vectors.manifest import needs_vectors, quote_vector

COLD, NEW_PLATFORM, WARM = 9, 3, 1
#: Without those of the root over two certificates that are pinned.
COLD_OF_INTEL = 7
#: Of a certificate of its own for the QE identity; Intel uses one for both documents.
SEPARATE_SIGNER = 1
#: Methods of ``cryptography`` that check a signature.
CHECKING = {"verify", "is_signature_valid", "verify_directly_issued_by"}

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
Attester = SimulatedSgxEnclave | SimulatedTdxGuest
MAKERS: dict[str, Callable[[SimulatedPlatform], Attester]] = {
    "SGX v3": SimulatedSgxEnclave,
    "TDX v4": SimulatedTdxGuest,
    "TDX v5": lambda platform: SimulatedTdxGuest(platform, quote_version=5, tdx15=True),
}


@contextmanager
def counted() -> Iterator[list[str]]:
    """The signatures that are checked inside, by the function that asked."""
    asked: list[str] = []

    def on_call(frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call" and getattr(function, "__name__", "") in CHECKING:
            owner = getattr(function, "__self__", None)
            if type(owner).__module__.partition(".")[0] == "cryptography":
                asked.append(frame.f_code.co_qualname)

    before = sys.getprofile()
    threading.setprofile(on_call)
    sys.setprofile(on_call)
    try:
        yield asked
    finally:
        sys.setprofile(before)
        threading.setprofile(before)


def signatures(
    quote: bytes, collateral: IntelCollateral, now: datetime, memo: Memo, *anchors: Certificate
) -> int:
    with counted() as asked:
        verify_quote(
            quote, collateral=collateral, trust_anchors=anchors, binding=Binding(), now=now, memo=memo
        )
    assert set(asked) == {"_Key.verifies"}, "signatures are checked in eaa.verify.ecdsa only"
    return len(asked)


def of(attester: Attester, memo: Memo, nonce: int = 0) -> int:
    quote = attester.collect(nonce.to_bytes(64))
    return signatures(quote, attester.endorsements(), NOW, memo, attester.trust_anchor)


@pytest.fixture
def vendor() -> SimulatedVendor:
    return SimulatedVendor(now=NOW, unsafe_seed=b"budget")


@pytest.mark.parametrize("kind", MAKERS)
def test_cold_then_a_new_platform_then_known_ones(vendor: SimulatedVendor, kind: str) -> None:
    one, two = (MAKERS[kind](SimulatedPlatform(vendor, name=name)) for name in ("one", "two"))
    memo = Memo(4)
    assert of(one, memo) <= COLD
    assert of(two, memo) <= NEW_PLATFORM
    assert of(one, memo, nonce=1) <= WARM
    assert of(two, memo, nonce=2) <= WARM


@pytest.mark.parametrize("kind", MAKERS)
def test_without_a_memo_of_earlier_calls_everything_is_checked(vendor: SimulatedVendor, kind: str) -> None:
    attester = MAKERS[kind](SimulatedPlatform(vendor))
    assert [of(attester, Memo(4)) for _ in range(2)] == [COLD, COLD]


def test_a_certificate_of_its_own_for_the_qe_identity_costs_one_more(vendor: SimulatedVendor) -> None:
    vendor.separate_qe_identity_signing()
    assert of(SimulatedTdxGuest(SimulatedPlatform(vendor)), Memo(4)) <= COLD + SEPARATE_SIGNER


@pytest.mark.parametrize("kind", MAKERS)
def test_a_known_platforms_quote_is_still_checked(vendor: SimulatedVendor, kind: str) -> None:
    attester = MAKERS[kind](SimulatedPlatform(vendor))
    memo = Memo(4)
    of(attester, memo)
    attester.platform.quoting_enclave(attester.tee).quote_signing_key = vendor.keys.key("another")
    with pytest.raises(SignatureError, match="quote"):
        of(attester, memo, nonce=1)


def test_new_collateral_is_checked_anew(vendor: SimulatedVendor) -> None:
    attester = SimulatedTdxGuest(SimulatedPlatform(vendor))
    memo = Memo(4)
    of(attester, memo)
    attester.platform.tcb_info["tdx"].evaluation_data_number += 1
    assert of(attester, memo, nonce=1) == COLD


def test_another_anchor_is_not_served_from_what_one_vouched_for(vendor: SimulatedVendor) -> None:
    attester = SimulatedTdxGuest(SimulatedPlatform(vendor))
    memo = Memo(4)
    of(attester, memo)
    quote, collateral = attester.collect(bytes(64)), attester.endorsements()
    known = signatures(quote, collateral, NOW, memo, attester.trust_anchor, *INTEL_SGX_ROOTS)
    assert known == COLD


@needs_vectors
@pytest.mark.parametrize(
    ("identifier", "collateral"),
    [
        ("sgx/dcap-qvl-sgx_quote-f8b81014", "collateral-1.json"),
        ("tdx/dcap-qvl-tdx_quote-f1c85033", "collateral-1.json"),
        ("tdx/tdx-attestation-sdk-tdx_v5_quote-d0010db6", "collateral-1.json"),
    ],
)
def test_intels_own_evidence(identifier: str, collateral: str) -> None:
    vector = quote_vector(identifier)
    quote, given, now = vector.quote, vector.collateral(collateral), dict(vector.times)[collateral]
    memo = Memo(4)
    assert signatures(quote, given, now, memo, *INTEL_SGX_ROOTS) <= COLD_OF_INTEL
    assert signatures(quote, given, now, memo, *INTEL_SGX_ROOTS) <= WARM
