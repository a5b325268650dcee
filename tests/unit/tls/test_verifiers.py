"""Verifiers by name: each refusal fails only there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from eaa.appraisal.policy import Policy
from eaa.attester.simulated import SimulatedPlatform, collateral_files
from eaa.endorsements.amd_roots import AMD_ARKS
from eaa.endorsements.bundle import read_endorsement_folder
from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.pool import EndorsementPool, collateral_for
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.errors import (
    AppraisalDenied,
    BindingError,
    ChainError,
    EndorsementError,
    EndorsementNotFound,
    FormatError,
    SignatureError,
    UnsupportedError,
    UsageError,
    ValidityPeriodError,
)
from eaa.evidence.dcap_quote import CertificationType, DcapQuote
from eaa.tls.peer import AttachedEvidence, EvidenceKind
from eaa.tls.verifiers import EvidenceVerifier, NullVerifier, make_verifier
from eaa.verify.dcap import Memo
from tests.fakes.vendor import (
    NOW,
    REPORT_DATA,
    evidence_of,
    make_attester,
    make_platform,
    make_vendor,
    shared_evidence,
)

SGX, TDX = shared_evidence("sgx-v3"), shared_evidence("tdx-v4")
ATTACHED_SGX = AttachedEvidence(EvidenceKind.SGX_QUOTE, SGX.quote, SGX.collateral)
ATTACHED_TDX = AttachedEvidence(EvidenceKind.TDX_QUOTE, TDX.quote, TDX.collateral)


def make(name: str, **changed: Any) -> EvidenceVerifier:
    verifier = build(name, **changed)
    assert isinstance(verifier, EvidenceVerifier)
    return verifier


def build(name: str, **changed: Any) -> EvidenceVerifier | NullVerifier:
    arguments = {
        "policy": Policy(), "pool": None, "trust_anchors": (SGX.trust_anchor,), "memo": Memo(8),
        "allow_null": False,
    }  # fmt: skip
    return make_verifier(name, **(arguments | changed))


def pool_of(*collaterals: IntelCollateral) -> EndorsementPool:
    files = {
        f"{n}/{name}": data
        for n, collateral in enumerate(collaterals)
        for name, data in collateral_files(collateral).items()
    }
    return read_endorsement_folder(files)


def check(verifier: EvidenceVerifier, evidence: AttachedEvidence, **changed: Any) -> str:
    arguments: dict[str, Any] = {"report_data": REPORT_DATA, "now": NOW} | changed
    result = verifier.verify(evidence, **arguments)
    assert result.accepted
    assert result.verified.bound == ("report_data",)
    return result.verified.tee


@pytest.mark.parametrize(
    ("name", "evidence"),
    [
        ("", ATTACHED_SGX),
        ("", ATTACHED_TDX),
        ("sgx_ecdsa", ATTACHED_SGX),
        ("sgx_ecdsa_qve", ATTACHED_SGX),
        ("tdx_ecdsa", ATTACHED_TDX),
        ("tdx", ATTACHED_TDX),
        ("simulated", ATTACHED_SGX),
        ("simulated", ATTACHED_TDX),
        ("simulated-tdx", ATTACHED_TDX),
    ],
)
def test_accepted(name: str, evidence: AttachedEvidence) -> None:
    verifier = make(name)
    assert verifier.name == name
    assert check(verifier, evidence) == str(evidence.kind).partition("_")[0]


@pytest.mark.parametrize(
    ("name", "evidence"),
    [
        ("sgx_ecdsa", ATTACHED_TDX),
        ("sgx_ecdsa_qve", ATTACHED_TDX),
        ("tdx_ecdsa", ATTACHED_SGX),
        *[
            (name, AttachedEvidence(kind, SGX.quote, SGX.collateral))
            for name in ("", "simulated")
            for kind in EvidenceKind
            if kind in (EvidenceKind.TDX_REPORT, EvidenceKind.SGX_REPORT, EvidenceKind.SEV_REPORT)
        ],
    ],
)
def test_a_kind_that_the_instance_does_not_take(name: str, evidence: AttachedEvidence) -> None:
    with pytest.raises(UnsupportedError, match=f"{evidence.kind} came") as caught:
        check(make(name), evidence)
    assert caught.value.code == "unsupported.evidence_kind"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (EvidenceKind.TDX_REPORT, "quoting service of its own host"),
        (EvidenceKind.SGX_REPORT, "enclave on its own host"),
        (EvidenceKind.SEV_REPORT, "nothing that would bind it to a key"),
    ],
)
def test_why_not(kind: EvidenceKind, text: str) -> None:
    with pytest.raises(UnsupportedError, match=text):
        check(make(""), AttachedEvidence(kind, b""))


@pytest.mark.parametrize(
    "evidence",
    [replace(ATTACHED_SGX, kind=EvidenceKind.TDX_QUOTE), replace(ATTACHED_TDX, kind=EvidenceKind.SGX_QUOTE)],
)
def test_bytes_that_are_not_what_they_were_sent_as(evidence: AttachedEvidence) -> None:
    with pytest.raises(FormatError, match="and is a quote of") as caught:
        check(make(""), evidence)
    assert caught.value.code == "format.evidence_kind"


def test_malformed() -> None:
    with pytest.raises(FormatError):
        check(make(""), replace(ATTACHED_SGX, evidence=SGX.quote[:100]))


@pytest.mark.parametrize("position", range(0, 64, 7))
def test_every_byte_of_report_data_is_compared(position: int) -> None:
    expected = bytearray(REPORT_DATA)
    expected[position] ^= 1
    with pytest.raises(BindingError) as caught:
        check(make(""), ATTACHED_TDX, report_data=bytes(expected))
    assert caught.value.code == "binding.report_data"


@pytest.mark.parametrize("length", [0, 32, 63, 65])
def test_report_data_is_64_bytes(length: int) -> None:
    with pytest.raises(UsageError):
        check(make(""), ATTACHED_SGX, report_data=bytes(length))


def test_a_tampered_quote() -> None:
    quote = bytearray(SGX.quote)
    quote[48 + 64] ^= 1
    with pytest.raises(SignatureError):
        check(make(""), replace(ATTACHED_SGX, evidence=bytes(quote)))


def test_not_under_intels_roots() -> None:
    with pytest.raises(ChainError):
        check(make("sgx_ecdsa", trust_anchors=INTEL_SGX_ROOTS), ATTACHED_SGX)


def test_another_vendor_of_the_same_names() -> None:
    with pytest.raises(ChainError):
        check(make("simulated", trust_anchors=(make_vendor("other").root.parsed,)), ATTACHED_SGX)


def test_not_acceptable() -> None:
    debugged = evidence_of(make_attester("sgx-v3", debug=True))
    evidence = AttachedEvidence(EvidenceKind.SGX_QUOTE, debugged.quote, debugged.collateral)
    with pytest.raises(AppraisalDenied) as caught:
        check(make(""), evidence)
    assert caught.value.code == "appraisal.debug"
    assert check(make("", policy=Policy(allow_debug=True)), evidence) == "sgx"


@pytest.mark.parametrize("pool", [None, EndorsementPool()])
def test_no_endorsements(pool: EndorsementPool | None) -> None:
    with pytest.raises(EndorsementNotFound, match="attached no endorsements for its SGX quote") as caught:
        check(make("", pool=pool), replace(ATTACHED_SGX, collateral=None))
    assert caught.value.code == "endorsement_not_found.collateral"


def test_own_endorsements_where_none_are_attached() -> None:
    assert check(make("", pool=pool_of(SGX.collateral)), replace(ATTACHED_SGX, collateral=None)) == "sgx"


def test_own_endorsements_are_looked_for_once_for_a_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def look(quote: DcapQuote, pool: EndorsementPool) -> IntelCollateral:
        looked.append(quote.tee)
        return collateral_for(quote, pool)

    monkeypatch.setattr("eaa.tls.dcap_verifier.collateral_for", look)
    monkeypatch.setattr("eaa.tls.dcap_verifier._MAX_SELECTED", 1)
    anchors = (SGX.trust_anchor, TDX.trust_anchor)
    verifier = make("", pool=pool_of(SGX.collateral, TDX.collateral), trust_anchors=anchors)
    for attached in (ATTACHED_SGX, ATTACHED_SGX, ATTACHED_TDX, ATTACHED_SGX):
        check(verifier, replace(attached, collateral=None))
    assert looked == ["sgx", "tdx", "sgx"]


def test_what_is_large_is_looked_for_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates of a peer that has proven nothing yet do not fill the memory."""
    looked: list[str] = []

    def look(quote: DcapQuote, pool: EndorsementPool) -> IntelCollateral:
        looked.append(quote.tee)
        return collateral_for(quote, pool)

    monkeypatch.setattr("eaa.tls.dcap_verifier.collateral_for", look)
    monkeypatch.setattr("eaa.tls.dcap_verifier.MAX_REMEMBERED_BYTES", 1024)
    verifier = make("", pool=pool_of(SGX.collateral))
    for _ in range(2):
        check(verifier, replace(ATTACHED_SGX, collateral=None))
    assert looked == ["sgx", "sgx"]


