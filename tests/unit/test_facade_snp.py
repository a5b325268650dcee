"""``eaa.verify`` and ``eaa.appraise`` of SNP evidence: each wrapping, each shape of endorsements."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

import eaa
from eaa.attester.simulated.amd_guest import SimulatedSnpGuest
from eaa.codec.pem import encode_pem
from eaa.endorsements.amd_endorsements import AmdParts, SnpEndorsements, parts_of_pool
from eaa.endorsements.bundle import EndorsementPool, read_endorsement_folder
from eaa.endorsements.roots import SIMULATED_NAME_PREFIX
from eaa.evidence.snp_certificates import GUIDS, TableEntry, TableName, encode_certificate_table
from eaa.verify.result import VerifiedEvidence
from eaa.verify.snp_result import VerifiedSnpEvidence
from tests.fakes.amd_vendor import NOW, REPORT_DATA, SnpKind, make_snp_guest
from tests.fakes.vendor import shared_evidence


def verify(guest: SimulatedSnpGuest, evidence: bytes, endorsements: Any, **options: Any) -> VerifiedEvidence:
    given: dict[str, Any] = {"report_data": REPORT_DATA, "now": NOW, "trust_anchors": (guest.trust_anchor,)}
    return eaa.verify(evidence, endorsements=endorsements, **given | options)


def folder(guest: SimulatedSnpGuest) -> dict[str, bytes]:
    """DER and PEM, and what is none."""
    given = guest.endorsements()
    assert given.vek is not None
    assert given.ask is not None
    assert given.ark is not None
    assert given.crl is not None
    return {
        "a.der": given.vek,
        "chain.pem": encode_pem(given.ask) + encode_pem(given.ark),
        "list": given.crl,
        "README": b"what this is",
    }


def tsm_json(guest: SimulatedSnpGuest) -> bytes:
    came = guest.collect_extended(REPORT_DATA)
    blobs = {"outblob": came.report, "auxblob": encode_certificate_table(came.certificates)}
    texts = {name: base64.urlsafe_b64encode(blob).decode() for name, blob in blobs.items()}
    return json.dumps({**texts, "provider": "sev_guest\n"}).encode()


def coco_json(guest: SimulatedSnpGuest) -> bytes:
    came = guest.collect_extended(REPORT_DATA)
    chain = [{"cert_type": str(item.name), "data": list(item.data)} for item in came.certificates]
    report = base64.b64encode(came.report).decode()
    return json.dumps({"attestation_report": report, "cert_chain": chain}).encode()


WRAPPINGS: dict[str, Callable[[SimulatedSnpGuest], bytes]] = {
    "raw": lambda guest: guest.collect(REPORT_DATA),
    "extended": lambda guest: guest.collect_extended(REPORT_DATA).encode(),
    "base64": lambda guest: base64.b64encode(guest.collect(REPORT_DATA)),
    "extended base64": lambda guest: base64.b64encode(guest.collect_extended(REPORT_DATA).encode()),
    "hex": lambda guest: guest.collect(REPORT_DATA).hex().encode(),
    "tsm": tsm_json,
    "CoCo": coco_json,
    "CoCo base64": lambda guest: base64.b64encode(coco_json(guest)),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("kind", ["milan-v3", "turin-v5", "milan-vlek-v3"])
def test_wrappings(wrapping: str, kind: SnpKind) -> None:
    guest = make_snp_guest(kind)
    verified = verify(guest, WRAPPINGS[wrapping](guest), guest.endorsements())
    assert isinstance(verified, VerifiedSnpEvidence)
    assert verified.evidence == guest.collect(REPORT_DATA)
    assert verified.bound == ("report_data",)
    result = eaa.appraise(verified, eaa.Policy())
    assert result.accepted
    assert result.to_dict()["ear.eaa.claims"]["measurement"] == verified.measurement.hex()


def table(guest: SimulatedSnpGuest) -> bytes:
    given = guest.endorsements()
    parts = {
        TableName.VCEK: given.vek, TableName.ASK: given.ask, TableName.ARK: given.ark,
        TableName.CRL: given.crl, TableName.VLEK: b"",
    }  # fmt: skip
    entries = [TableEntry(GUIDS[name], data) for name, data in parts.items() if data is not None]
    return encode_certificate_table([*entries, TableEntry(bytes(15) + b"\x01", b"a cloud's own")])


SHAPES: dict[str, Callable[[SimulatedSnpGuest], Any]] = {
    "values": lambda guest: guest.endorsements(),
    "folder": lambda guest: read_endorsement_folder(folder(guest)),
    "parts": lambda guest: parts_of_pool(read_endorsement_folder(folder(guest))),
    "table": table,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["milan-v2", "genoa-v4"])
def test_shapes_of_endorsements(shape: str, kind: SnpKind) -> None:
    guest = make_snp_guest(kind)
    verified = verify(guest, guest.collect(REPORT_DATA), SHAPES[shape](guest))
    assert verified.claims["revocation_checked"] is True


def test_what_came_with_the_report_is_enough_but_for_the_list() -> None:
    guest = make_snp_guest()
    evidence = guest.collect_extended(REPORT_DATA).encode()
    assert guest.endorsements().crl is not None
    verify(guest, evidence, guest.endorsements().crl)
    with pytest.raises(eaa.EAAError) as caught:
        verify(guest, evidence, AmdParts())
    assert caught.value.code == "endorsement_not_found.crl"
    verified = verify(guest, evidence, EndorsementPool(), allow_missing_crl=True)
    assert verified.claims["revocation_checked"] is False


def test_without_the_vek_it_is_unavailable() -> None:
    guest = make_snp_guest()
    given = guest.endorsements()
    for endorsements in (given.crl, SnpEndorsements(None, given.ask, given.ark, given.crl)):
        with pytest.raises(eaa.EAAError) as caught:
            verify(guest, guest.collect(REPORT_DATA), endorsements)
        assert caught.value.code == "endorsement_not_found.vcek"


def test_the_simulated_vendor_is_refused_by_default() -> None:
    guest = make_snp_guest()
    with pytest.raises(eaa.EAAError, match="simulated platform") as caught:
        verify(guest, guest.collect(REPORT_DATA), guest.endorsements(), trust_anchors=None)
    assert caught.value.code == "chain.untrusted_root"
    verified = verify(guest, guest.collect(REPORT_DATA), guest.endorsements())
    assert verified.trust_anchor.simulated
    assert verified.trust_anchor.name.startswith(SIMULATED_NAME_PREFIX)


def test_endorsements_of_another_vendor() -> None:
    guest, intel = make_snp_guest(), shared_evidence("tdx-v4")
    for evidence, endorsements in (
        (guest.collect(REPORT_DATA), intel.collateral),
        (intel.quote, guest.endorsements()),
    ):
        with pytest.raises(eaa.EAAError) as caught:
            verify(guest, evidence, endorsements)
        assert caught.value.code == "usage.endorsements"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "format.unrecognised"),
        (bytes(1184), "format.bad_value"),
        (b"\x09" + bytes(1183), "format.bad_value"),
        (b"nothing", "format.unrecognised"),
        (b"\xff\x00", "format.truncated"),
        (b"\x02" + bytes(1000), "format.truncated"),
        (b"\x81" + bytes(1023), "unsupported.local_report"),
        (b'{"attestation_report": {"chip_id": []}, "cert_chain": null}', "format.bad_value"),
    ],
)
def test_what_is_no_evidence(data: bytes, code: str) -> None:
    guest = make_snp_guest()
    with pytest.raises(eaa.EAAError) as caught:
        verify(guest, data, guest.endorsements())
    assert caught.value.code == code


def test_an_endorsement_is_no_evidence() -> None:
    guest = make_snp_guest()
    with pytest.raises(eaa.EAAError) as caught:
        verify(guest, guest.platform.vcek.der, guest.endorsements())
    assert caught.value.code == "format.not_evidence"
    assert "VEK certificate" in str(caught.value)


def test_what_a_cloud_adds_to_its_table_is_not_looked_at() -> None:
    guest = make_snp_guest()
    came = guest.collect_extended(REPORT_DATA)
    own = (TableEntry(bytes(15) + b"\x01", b"a cloud's own"), TableEntry(GUIDS[TableName.VLEK], b""))
    evidence = came.report + encode_certificate_table((*came.certificates, *own))
    assert verify(guest, evidence, guest.endorsements().crl).bound == ("report_data",)
    # With it, what is given as parts is completed by what came.
    assert verify(guest, evidence, AmdParts(), allow_missing_crl=True).measurement


def test_json_of_others_around_a_report() -> None:
    guest = make_snp_guest()
    inner = {"attestation_report": base64.b64encode(guest.collect(REPORT_DATA)).decode(), "cert_chain": {}}
    data = json.dumps({"platform": "snp", "evidence": inner}).encode()
    assert verify(guest, data, guest.endorsements()).bound == ("report_data",)


def test_host_data_is_compared_as_config_id() -> None:
    guest = make_snp_guest(host_data=b"\x07" * 32)
    report = guest.collect(REPORT_DATA)
    assert verify(guest, report, guest.endorsements(), config_id=b"\x07" * 32).bound == (
        "report_data", "config_id",
    )  # fmt: skip
    with pytest.raises(eaa.EAAError) as caught:
        verify(guest, report, guest.endorsements(), config_id=b"\x08" * 32)
    assert caught.value.code == "binding.config_id"
