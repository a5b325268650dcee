"""CSV reports from guests' JSON to what policies see of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eaa.appraisal.policy import Policy
from eaa.broker.judgement import Environment
from eaa.broker.kbs.challenge import Challenge
from eaa.broker.kbs.evidence import parse_evidence
from eaa.broker.kbs.hashes import HashAlgorithm
from eaa.broker.kbs.messages import auth_response, parse_attest_request
from eaa.broker.kbs.tees import Tee
from eaa.broker.kbs.versions import ProtocolVersion
from eaa.broker.verified_environment import EnvironmentVerifier
from eaa.errors import BindingError, FormatError
from eaa.evidence.hygon_csv import parse_csv_report
from eaa.tls.csv_verifier import CsvVerifier
from eaa.tls.evidence_verifier import EvidenceVerifier
from eaa.tls.peer import EvidenceKind
from eaa.verify.hygon_csv import CsvMemo
from tests.fakes.hygon_vendor import CSV_KINDS, CsvKind, make_csv_guest
from tests.fakes.kbs_client import Guest
from tests.fakes.vendor import NOW
from tests.unit.broker.broker_fixtures import GUEST_KEY
from tests.unit.evidence.test_hygon_csv import guest_json


def document(kind: CsvKind, report_data: bytes) -> dict[str, Any]:
    guest = make_csv_guest(kind)
    value = guest_json(guest, with_chip=True)
    value["attestation_report"]["data"] = [*guest.collect_restored(report_data)]
    value["cc_eventlog"] = None
    return value


def environment(kind: CsvKind, report_data: bytes | None = None) -> Environment:
    challenge = Challenge(
        bytes(16), bytes(32), ProtocolVersion.V0_4_0, Tee.CSV, "", HashAlgorithm.SHA384, NOW,
        NOW.replace(hour=13),
    )  # fmt: skip
    sender = Guest(
        "csv", lambda _: b"", GUEST_KEY, document=lambda expected: document(kind, report_data or expected)
    )
    body = json.dumps(sender.attestation(auth_response(challenge))).encode()
    part = CsvVerifier((make_csv_guest(kind).trust_anchor,), CsvMemo(4))
    verifier = EvidenceVerifier("test", {EvidenceKind.CSV_REPORT: part}, Policy())
    request = parse_attest_request(body, challenge)
    (found,) = EnvironmentVerifier(verifier, lambda kind: None, False).verify(request, challenge, now=NOW)
    return found


@pytest.mark.parametrize("kind", CSV_KINDS)
def test_a_guest(kind: CsvKind) -> None:
    found = environment(kind)
    assert (found.tee, found.tee_class) == ("csv", "cpu")
    assert found.claims["csv"]["version"] == kind[-1]
    assert len(found.claims["report_data"]) == 128


def test_evidence_of_another_challenge() -> None:
    with pytest.raises(BindingError) as caught:
        environment("csv3-v1", bytes(64))
    assert caught.value.code == "binding.report_data"


@pytest.mark.parametrize("kind", ["csv3-v1", "csv3-v2"])
def test_a_log_goes_with_registers(kind: CsvKind) -> None:
    value = document(kind, bytes(64)) | {"cc_eventlog": "AAAA"}
    found = parse_evidence(Tee.CSV, value)
    assert getattr(found, "event_log") == (None if kind.endswith("1") else bytes(3))  # noqa: B009 - of either class
    report = parse_csv_report(bytes(value["attestation_report"]["data"]), restored=True)
    assert report.tee_info.report_data == bytes(64)


def test_no_evidence() -> None:
    with pytest.raises(FormatError):
        parse_evidence(Tee.CSV, {"quote": "AAAA"})
