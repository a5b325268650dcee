"""Appraisal of SEV and CSV: each rule fails alone, and what may approve it does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from eaa.appraisal.alternatives import by_measurement
from eaa.appraisal.appraise import appraise, require
from eaa.appraisal.policy import Policy
from eaa.appraisal.policy_psp import CsvPolicy, SevPolicy
from eaa.appraisal.reference_values import ReferenceValues, parse_reference_values
from eaa.appraisal.result import AttestationResult
from eaa.appraisal.trust_vector import Tier
from eaa.errors import AppraisalDenied, UsageError
from eaa.evidence.psp_policy import SevGuestPolicy
from eaa.verify.hygon_csv_result import VerifiedCsvEvidence
from eaa.verify.result import Binding, VerifiedEvidence
from eaa.verify.sev_result import VerifiedSevEvidence
from tests.fakes.hygon_vendor import NOW, CsvKind, csv_case, make_csv_guest, verify_csv
from tests.fakes.sev_vendor import SevKind, make_sev_guest, verify_sev

#: NODBG, NOKS, ES and NOSEND.
GOOD = 0x0F


def sev(kind: SevKind = "rome-es", policy: int | None = None, **options: Any) -> VerifiedSevEvidence:
    guest = make_sev_guest(kind)
    guest.policy = guest.policy if policy is None else SevGuestPolicy(policy)
    return verify_sev(guest, **options)


def csv(kind: CsvKind = "csv3-v2", policy: int = 0x4F, **options: Any) -> VerifiedCsvEvidence:
    guest = make_csv_guest(kind)
    guest.policy = policy
    return verify_csv(guest, **options)


def judged(verified: VerifiedEvidence, **policy: Any) -> AttestationResult:
    return appraise(verified, Policy(**policy), now=NOW)


def failed(result: AttestationResult) -> list[str]:
    return [rule.rule for rule in result.failed]


def references(tee: str, **fields: Any) -> ReferenceValues:
    return parse_reference_values(json.dumps({"version": 1, tee: [fields]}).encode())


Make = Callable[[int], VerifiedSevEvidence | VerifiedCsvEvidence]
MAKERS: dict[str, Make] = {
    "sev": lambda policy: sev(policy=policy), "csv": lambda policy: csv(policy=policy | 0x40),
}  # fmt: skip


@pytest.mark.parametrize("tee", ["sev", "csv"])
@pytest.mark.parametrize(
    ("bit", "rule"),
    [(0, "debug"), (1, "guest_policy_noks"), (2, "guest_policy_es"), (3, "guest_policy_nosend")],
)
def test_each_bit_of_the_guest_policy(tee: str, bit: int, rule: str) -> None:
    assert failed(judged(MAKERS[tee](GOOD))) == []
    lacking = MAKERS[tee](GOOD & ~(1 << bit))
    result = judged(lacking)
    assert failed(result) == [rule]
    with pytest.raises(AppraisalDenied):
        require(result)
    if rule == "debug":
        assert failed(judged(lacking, allow_debug=True)) == []
        return
    none = {"sev": SevPolicy, "csv": CsvPolicy}[tee](required_guest_policy=frozenset())
    assert failed(judged(lacking, **{tee: none})) == []


@pytest.mark.parametrize("tee", ["sev", "csv"])
def test_reference_values_approve_a_bit_that_they_compare(tee: str) -> None:
    lacking = MAKERS[tee](GOOD & ~(1 << 3))
    measured = {"sev": "launch_digest", "csv": "measure"}[tee]
    came = lacking.report.policy.value.to_bytes(4, "little").hex()
    for mask, rules in (("ffffffff", []), ("07000000", ["guest_policy_nosend"])):
        value = came if mask == "ffffffff" else "07000000"
        values = references(
            tee, **{measured: lacking.measurement.hex(), "policy": {"value": value, "mask": mask}}
        )
        assert failed(judged(lacking, reference_values=values)) == rules
    debug = MAKERS[tee](GOOD & ~1)
    approving = references(
        tee,
        **{
            measured: debug.measurement.hex(),
            "policy": debug.report.policy.value.to_bytes(4, "little").hex(),
        },
    )
    assert failed(judged(debug, reference_values=approving)) == ["debug"]


def test_a_refused_bit() -> None:
    sharing = csv(policy=0xCF)
    assert failed(judged(sharing)) == ["guest_policy_asid_reuse"]
    assert failed(judged(sharing, csv=CsvPolicy(refused_guest_policy=frozenset()))) == []
    assert failed(judged(csv(policy=0x0F), csv=CsvPolicy(required_guest_policy=frozenset({"CSV3"})))) == [
        "guest_policy_csv3"
    ]


@pytest.mark.parametrize("tee", ["sev", "csv"])
def test_the_least_version_of_the_api(tee: str) -> None:
    verified = MAKERS[tee](GOOD | 0x16_01_00_00)
    kind = {"sev": SevPolicy, "csv": CsvPolicy}[tee]
    for minimum, rules in (
        ((1, 22), []),
        ((0, 99), []),
        ((1, 23), ["guest_policy_api"]),
        ((2, 0), ["guest_policy_api"]),
    ):
        assert failed(judged(verified, **{tee: kind(minimum_api=minimum)})) == rules


def test_the_build_of_the_firmware() -> None:
    for kind, least, rules in (
        ("csv3-v2", 2337, []),
        ("csv3-v2", 2338, ["minimum_build"]),
        ("csv3-v1", 0, ["minimum_build"]),
    ):
        assert failed(judged(csv(kind), csv=CsvPolicy(minimum_build=least))) == rules  # type: ignore[arg-type]  # kinds


def test_the_signers_mac() -> None:
    wanted = CsvPolicy(require_signer_mac=True)
    guest = make_csv_guest("csv3-v1")
    guest.policy = 0x4F
    assert failed(judged(verify_csv(guest), csv=wanted)) == []
    restored = verify_csv(csv_case(guest, restored=True))
    assert failed(judged(restored)) == []
    assert failed(judged(restored, csv=wanted)) == ["signer_mac"]


def test_what_cannot_be_proven_is_a_note_and_a_warning() -> None:
    for verified, tier in (
        (sev(), Tier.WARNING),
        (csv("csv2-v1", 0x0F), Tier.WARNING),
        (csv(), Tier.AFFIRMING),
    ):
        measured = "launch_digest" if verified.tee == "sev" else "measure"
        values = references(verified.tee, **{measured: verified.measurement.hex()})
        result = judged(verified, reference_values=values)
        assert result.accepted
        assert result.tier is tier
        (note,) = [rule for rule in result.rules if rule.rule == "platform_limits"]
        assert (note.verdict, note.came) == ("note", ", ".join(verified.limits))


def test_freshness_by_report_data_or_nonce() -> None:
    notes = {
        name: any(rule.rule == "freshness" for rule in judged(verified).rules)
        for name, verified in {
            "sev with nonce": sev(), "sev without": sev(mnonce=None),
            "csv with data": csv(), "csv without": csv(binding=Binding()),
            "csv with nonce": csv(binding=Binding(), mnonce=make_csv_guest().mnonce),
        }.items()
    }  # fmt: skip
    assert [name for name, noted in notes.items() if noted] == ["sev without", "csv without"]


def test_reference_values_of_sev() -> None:
    verified = sev()
    good = {
        "launch_digest": verified.measurement.hex(),
        "policy": "0f000000",
        "cek_sha256": verified.cek_sha256.hex(),
        "oca_sha256": verified.oca_sha256.hex(),
    }
    assert judged(verified, reference_values=references("sev", **good)).accepted
    for name, value in good.items():
        wrong = good | {name: value[:-1] + ("1" if value[-1] == "0" else "0")}
        assert failed(judged(verified, reference_values=references("sev", **wrong))) == [name]


def test_reference_values_of_csv() -> None:
    verified = csv()
    info = verified.report.tee_info
    names = ("vm_id", "vm_version", "user_pubkey_digest", "measure", "rtmr1", "rtmr2", "rtmr3", "rtmr4")
    good = {name: getattr(info, name).hex() for name in names}
    good |= {"policy": "4f000000", "cek_sha256": verified.cek_sha256.hex()}
    assert judged(verified, reference_values=references("csv", **good)).accepted
    for name, value in good.items():
        wrong = good | {name: value[:-1] + ("1" if value[-1] == "0" else "0")}
        assert failed(judged(verified, reference_values=references("csv", **wrong))) == [name]
    old = csv("csv3-v1")
    assert failed(judged(old, reference_values=references("csv", **good))) == [
        "rtmr1",
        "rtmr2",
        "rtmr3",
        "rtmr4",
    ]


def test_alternatives_by_measurement() -> None:
    for verified in (sev(), csv()):
        values = ReferenceValues((by_measurement(verified.tee, verified.measurement),))
        assert judged(verified, reference_values=values).accepted
        values = ReferenceValues((by_measurement(verified.tee, bytes(32)),))
        assert not judged(verified, reference_values=values).accepted


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (SevPolicy, "required_guest_policy", {"ES"}),
        (SevPolicy, "required_guest_policy", frozenset({"CSV3"})),
        (SevPolicy, "required_guest_policy", frozenset({"NODBG"})),
        (SevPolicy, "refused_guest_policy", "ES"),
        (SevPolicy, "refused_guest_policy", frozenset({"DEBUG"})),
        (SevPolicy, "minimum_api", (1, 256)),
        (SevPolicy, "minimum_api", (True, 1)),
        (CsvPolicy, "required_guest_policy", frozenset({"SEV"})),
        (CsvPolicy, "minimum_build", -1),
        (CsvPolicy, "require_signer_mac", 1),
    ],
)
def test_a_policy_that_could_not_be_meant(
    kind: type[SevPolicy | CsvPolicy], field: str, value: object
) -> None:
    with pytest.raises(UsageError) as caught:
        kind(**{field: value})  # type: ignore[arg-type]  # that is it
    assert caught.value.code == f"usage.policy_{field}"


def test_required_and_refused() -> None:
    with pytest.raises(UsageError):
        SevPolicy(refused_guest_policy=frozenset({"ES"}))
    for field in ("sev", "csv"):
        with pytest.raises(UsageError):
            Policy(**{field: None})  # type: ignore[arg-type]  # that is it