def test_attached_endorsements_are_verified_like_any() -> None:
    assert SGX.collateral.tcb_info is not None
    body = SGX.collateral.tcb_info.body.replace(b"UpToDate", b"UpToDatf")
    forged = replace(SGX.collateral, tcb_info=replace(SGX.collateral.tcb_info, body=body))
    with pytest.raises(SignatureError):
        check(make(""), replace(ATTACHED_SGX, collateral=forged))


def unusable() -> IntelCollateral:
    """What nobody could verify with: where it is taken, verification fails."""
    return replace(SGX.collateral, root_ca_crl=b"")


def test_own_endorsements_come_first() -> None:
    evidence = replace(ATTACHED_SGX, collateral=unusable())
    with pytest.raises(FormatError):
        check(make(""), evidence)
    assert check(make("", pool=pool_of(SGX.collateral)), evidence) == "sgx"


def test_own_endorsements_come_first_even_if_expired() -> None:
    vendor = make_vendor()
    vendor.next_update = NOW.replace(day=NOW.day - 1, hour=13)
    expired = SimulatedPlatform(vendor).collateral("sgx")
    now = NOW.replace(hour=14)
    with pytest.raises(ValidityPeriodError):
        check(make("", pool=pool_of(expired)), ATTACHED_SGX, now=now)
    assert check(make(""), ATTACHED_SGX, now=now) == "sgx"


