"""The policies that come with EAA: for each TEE what is affirmed, and each condition failing alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from eaa.broker.ports import AttestationOutcome, Finding
from eaa.broker.records import PolicyKind, ReferenceValue
from eaa.broker.trustee_claims import policy_claims, policy_input
from eaa.errors import PolicyError, UsageError
from eaa.policy.samples import sample_inputs, sample_tokens
from eaa.policy.templates import DEFAULT_ATTESTATION, DEFAULT_RESOURCE, TEMPLATES, template
from tests.fakes.vendor import make_attester, verify
from tests.unit.policy.policies import NOW, appraise, decide, known_references, references, sample
from tests.unit.policy.vectors import AFFIRMED, CASES, OURS, Case, Vector

DEFAULT = template("default_cpu").text
HARDWARE = template("hardware_only_cpu").text
TRUSTEE = Path(__file__).with_name("trustee_default_cpu.rego").read_text()
EVERY = [pytest.param(case, id=case.id) for case in CASES]
BOTH = [pytest.param(DEFAULT, id="ours"), pytest.param(TRUSTEE, id="Trustee's")]


def vector(outcome: AttestationOutcome) -> Vector:
    claims = outcome.trust_claims
    assert len(claims) == 8
    assert not any(
        claims[name] for name in claims if name not in ("executables", "hardware", "configuration")
    )
    return claims["executables"], claims["hardware"], claims["configuration"]


def unmet(outcome: AttestationOutcome) -> dict[str, Finding]:
    """What is explained and does not hold, by rule; reference values left out."""
    findings = [item for item in outcome.findings if item.verdict != "pass"]
    return {item.rule: item for item in findings if item.rule != "query_reference_value"}


# --- attestation


@pytest.mark.parametrize("tee", AFFIRMED)
def test_what_is_expected_is_affirmed(tee: str) -> None:
    outcome = appraise(DEFAULT, sample(tee), known_references())
    assert vector(outcome) == AFFIRMED[tee]
    assert bool(unmet(outcome)) is (tee in ("cca", "csv"))
    assert {query.state for query in outcome.queries} <= {"found"}
    assert {query.name for query in outcome.queries} <= set(template("default_cpu").references)


@pytest.mark.parametrize("tee", [tee for tee in AFFIRMED if tee != "sgx"])
def test_so_it_is_by_trustee(tee: str) -> None:
    assert vector(appraise(TRUSTEE, sample(tee), known_references())) == AFFIRMED[tee]


@pytest.mark.parametrize("text", BOTH)
@pytest.mark.parametrize("case", EVERY)
def test_each_claim_that_is_another(case: Case, text: str) -> None:
    assert (
        vector(appraise(text, sample(case.tee, (case.path, case.value)), known_references())) == case.vector
    )


@pytest.mark.parametrize("text", BOTH)
@pytest.mark.parametrize("case", EVERY)
def test_each_claim_that_is_not_there(case: Case, text: str) -> None:
    assert vector(appraise(text, sample(case.tee, (case.path, ...)), known_references())) == case.vector


@pytest.mark.parametrize("text", BOTH)
@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES if case.reference])
def test_each_reference_value_that_is_not_there(case: Case, text: str) -> None:
    assert case.reference is not None
    assert vector(appraise(text, sample(case.tee), known_references(case.reference))) == case.vector


@pytest.mark.parametrize("case", EVERY)
def test_each_is_explained_and_nothing_else_is(case: Case) -> None:
    # A second thing goes wrong, in another aspect, so that what is noted only is explained too.
    outcome = appraise(DEFAULT, sample(case.tee, (case.path, case.value)), known_references())
    if case.verdict == "note":
        assert outcome.findings == ()
        also = {"tdx": ("tcb_status", "OutOfDate"), "snp": ("measurement", "ff")}[case.tee]
        outcome = appraise(DEFAULT, sample(case.tee, (case.path, case.value), also), known_references())
    found = unmet(outcome)[case.rule]
    assert found.verdict == case.verdict
    assert found.claim.startswith(case.tee)
    assert len(unmet(outcome)) == (2 if case.verdict == "note" else 1)
    came = case.value if isinstance(case.value, str) else str(case.value).lower()
    assert came in found.came
    assert found.expected
    assert found.expected not in (found.came, came)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES if case.reference])
def test_a_missing_reference_value_is_named(case: Case) -> None:
    claims = sample(case.tee) if case.verdict == "fail" else sample(case.tee, ("tcb_status", "OutOfDate"))
    if case.tee == "snp" and case.verdict == "note":
        claims = sample("snp", ("measurement", "ff"))
    assert case.reference is not None
    outcome = appraise(DEFAULT, claims, known_references(case.reference))
    assert unmet(outcome)[case.rule].expected.endswith(f" {case.reference}")
    assert (
        Finding("query_reference_value", case.reference, "a reference value", "missing", "note")
        in outcome.findings
    )


@pytest.mark.parametrize("tee", AFFIRMED)
def test_an_expired_reference_value_is_as_good_as_missing(tee: str) -> None:
    known = known_references()
    late = appraise(DEFAULT, sample(tee), known, now=known["svn"].expires_at)
    assert vector(late) == vector(appraise(DEFAULT, sample(tee)))
    assert {query.state for query in late.queries} <= {"expired"}


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in OURS])
def test_sgx(case: Case) -> None:
    known = known_references(*([case.reference] if case.reference else []))
    outcome = appraise(DEFAULT, sample(case.tee, (case.path, case.value)), known)
    assert vector(outcome) == case.vector
    assert case.rule in unmet(outcome)
    assert unmet(outcome)[case.rule].came == case.value
    without = appraise(DEFAULT, sample(case.tee, (case.path, ...)), known)
    assert vector(without) == case.vector


@pytest.mark.parametrize(
    "left_out", ["sgx_mr_enclave", "sgx_mr_signer", "sgx_isv_prod_id", "sgx_minimum_isv_svn"]
)
def test_an_enclave_is_known_by_itself_or_by_its_signer(left_out: str) -> None:
    assert vector(appraise(DEFAULT, sample("sgx"), known_references(left_out))) == (3, 2, 2)
    both = known_references(left_out, "sgx_mr_signer" if left_out == "sgx_mr_enclave" else "sgx_mr_enclave")
    assert vector(appraise(DEFAULT, sample("sgx"), both)) == (33, 2, 2)


@pytest.mark.parametrize(
    ("isv_svn", "minimum", "affirmed"),
    [
        ("0300", 3, True), ("0400", 3, True), ("0200", 3, False), ("0001", 256, True),
        ("ff00", 256, False), ("ffff", 65535, True), ("0300", "3", False), ("0300", None, False),
        ("03", 3, False), ("030000", 3, False), ("zz00", 3, False), ("", 0, False), (3, 3, False),
        (None, 0, False),
    ],
)  # fmt: skip
def test_versions_of_enclaves_are_numbers(isv_svn: Any, minimum: Any, affirmed: bool) -> None:
    known = {**known_references("sgx_mr_enclave"), **references(sgx_minimum_isv_svn=minimum)}
    executables = vector(appraise(DEFAULT, sample("sgx", ("body/isv_svn", isv_svn)), known))[0]
    assert executables == (3 if affirmed else 33)


@pytest.mark.parametrize("flags", range(256))
def test_debug_is_one_bit_of_the_first_byte(flags: int) -> None:
    claims = sample("sgx", ("body/attributes.flags", f"{flags:02x}00000000000000"))
    expected = 36 if flags & 2 else 2
    assert vector(appraise(DEFAULT, claims, known_references()))[2] == expected
    assert vector(appraise(HARDWARE, claims))[2] == expected


@pytest.mark.parametrize("flags", ["", "0", None, 5, "x5"])
def test_debug_that_cannot_be_read_is_not_clear(flags: Any) -> None:
    claims = sample("sgx", ("body/attributes.flags", flags))
    expected = 2 if flags == "x5" else 36
    assert vector(appraise(DEFAULT, claims, known_references()))[2] == expected


def test_a_missing_minimum_is_no_minimum() -> None:
    # Trustee compares with null, which every number is more than.
    known = known_references("minimum_minor_version")
    assert vector(appraise(TRUSTEE, sample("sample"), known)) == (3, 2, 2)
    assert vector(appraise(DEFAULT, sample("sample"), known)) == (3, 97, 2)


@pytest.mark.parametrize("tee", ["cca", "csv", "sev-es"])
def test_a_tee_without_rules_is_said_to_have_none(tee: str) -> None:
    outcome = appraise(DEFAULT, {tee: {"x": 1}, "report_data": "", "init_data": None}, known_references())
    assert vector(outcome) == (33, 97, 36)
    (finding,) = unmet(outcome).values()
    assert (finding.rule, finding.came) == ("tee", tee)
    assert "tdx" in finding.expected


@pytest.mark.parametrize("kind", ["sgx-v3", "tdx-v4", "tdx15-v5"])
def test_claims_of_genuine_evidence(kind: str) -> None:
    tee, claims = policy_claims(verify(make_attester(kind)), None)  # type: ignore[arg-type]  # the kinds above
    document = policy_input(tee, claims)
    expected = {
        "sgx": {"sgx_mr_enclave": [claims["body"]["mr_enclave"]]} if tee == "sgx" else {},
        "tdx": {
            "mr_td": [claims["quote"]["body"]["mr_td"]],
            "rtmr_1": [claims["quote"]["body"]["rtmr_1"]],
            "rtmr_2": [claims["quote"]["body"]["rtmr_2"]],
            "xfam": [claims["quote"]["body"]["xfam"]],
        }
        if tee == "tdx"
        else {},
    }[tee]
    assert vector(appraise(DEFAULT, document, references(**expected))) == (3 if tee == "sgx" else 4, 2, 2)
    assert vector(appraise(DEFAULT, document)) == ((33, 2, 2) if tee == "sgx" else (33, 97, 36))


def container(**members: Any) -> dict[str, Any]:
    return {"agent_policy_claims": {"containers": [members]}}


@pytest.mark.parametrize(
    ("claims", "validated"),
    [
        (None, None),
        ({}, None),
        (container(), {}),
        (
            container(OCI={"Annotations": {"io.kubernetes.cri.image-name": "a:1"}}),
            {"container_images": ["a:1"]},
        ),
        (container(OCI={"Process": {"User": {"UID": 0}}}), {"container_uids": [0]}),
    ],
)
def test_identifiers_of_the_workload(claims: Any, validated: Any) -> None:
    document = {**sample("tdx"), "init_data_claims": claims}
    extensions = appraise(DEFAULT, document, known_references()).extensions
    assert extensions == ({} if validated is None else {"ear.trustee.identifiers": {"validated": validated}})


# --- hardware only


@pytest.mark.parametrize("tee", AFFIRMED)
def test_hardware_only_never_affirms(tee: str) -> None:
    outcome = appraise(HARDWARE, sample(tee), known_references())
    assert vector(outcome) == ((33, 2, 2) if tee in template("hardware_only_cpu").tees else (33, 97, 36))
    assert {"executables"} <= unmet(outcome).keys() <= {"executables", "tee"}
    assert {query.name for query in outcome.queries} <= set(template("hardware_only_cpu").references)


HARDWARE_CASES = (
    Case("sgx", "sgx.tcb_status", "tcb_status", "OutOfDate", None, (33, 97, 2)),
    Case("sgx", "sgx.collateral", "collateral_expiration_status", "1", None, (33, 97, 2)),
    Case("sgx", "sgx.debug", "body/attributes.flags", "0700000000000000", None, (33, 2, 36)),
    *(
        case
        for tee in ("tdx", "az-tdx-vtpm")
        for case in (
            Case(tee, f"{tee}.tee_type", "quote/header/tee_type", "00000000", None, (33, 97, 2)),
            Case(tee, f"{tee}.vendor_id", "quote/header/vendor_id", "00" * 16, None, (33, 97, 2)),
            Case(tee, f"{tee}.tcb_status", "tcb_status", "OutOfDate", None, (33, 97, 2)),
            Case(tee, f"{tee}.collateral", "collateral_expiration_status", "1", None, (33, 97, 2)),
            Case(tee, f"{tee}.debug", "td_attributes/debug", True, None, (33, 2, 36)),
        )
    ),
    Case("snp", "snp.bootloader", "reported_tcb_bootloader", 3, "snp_bootloader", (33, 97, 2)),
    Case("snp", "snp.microcode", "reported_tcb_microcode", 3, "snp_microcode", (33, 97, 2)),
    Case("snp", "snp.snp_svn", "reported_tcb_snp", 3, "snp_snp_svn", (33, 97, 2)),
    Case("snp", "snp.tee_svn", "reported_tcb_tee", 3, "snp_tee_svn", (33, 97, 2)),
    Case("snp", "snp.debug", "policy_debug_allowed", True, None, (33, 2, 36)),
    Case("snp", "snp.migration_agent", "policy_migrate_ma", True, None, (33, 2, 36)),
    Case("az-snp-vtpm", "az-snp.bootloader", "reported_tcb_bootloader", "3", "tcb_bootloader", (33, 97, 2)),
    Case("az-snp-vtpm", "az-snp.microcode", "reported_tcb_microcode", "3", "tcb_microcode", (33, 97, 2)),
    Case("az-snp-vtpm", "az-snp.snp_svn", "reported_tcb_snp", "3", "tcb_snp", (33, 97, 2)),
    Case("az-snp-vtpm", "az-snp.tee_svn", "reported_tcb_tee", "3", "tcb_tee", (33, 97, 2)),
    Case("az-snp-vtpm", "az-snp.debug", "policy_debug_allowed", "true", None, (33, 2, 36)),
    Case("az-snp-vtpm", "az-snp.migration_agent", "policy_migrate_ma", "true", None, (33, 2, 36)),
)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in HARDWARE_CASES])
def test_hardware_only_each_condition(case: Case) -> None:
    ways: list[tuple[dict[str, Any], Mapping[str, ReferenceValue]]] = [
        (sample(case.tee, (case.path, case.value)), known_references()),
        (sample(case.tee, (case.path, ...)), known_references()),
    ]
    if case.reference:
        ways.append((sample(case.tee), known_references(case.reference)))
    for claims, known in ways:
        outcome = appraise(HARDWARE, claims, known)
        assert vector(outcome) == case.vector
        assert unmet(outcome).keys() == {"executables", case.rule}


# --- release

STATUSES = ("affirming", "warning", "contraindicated")


def token(*evidence: str, status: str = "affirming") -> dict[str, Any]:
    return {
        "submods": {
            f"cpu{n}": {
                "ear.status": status,
                "ear.veraison.annotated-evidence": {tee: {"x": 1}, "report_data": ""},
            }
            for n, tee in enumerate(evidence)
        }
    }


def rules(name: str, claims: dict[str, Any], **data: Any) -> set[str]:
    """The rules that refuse; none if it is allowed."""
    outcome = decide(template(name).text, claims, **data)
    assert outcome.allowed is (not outcome.findings)
    return {finding.rule for finding in outcome.findings if finding.verdict == "fail"}


@pytest.mark.parametrize("status", STATUSES)
def test_the_default_releases_to_the_affirmed_only(status: str) -> None:
    assert DEFAULT_RESOURCE == "allow_affirming"
    assert rules("allow_affirming", sample_tokens()[status]) == (
        set() if status == "affirming" else {"affirming"}
    )
    assert rules("allow_affirming", token("tdx", status="affirming"), plugin="another") == set()


def test_every_submodule_must_be_affirmed() -> None:
    two = token("tdx", "nvidia")
    assert rules("allow_affirming", two) == set()
    two["submods"]["cpu1"]["ear.status"] = "none"
    assert rules("allow_affirming", two) == {"affirming"}
    del two["submods"]["cpu1"]["ear.status"]
    assert decide(template("allow_affirming").text, two).findings == (
        Finding("affirming", "submods.cpu1.ear.status", "affirming", "no status", "fail"),
    )


RELEASING = ("allow_affirming", "allow_genuine", "allow_sample")


@pytest.mark.parametrize("name", RELEASING)
@pytest.mark.parametrize("claims", [{}, {"submods": {}}])
def test_who_was_not_attested_gets_nothing(name: str, claims: dict[str, Any]) -> None:
    assert rules(name, claims) == {"attested"}


@pytest.mark.parametrize("name", RELEASING)
@pytest.mark.parametrize("submods", [None, 5])
def test_a_token_of_another_form_is_an_error(name: str, submods: Any) -> None:
    # Where OPA has undefined the engine refuses to go on. Refused both ways.
    with pytest.raises(PolicyError) as caught:
        decide(template(name).text, {"submods": submods})
    assert caught.value.code == "policy.evaluation"


def test_nothing() -> None:
    assert rules("deny_all", sample_tokens()["affirming"]) == {"deny_all"}


@pytest.mark.parametrize("status", STATUSES)
def test_anything_genuine(status: str) -> None:
    assert rules("allow_genuine", token("tdx", "nvidia", status=status)) == set()
    assert rules("allow_genuine", token("tdx", status=status), plugin="another") == {"plugin"}


@pytest.mark.parametrize(
    "claims",
    [
        token("sample"),
        token("sampledevice"),
        token("tdx", "sample"),
        token("sev-es"),
        {"submods": {"cpu0": {}}},
    ],
)
def test_what_is_not_genuine(claims: dict[str, Any]) -> None:
    assert rules("allow_genuine", claims) == {"genuine"}


def test_one_submodule_with_two_tees_is_not_genuine() -> None:
    claims = token("tdx")
    claims["submods"]["cpu0"]["ear.veraison.annotated-evidence"]["sample"] = {}
    assert rules("allow_genuine", claims) == {"genuine"}


def test_the_sample_tee_only() -> None:
    assert rules("allow_sample", token("sample")) == set()
    assert rules("allow_sample", token("sample"), plugin="another") == {"plugin"}
    assert rules("allow_sample", token("tdx")) == {"sample"}
    assert rules("allow_sample", token("sample", "tdx")) == {"sample"}


# --- the table itself


def test_the_table() -> None:
    assert {item.name for item in TEMPLATES.values() if item.dangerous} == {"allow_genuine", "allow_sample"}
    assert all(item.description.startswith("DANGEROUS") is item.dangerous for item in TEMPLATES.values())
    assert template(DEFAULT_ATTESTATION).kind is PolicyKind.ATTESTATION
    assert template(DEFAULT_RESOURCE).kind is PolicyKind.RESOURCE
    for item in TEMPLATES.values():
        assert (item.tee_class == "cpu") is (item.kind is PolicyKind.ATTESTATION)
        assert item.text.isascii()


def test_every_tee_has_a_sample_and_every_condition_a_case() -> None:
    assert sample_inputs().keys() == AFFIRMED.keys()
    explained = {
        finding.rule
        for tee in AFFIRMED
        for finding in appraise(DEFAULT, sample(tee)).findings
        if finding.rule not in ("tee", "query_reference_value")
    }
    assert explained == {case.rule for case in (*CASES, *OURS)}


def test_an_unknown_template() -> None:
    with pytest.raises(UsageError) as caught:
        template("allow_all")
    assert caught.value.code == "usage.template"


def test_samples_expire() -> None:
    assert all(value.expires_at > NOW for value in known_references().values())
