"""Every SGX and TDX quote of the vectors: the verdicts of two others, and the refusals.

``quote_differences`` lists where a verdict differs from ours. It is exact: a difference that is not listed
fails, and so does a listed one that is none any more.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from eaa.codec.text import decode_hex
from eaa.endorsements.bundle import collateral_for, read_endorsement_folder
from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.endorsements.x509 import Certificate, parse_certificate_chain
from eaa.errors import EAAError, FormatError
from eaa.evidence.dcap_quote import parse_quote, parse_quote_frame
from eaa.verify.dcap import Memo, verify_quote
from eaa.verify.dcap_result import VerifiedDcapEvidence
from eaa.verify.result import Binding
from tests.vectors.manifest import (
    VECTORS,
    Expectation,
    Judge,
    Vector,
    needs_vectors,
    quote_vector,
    quote_vectors,
)
from tests.vectors.quote_differences import DIFFERENCES

pytestmark = needs_vectors

LISTED = {(item.judge, name): item for item in DIFFERENCES for name in item.quotes}
NO_LEVEL = "endorsement.tcb_level_not_found"
#: How the two judges say that no TCB level is met.
NO_LEVEL_THERE = ("Verification failed: No matching TCB level found", "NoMatch")


def verdict(
    quote: bytes, collateral: IntelCollateral, now: datetime, *anchors: Certificate
) -> VerifiedDcapEvidence | EAAError:
    try:
        return verify_quote(
            quote,
            collateral=collateral,
            trust_anchors=anchors or INTEL_SGX_ROOTS,
            binding=Binding(),
            now=now,
            memo=Memo(1),
        )
    except EAAError as error:
        return error


def code(outcome: VerifiedDcapEvidence | EAAError) -> str:
    """The error code, or the TCB status."""
    return outcome.code if isinstance(outcome, EAAError) else str(outcome.tcb.status)


def agrees(ours: VerifiedDcapEvidence | EAAError, expected: Expectation) -> bool:
    if isinstance(ours, EAAError):
        return ours.code == NO_LEVEL and (expected.error or expected.status) in NO_LEVEL_THERE
    tcb = ours.tcb
    if (tcb.status, tcb.advisory_ids) != (expected.status, expected.advisory_ids):
        return False
    module = tcb.tdx_module.status if tcb.tdx_module else None
    return expected.judge is Judge.DCAP_QVL or (expected.parts, expected.tcb_date) == (
        (tcb.platform.status, module, tcb.qe.status),
        f"{tcb.tcb_date:%Y-%m-%dT%H:%M:%SZ}",
    )


def judged() -> list[Any]:
    return [
        pytest.param(vector, name, now, id=f"{vector.id} {name}")
        for vector in quote_vectors()
        for name, now in vector.times
    ]


@pytest.mark.parametrize(("vector", "collateral", "now"), judged())
def test_status_and_advisories_are_those_of_both_judges_or_the_difference_is_listed(
    vector: Vector, collateral: str, now: datetime
) -> None:
    ours = verdict(vector.quote, vector.collateral(collateral), now)
    expectations = [item for item in vector.expectations if item.collateral == collateral]
    assert {item.judge for item in expectations} == set(Judge)
    for expected in expectations:
        listed = LISTED.get((expected.judge, f"{vector.id} {collateral}"))
        if listed is None:
            assert agrees(ours, expected), f"not listed: {expected} and ours {code(ours)}"
        else:
            assert not agrees(ours, expected), f"listed and no difference: {expected}"
            assert listed.verdict == (expected.error or expected.status)


def test_every_listed_difference_is_of_a_vector_and_listed_once() -> None:
    known = {f"{vector.id} {name}" for vector in quote_vectors() for name, _ in vector.times}
    names = [(item.judge, name) for item in DIFFERENCES for name in item.quotes]
    assert {name for _, name in names} <= known
    assert len(set(names)) == len(names)


def test_no_quote_is_without_a_verdict_of_either_judge_that_is_ours() -> None:
    """Where one judge differs, the other one says what we say."""
    names = [name for item in DIFFERENCES for name in item.quotes]
    assert len(set(names)) == len(names)


def test_a_checker_of_signatures_and_chains_finds_all_of_these_sound() -> None:
    assert all(vector.crypto_ok for vector in quote_vectors() if vector.times)


#: Quotes that came without collateral: what they end with where there is none; and what, where it is that of
#: another platform with the same PCK CA, so that all but FMSPC and TCB is verified.
NO_COLLATERAL = "endorsement_not_found.tcb_info"
OTHER_PLATFORM = "endorsement.fmspc_mismatch"
WITHOUT_COLLATERAL = {
    "sgx/confidential-computing.tee.dcap.qvl-quote-8cc428aa": "unsupported.certification_data_type",  # 1
    "sgx/dcap-rs-mod-5de6ba42": OTHER_PLATFORM,
    "sgx/espresso-tee-contracts-incorrect_header_in_quote-2b5f4c31": "format.bad_value",  # 3598
    "sgx/occlum-sgx-quote-quote-c3fecca1": OTHER_PLATFORM,
    "sgx/oasis-core-txs_25300000-f18a8619": OTHER_PLATFORM,
    "sgx/openenclave-sgx_cert_rsa_bad-f4f27469": "chain.untrusted_root",
    "sgx/openenclave-sgx_report_bad-2a49ce72": "signature.pck_ca",
    "sgx/rsk-powhsm-test_certificate_v2_resources-2b0f514f": "format.truncated",
    "sgx/sgx-quote-v2_quote-e8d39417": "unsupported.certification_data_type",  # 3
    "sgx/sgx-ra-tls-ecdsa-ratls-c50cdd01": "unsupported.certification_data_type",  # 3
    "sgx/sgx-ra-tls-quote-ppid-clear-d5cc62aa": "unsupported.certification_data_type",  # 1
    "sgx/steward-icelake.signed.crl-61c363e6": OTHER_PLATFORM,
    "sgx/steward-icelake.signed.tcb.crl.single.i5-842625dd": OTHER_PLATFORM,
    "sgx/steward-icelake_signed-e3869b3a": "format.truncated",
    "sgx/steward-quote-0aef163c": OTHER_PLATFORM,
    "sgx/teekit-sgx-chinenyeokafor-49fe30a9": OTHER_PLATFORM,
    "sgx/teepot-sgx_quote_fmspc-8418dbf6": OTHER_PLATFORM,
    "tdx/attested-tls-quote-970fa0a3": OTHER_PLATFORM,
    "tdx/attested-tls-quote_shell-ce9cdba8": OTHER_PLATFORM,
    "tdx/automata-dcap-attestation-test_quote-831dbbbe": OTHER_PLATFORM,
    "tdx/trustee-tdx_quote_4-6fb27f35": "chain.untrusted_root",
}
#: Vectors whose collateral is lent, by TEE and PCK CA.
LENDERS = {
    "sgx Processor": ("sgx/microsoft-azure-attestation-enclave.info.prodid-91831a5e", "collateral-1.json"),
    "sgx Platform": ("sgx/automata-dcap-attestation-sample_quotes-268c0681", "collateral-1.json"),
    "tdx Platform": ("tdx/dstack-attestation-0c699dd4", "collateral-1.json"),
}


def lent(tee: str, quote: bytes) -> tuple[IntelCollateral, datetime]:
    """Collateral of another platform under the PCK CA that the quote names, and when it is valid."""
    ca = "Processor" if b"PCK Processor CA" in _certificates(quote) else "Platform"
    vector_id, name = LENDERS[f"{tee} {ca}"]
    vector = quote_vector(vector_id)
    return vector.collateral(name), dict(vector.times)[name]


def _certificates(quote: bytes) -> bytes:
    """All of the DER that is in the quote, to look for a name in it."""
    start = quote.find(b"-----BEGIN")
    if start < 0:
        return b""
    try:
        return b"".join(item.der for item in parse_certificate_chain(quote[start:], what="chain"))
    except FormatError:
        return b""


def without_collateral() -> list[Any]:
    return [pytest.param(vector, id=vector.id) for vector in quote_vectors() if not vector.times]


def test_every_quote_without_collateral_is_listed() -> None:
    assert {vector.id for vector in quote_vectors() if not vector.times} == WITHOUT_COLLATERAL.keys()


@pytest.mark.parametrize("vector", without_collateral())
def test_a_quote_without_collateral_ends_where_the_first_part_is_missing(vector: Vector) -> None:
    _, now = lent(vector.tee, vector.quote)
    ours = verdict(vector.quote, IntelCollateral(None, None, None, None, None), now)
    truncated = WITHOUT_COLLATERAL[vector.id] == "format.truncated"
    assert code(ours) == ("format.truncated" if truncated else NO_COLLATERAL)


@pytest.mark.parametrize("vector", without_collateral())
def test_a_quote_under_another_platforms_collateral_ends_at_the_first_thing_that_does_not_hold(
    vector: Vector,
) -> None:
    collateral, now = lent(vector.tee, vector.quote)
    expected = WITHOUT_COLLATERAL[vector.id]
    assert code(verdict(vector.quote, collateral, now)) == expected
    assert vector.crypto_ok == (expected == OTHER_PLATFORM)


@pytest.mark.parametrize("vector", [pytest.param(item, id=item.id) for item in quote_vectors()])
def test_a_quote_parses_and_encodes_to_its_bytes_or_is_malformed(vector: Vector) -> None:
    if WITHOUT_COLLATERAL.get(vector.id, "").startswith("format."):
        with pytest.raises(FormatError):
            parse_quote(vector.quote)
    else:
        assert parse_quote(vector.quote).encode() == vector.quote


# Adversarial cases of other projects, with their verdict.


def sample(prefix: str) -> tuple[bytes, IntelCollateral, Certificate]:
    """Intel's own sample: a quote, its collateral, and the root of both, which is not Intel's real one."""
    folder = VECTORS / "negative" / "intel-qvl-sampledata"
    names = [path for path in folder.iterdir() if path.suffix in (".json", ".pem", ".der")]
    files = {path.name: path.read_bytes() for path in names if path.name.startswith("tdx__") == bool(prefix)}
    quote = (folder / f"{prefix}quote.dat").read_bytes()
    collateral = collateral_for(parse_quote_frame(quote), read_endorsement_folder(files))
    (root,) = parse_certificate_chain((folder / f"{prefix}trustedrootcacert.pem").read_bytes(), what="root")
    return quote, collateral, root


def test_intels_sample_is_refused_under_the_real_root_and_its_quote_names_no_certificate() -> None:
    quote, collateral, root = sample("")
    now = datetime.fromisoformat("2020-01-01T00:00:00Z")
    assert code(verdict(quote, collateral, now)) == "chain.untrusted_root"
    # Its collateral holds under its own root. The PCK certificate is in a file of its own: the quote names it
    # by certification data type 1, which is not supported.
    assert code(verdict(quote, collateral, now, root)) == "unsupported.certification_data_type"


def test_intels_tdx_sample_has_svns_of_two_bytes_which_no_platform_has() -> None:
    quote, collateral, root = sample("tdx__")
    now = datetime.fromisoformat("2022-01-01T00:00:00Z")
    assert code(verdict(quote, collateral, now)) == "chain.untrusted_root"
    ours = verdict(quote, collateral, now, root)
    assert isinstance(ours, FormatError)
    assert ours.field.startswith("tcbLevels[0]")


def espresso(name: str) -> bytes:
    return (VECTORS / "negative" / "espresso-tee-configs" / name).read_bytes()


def test_the_quotes_beside_espressos_proofs_are_genuine() -> None:
    text = espresso("attestation.txt").strip().removeprefix(b"0x")
    quotes = [espresso("sequencer_inbox_attestation.bin"), decode_hex(text, "quote", "hex")]
    for quote in quotes:
        assert code(verdict(quote, *lent("sgx", quote))) == "SWHardeningNeeded"


def zkdcap() -> tuple[bytes, IntelCollateral]:
    folder = VECTORS / "negative" / "zkdcap-data"
    names = {
        "pck_platform_crl.der", "intel_root_ca_crl.der", "qeidentityv2_tdx.json", "tcb_signing_cert.pem",
        "tcbinfov3_00806f050000.json",
    }  # fmt: skip
    files = {name: (folder / f"crates__quote-verifier__data__{name}").read_bytes() for name in names}
    files["root.der"] = INTEL_SGX_ROOTS[0].der
    quote = (folder / "crates__quote-verifier__data__quote_tdx_00806f050000.dat").read_bytes()
    return quote, collateral_for(parse_quote_frame(unpadded(quote)), read_endorsement_folder(files))


def unpadded(quote: bytes) -> bytes:
    """A TDX quote, version 4, without what follows its signature data."""
    return quote[: 636 + int.from_bytes(quote[632:636], "little")]


def test_zeros_after_the_signature_data_are_refused() -> None:
    quote, collateral = zkdcap()
    assert not any(quote[len(unpadded(quote)) :])
    now = datetime.fromisoformat("2025-02-01T00:00:00Z")
    assert code(verdict(quote, collateral, now)) == "format.trailing_bytes"
    assert code(verdict(unpadded(quote), collateral, now)) == "OutOfDate"
