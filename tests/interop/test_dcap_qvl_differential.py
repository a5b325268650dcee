"""Ours and dcap-qvl on the same bytes: we never accept what it refuses, save for named policies of its own.

The cases are all of the vectors, seeded changes to them and to quotes of a simulated vendor, and simulated
quotes at random TCB levels. A refusal of ours that dcap-qvl does not share is classed by our error code in
``STRICTER``; a code that is not there fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Any

import pytest

from eaa.attester.simulated import SimulatedPlatform, SimulatedSgxEnclave, SimulatedTdxGuest, SimulatedVendor
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.verify.dcap import Memo
from tests.interop.dcap_qvl_peer import POLICIES, Case, ours, policy_of, theirs
from tests.interop.mutations import KINDS, mutate
from tests.interop.simulated_cases import NOW, relaunch_case, tcb_case, unusual_case
from tests.vectors.manifest import quote_vectors

#: Changes of each kind to vectors, and to simulated quotes.
VECTOR_CHANGES = 110
SIMULATED_CHANGES = 20

#: What we refuse and dcap-qvl does not look at, or takes.
STRICTER = {
    "format.trailing_bytes": "bytes after the signature data, or after the certification data",
    "format.not_pem": "text or bytes before, between or after the certificates of a chain",
    "format.not_der": "a certificate that dcap-qvl has no use for: a root, or a member it ignores",
    "format.bad_value": "the same, and the outer certification type",
    "endorsement.pceid_mismatch": "dcap-qvl does not compare PCEID [DCAP-QVL §4.1.2.5.11]",
    "format.missing": "an empty PCK revocation list issuer chain, which dcap-qvl ignores",
    "chain.length": "another certificate in a chain of signing certificate, CA and root",
    "chain.untrusted_root": "a root that is not byte for byte the anchor; dcap-qvl takes its own instead",
    "chain.pck_crl_issuer_chain": "an issuer chain of another CA than the PCK's, which dcap-qvl ignores",
    "chain.pck_crl_issuer_chain_issuer": "the same, with a broken certificate",
    "signature.pck_crl_issuer_chain": "the same, with a broken certificate",
    "validity_period.pck_crl_not_yet_valid": "dcap-qvl asks revocation lists for their end only",
    "validity_period.root_ca_crl_not_yet_valid": "dcap-qvl asks revocation lists for their end only",
}


def compare(case: Case, memo: Memo | None = None) -> None:
    """Fails unless both agree or the difference is a known one. With ``memo``, ours is asked twice."""
    here, there = ours(case), theirs(case)
    if memo is not None:
        assert ours(case, memo).verdict == here.verdict, f"{case.name}: a memo changes the verdict"
    if here.accepted:
        assert here.evidence is not None
        if there.status is None:
            assert policy_of(here.evidence, there.error), f"{case.name}: {here.verdict}, there {there.error}"
        else:
            assert (here.verdict, here.advisory_ids) == (there.status, there.advisory_ids), case.name
    elif there.status is not None:
        assert here.verdict in STRICTER, f"{case.name}: {here.verdict}, there {there.status}"


@cache
def vector_cases() -> Sequence[Case]:
    return tuple(
        Case(f"{vector.id} {name}", vector.quote, vector.collateral(name), now, INTEL_SGX_ROOTS, None)
        for vector in quote_vectors()
        for name, now in vector.times
    )


@cache
def simulated_cases() -> Sequence[Case]:
    vendor = SimulatedVendor(now=NOW, unsafe_seed=b"differential")
    platforms = [SimulatedPlatform(vendor), SimulatedPlatform(vendor, ca="processor", name="other")]
    attesters = [
        attester
        for platform in platforms
        for attester in (
            SimulatedSgxEnclave(platform),
            SimulatedTdxGuest(platform),
            SimulatedTdxGuest(platform, quote_version=5),
            SimulatedTdxGuest(platform, quote_version=5, tdx15=True),
        )
    ]
    return tuple(
        Case(
            f"simulated {attester.tee} v{attester.quote_version} {attester.platform.name}",
            attester.collect(bytes(range(64))),
            attester.endorsements(),
            NOW,
            (attester.trust_anchor,),
            attester.trust_anchor.der,
        )
        for attester in attesters
    )


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in vector_cases()])
def test_the_vectors_as_they_are(case: Case) -> None:
    compare(case)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in simulated_cases()])
def test_simulated_quotes_as_they_are(case: Case) -> None:
    assert ours(case).verdict == theirs(case).status == "UpToDate"


def changes() -> list[Any]:
    return [
        pytest.param(kind, source, count, id=f"{source} {kind}")
        for source, count in (("vectors", VECTOR_CHANGES), ("simulated", SIMULATED_CHANGES))
        for kind in KINDS
    ]


@pytest.mark.parametrize(("kind", "source", "count"), changes())
def test_changed_cases(kind: str, source: str, count: int) -> None:
    cases = vector_cases() if source == "vectors" else simulated_cases()
    if not cases:
        pytest.skip("the vectors folder does not exist")
    random = Random(f"{source} {kind}")  # noqa: S311 - repeatable
    memo = Memo(16)
    for seed in range(count):
        compare(mutate(random.choice(cases), random.choice(cases), kind, seed), memo)


def test_more_than_a_thousand_changed_cases_are_compared() -> None:
    assert len(KINDS) * VECTOR_CHANGES > 1000
    assert len(KINDS) * SIMULATED_CHANGES > 300


@pytest.mark.parametrize("block", range(8))
def test_random_svns_under_random_levels(block: int) -> None:
    for seed in range(50 * block, 50 * (block + 1)):
        compare(tcb_case(seed))


@pytest.mark.parametrize("block", range(8))
def test_unusual_platforms_and_reports(block: int) -> None:
    for seed in range(50 * block, 50 * (block + 1)):
        compare(unusual_case(seed))


def test_td15_with_the_launched_and_the_loaded_modules_svns() -> None:
    for seed in range(150):
        compare(relaunch_case(seed))


def test_each_policy_has_a_reason() -> None:
    assert all(item.words and item.reason for item in POLICIES)