def other_platform() -> IntelCollateral:
    return SimulatedPlatform(make_vendor(), fmspc=b"OTHER!").collateral("sgx")


@pytest.mark.parametrize("missing", ["tcb_info.json", "qe_identity.json", "root_ca_crl.der", "pck_crl.der"])
def test_own_endorsements_that_are_incomplete(missing: str) -> None:
    files = collateral_files(SGX.collateral)
    del files[missing]
    pool = read_endorsement_folder(files)
    assert check(make("", pool=pool), ATTACHED_SGX) == "sgx"
    with pytest.raises(EndorsementNotFound):
        check(make("", pool=pool), replace(ATTACHED_SGX, collateral=None))


def test_own_endorsements_of_another_platform() -> None:
    pool = pool_of(other_platform())
    assert check(make("", pool=pool), ATTACHED_SGX) == "sgx"
    with pytest.raises(EndorsementError):
        check(make("", pool=pool), replace(ATTACHED_SGX, collateral=None))


def test_own_endorsements_of_another_tee() -> None:
    assert check(make("", pool=pool_of(TDX.collateral)), ATTACHED_SGX) == "sgx"


def test_own_revocation_list_of_another_ca() -> None:
    pool = pool_of(make_platform(ca="processor").collateral("sgx"))
    assert check(make("", pool=pool), ATTACHED_SGX) == "sgx"


