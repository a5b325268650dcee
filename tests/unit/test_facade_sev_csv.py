"""``eaa.verify`` and ``eaa.appraise`` of SEV and CSV evidence: each wrapping, each shape of endorsements."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

import eaa
from eaa.endorsements.amd_endorsements import AmdParts
from eaa.endorsements.hygon_endorsements import CsvEndorsements
from eaa.endorsements.pool import EndorsementPool
from eaa.endorsements.sev_endorsements import SevEndorsements
from eaa.endorsements.sev_roots import AMD_SEV_ARKS
from eaa.errors import EAAError
from eaa.verify.hygon_csv_result import VerifiedCsvEvidence
from eaa.verify.sev_result import VerifiedSevEvidence
from tests.fakes.hygon_vendor import NOW, REPORT_DATA, make_csv_guest
from tests.fakes.sev_vendor import MNONCE, make_sev_guest
from tests.unit.evidence.test_hygon_csv import guest_json

NONCE = MNONCE + bytes(48)


def refused(code: str, evidence: bytes, **options: Any) -> None:
    with pytest.raises(EAAError) as caught:
        eaa.verify(evidence, **({"now": NOW, "report_data": None} | options))
    assert caught.value.code == code, caught.value


def test_sev() -> None:
    guest = make_sev_guest("rome-es")
    given, whole = guest.platform.endorsements(), guest.collect_with_platform(MNONCE).encode()
    anchors = (guest.trust_anchor,)
    parts = b"".join(getattr(given, name) or b"" for name in ("cek", "pek", "oca", "ask"))
    for evidence, endorsements in (
        (guest.collect(MNONCE), given),
        (guest.collect(MNONCE), parts),
        (base64.b64encode(guest.collect(MNONCE)), parts),
        (guest.collect(MNONCE).hex().encode(), parts),
        (whole, given.ask),
        (whole, SevEndorsements(ask=given.ask)),
        (base64.b64encode(whole), replace(given, ark=None)),
    ):
        verified = eaa.verify(
            evidence, endorsements=endorsements or b"", report_data=NONCE, now=NOW, trust_anchors=anchors
        )
        assert isinstance(verified, VerifiedSevEvidence)
        assert eaa.appraise(verified, eaa.Policy()).accepted
    refused("chain.untrusted_root", whole, endorsements=given)
    refused("endorsement_not_found.ark", whole, endorsements=SevEndorsements(ask=given.ask))
    refused("chain.untrusted_root", whole, endorsements=SevEndorsements(), trust_anchors=anchors)
    refused("endorsement_not_found.cek", guest.collect(MNONCE), endorsements=SevEndorsements())
    unknown = replace(given, ask=None, ark=None)
    refused("endorsement_not_found.ask", guest.collect(MNONCE), endorsements=unknown)
    for other in (AmdParts(), EndorsementPool(), CsvEndorsements()):
        refused("usage.endorsements", whole, endorsements=other, trust_anchors=anchors)


def test_what_a_product_is_taken_for_decides_nothing() -> None:
    """The sender's word for the product only selects the ASK that is then verified."""
    guest = make_sev_guest("rome-es")
    for product in (None, *AMD_SEV_ARKS):
        data = guest.collect_with_platform(MNONCE, product).encode()
        code = "signature.cek" if product in ("Rome", "Milan") else None
        # Of Naples the keys are shorter; for the others there is no number, and so no certificate.
        code = code or ("chain.cek_algorithm" if product == "Naples" else "endorsement_not_found.cek")
        refused(code, data, endorsements=SevEndorsements())


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("binding.mnonce", {"report_data": bytes(64)}),
        ("binding.report_data", {"report_data": bytes(range(64))}),
        ("usage.report_data_length", {"report_data": MNONCE}),
        ("usage.config_id_unsupported", {"config_id": bytes(32)}),
    ],
)
def test_sev_bindings(code: str, options: dict[str, Any]) -> None:
    guest = make_sev_guest()
    given, anchors = guest.platform.endorsements(), (guest.trust_anchor,)
    refused(code, guest.collect(MNONCE), endorsements=given, trust_anchors=anchors, **options)


def test_csv() -> None:
    guest = make_csv_guest("csv3-v2")
    guest.policy = 0x4F
    anchors = (guest.trust_anchor,)
    data, document = guest.collect(REPORT_DATA), json.dumps(guest_json(guest)).encode()
    complete = guest.platform.endorsements()
    for evidence, endorsements in (
        (data, complete),
        (data, guest.platform.hsk_cek),
        (document, guest.platform.hsk_cek),
        (base64.b64encode(document), guest.platform.hsk_cek),
        (data.hex().encode(), replace(complete, hrk=None)),
        (guest.collect_with_chip(REPORT_DATA).encode(), CsvEndorsements()),
        (json.dumps(guest_json(guest, with_chip=True)).encode(), CsvEndorsements()),
    ):
        verified = eaa.verify(
            evidence, endorsements=endorsements, report_data=REPORT_DATA, now=NOW, trust_anchors=anchors
        )
        assert isinstance(verified, VerifiedCsvEvidence)
        assert eaa.appraise(verified, eaa.Policy()).accepted
    refused("chain.untrusted_root", data, endorsements=complete)
    refused("endorsement_not_found.hsk", data, endorsements=CsvEndorsements(), trust_anchors=anchors)
    refused("endorsement_not_found.hrk", data, endorsements=guest.platform.hsk_cek)
    refused("binding.report_data", data, endorsements=complete, trust_anchors=anchors, report_data=bytes(64))
    for other in (AmdParts(), EndorsementPool(), SevEndorsements()):
        refused("usage.endorsements", data, endorsements=other, trust_anchors=anchors)