def test_a_quote_without_its_certificate_has_no_platform() -> None:
    attester = make_attester("sgx-v3")
    attester.certification_type = CertificationType.PPID_PLAIN
    evidence = AttachedEvidence(EvidenceKind.SGX_QUOTE, attester.collect(REPORT_DATA), unusable())
    with pytest.raises(FormatError, match=r"CRL|revocation"):  # the attached ones were taken
        check(make("", pool=pool_of(SGX.collateral)), evidence)


def test_a_quote_with_a_malformed_certificate_has_no_platform() -> None:
    attester = make_attester("sgx-v3")
    attester.platform.pck.has_extension = False
    evidence = AttachedEvidence(EvidenceKind.SGX_QUOTE, attester.collect(REPORT_DATA), unusable())
    with pytest.raises(FormatError, match=r"CRL|revocation"):
        check(make("", pool=pool_of(SGX.collateral)), evidence)


@pytest.mark.parametrize(
    ("name", "why"), [("sev", "would bind a channel's key"), ("sgx_la", "not implemented")]
)
def test_not_to_be_had(name: str, why: str) -> None:
    with pytest.raises(UnsupportedError, match=f"verifier {name}: .*{why}") as caught:
        build(name)
    assert caught.value.code == "unsupported.verifier"


@pytest.mark.parametrize("name", ["sgx_epid", "nullattester", "SGX_ECDSA"])
def test_no_such_verifier(name: str) -> None:
    with pytest.raises(UsageError, match="there are sgx_ecdsa_qve, sgx_ecdsa,") as caught:
        build(name)
    assert caught.value.code == "usage.unknown_verifier"


def test_null_takes_a_word() -> None:
    with pytest.raises(UsageError, match="--unsafe-null") as caught:
        build("nullverifier")
    assert caught.value.code == "usage.null_not_allowed"


def test_null_proves_nothing_and_says_so() -> None:
    verifier = build("nullverifier", allow_null=True, trust_anchors=())
    assert isinstance(verifier, NullVerifier)
    assert (verifier.name, verifier.notes) == ("nullverifier", ())
    assert "nothing was proven" in verifier.warning
    assert verifier.verify(ATTACHED_SGX, report_data=bytes(64), now=NOW) is None


def test_automatic_is_never_null() -> None:
    assert isinstance(build("", allow_null=True), EvidenceVerifier)


def test_without_anchors() -> None:
    with pytest.raises(UsageError, match="trust anchor") as caught:
        build("sgx_ecdsa", trust_anchors=())
    assert caught.value.code == "usage.trust_anchors"


@pytest.mark.parametrize(
    "anchors",
    [INTEL_SGX_ROOTS, INTEL_SGX_ROOTS[:1], AMD_ARKS[:1], (SGX.trust_anchor, *INTEL_SGX_ROOTS)],
)
def test_simulated_takes_simulated_roots_alone(anchors: Any) -> None:
    with pytest.raises(UsageError, match="roots of simulated vendors alone") as caught:
        build("simulated", trust_anchors=anchors)
    assert caught.value.code == "usage.trust_anchors"


def test_what_is_said() -> None:
    assert make("sgx_ecdsa").notes == make("").notes == ()
    (qve,) = make("sgx_ecdsa_qve").notes
    assert "no quote verification enclave" in qve
    simulated = make("simulated")
    assert simulated.notes == (simulated.warning,)
    assert "EAA Simulated SGX Root CA" in simulated.warning
    assert make("sgx_ecdsa_qve").warning == make("tdx").warning == ""
    assert not any("\n" in note for note in (qve, simulated.warning))
