"""SNP reports of peers: which endorsements count, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from eaa.appraisal.policy import Policy
from eaa.attester.simulated import snp_files, write_snp_endorsements
from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.endorsements.bundle import read_endorsement_folder
from eaa.endorsements.pool import EndorsementPool
from eaa.errors import (
    AppraisalDenied,
    BindingError,
    EAAError,
    EndorsementError,
    EndorsementNotFound,
    FormatError,
    RevokedError,
    UnsupportedError,
    UsageError,
)
from eaa.evidence.snp_tcb import TcbVersion
from eaa.tls.evidence_verifier import EvidenceVerifier
from eaa.tls.peer import AttachedEvidence, EvidenceKind
from eaa.tls.snp_verifier import SnpVerifier
from eaa.tls.verifiers import make_verifier
from eaa.verify.dcap import Memo
from tests.fakes.amd_vendor import (
    NOW,
    REPORT_DATA,
    SNP_KINDS,
    SnpKind,
    make_amd_vendor,
    make_snp_guest,
    make_snp_platform,
    shared_snp_case,
)
from tests.fakes.vendor import shared_evidence

CASE = shared_snp_case("milan-v5")
ATTACHED = AttachedEvidence(EvidenceKind.SNP_REPORT, CASE.report, CASE.endorsements)
BARE = replace(ATTACHED, collateral=None)
POLICY = Policy(grace_days=3650)  # what bulletins say of the simulated platforms is not the question here


def make(name: str = "sev_snp", **changed: Any) -> EvidenceVerifier:
    arguments = {
        "policy": POLICY, "pool": None, "trust_anchors": (CASE.trust_anchor,), "memo": Memo(1),
        "allow_null": False,
    }  # fmt: skip
    verifier = make_verifier(name, **(arguments | changed))
    assert isinstance(verifier, EvidenceVerifier)
    return verifier


def check(verifier: EvidenceVerifier, evidence: AttachedEvidence) -> str:
    return verifier.verify(evidence, report_data=REPORT_DATA, now=NOW).verified.tee


def pool_of(**parts: bytes | None) -> EndorsementPool:
    return read_endorsement_folder({name: part for name, part in parts.items() if part is not None})


def parts_of(endorsements: SnpEndorsements) -> dict[str, bytes | None]:
    return {name: getattr(endorsements, name) for name in ("vek", "ask", "ark", "crl")}


@pytest.mark.parametrize("name", ["sev_snp", "", "simulated", "simulated-snp"])
def test_accepted(name: str) -> None:
    assert check(make(name), ATTACHED) == "snp"


@pytest.mark.parametrize("kind", SNP_KINDS)
def test_every_kind_of_report(kind: SnpKind) -> None:
    case = shared_snp_case(kind)
    evidence = AttachedEvidence(EvidenceKind.SNP_REPORT, case.report, case.endorsements)
    verifier = make(trust_anchors=(case.trust_anchor,))
    verified = verifier.verify_genuine(evidence, report_data=(REPORT_DATA,), config_id=None, now=NOW)
    assert verified.evidence == case.report


def test_other_evidence_is_not_taken() -> None:
    sgx = shared_evidence("sgx-v3")
    evidence = AttachedEvidence(EvidenceKind.SGX_QUOTE, sgx.quote, sgx.collateral)
    with pytest.raises(UnsupportedError, match="sev_snp takes snp_report, sgx_quote came"):
        check(make(), evidence)
    with pytest.raises(UnsupportedError, match="tdx takes tdx_quote, snp_report came"):
        check(make("tdx"), ATTACHED)


def test_without_endorsements() -> None:
    with pytest.raises(EndorsementNotFound) as caught:
        check(make(), BARE)
    assert caught.value.code == "endorsement_not_found.vcek"


def test_own_endorsements() -> None:
    pool = pool_of(**parts_of(CASE.endorsements))
    verifier = make(pool=pool)
    assert check(verifier, BARE) == "snp"
    assert check(verifier, BARE) == "snp"


@pytest.mark.parametrize("own", ["vek", "ask", "crl"])
def test_own_and_attached_parts_complete_each_other(own: str) -> None:
    given = parts_of(CASE.endorsements)
    pool = pool_of(**{own: given[own]})
    attached = replace(ATTACHED, collateral=replace(CASE.endorsements, **{own: None}))
    assert check(make(pool=pool), attached) == "snp"
    with pytest.raises(EndorsementNotFound):
        check(make(), attached)


def test_a_folder_as_the_simulated_vendor_writes_it(tmp_path: Path) -> None:
    write_snp_endorsements(CASE.endorsements, tmp_path / "made")
    files = {path.name: path.read_bytes() for path in (tmp_path / "made").iterdir()}
    assert files == snp_files(CASE.endorsements)
    assert check(make(pool=read_endorsement_folder(files)), BARE) == "snp"
    assert snp_files(SnpEndorsements(None, None, None, None)) == {}


def test_the_ark_is_the_anchor() -> None:
    attached = replace(ATTACHED, collateral=replace(CASE.endorsements, ark=None))
    assert check(make(), attached) == "snp"


def test_the_latest_list_counts() -> None:
    guest = make_snp_guest("milan-v5")
    vendor = guest.platform.vendor
    before = guest.endorsements()
    vendor.crl.this_update = NOW
    vendor.crl.revoked.append(vendor.ask.serial)
    latest = vendor.crl.der
    evidence = AttachedEvidence(EvidenceKind.SNP_REPORT, guest.collect(REPORT_DATA), before)
    anchors = (guest.trust_anchor,)
    assert check(make(trust_anchors=anchors), evidence) == "snp"
    with pytest.raises(RevokedError):
        check(make(trust_anchors=anchors, pool=pool_of(crl=latest)), evidence)


def test_a_vcek_of_another_chip() -> None:
    vendor = make_amd_vendor()
    other = make_snp_platform(name="other", vendor=vendor)
    guest = make_snp_guest("milan-v5")
    guest.platform = make_snp_platform(vendor=vendor)
    evidence = AttachedEvidence(EvidenceKind.SNP_REPORT, guest.collect(REPORT_DATA), other.endorsements())
    with pytest.raises(EAAError) as caught:
        check(make(trust_anchors=(guest.trust_anchor,)), evidence)
    assert caught.value.code == "signature.report"


def test_a_vcek_of_another_tcb() -> None:
    guest = make_snp_guest(
        "milan-v5", reported_tcb=TcbVersion(bootloader=1, tee=0, snp=9, microcode=1).encode()
    )
    evidence = AttachedEvidence(EvidenceKind.SNP_REPORT, guest.collect(REPORT_DATA), guest.endorsements())
    with pytest.raises(EndorsementError) as caught:
        check(make(trust_anchors=(guest.trust_anchor,)), evidence)
    assert caught.value.code == "endorsement.tcb_mismatch"


@pytest.mark.parametrize("position", [0, 31, 63])
def test_every_byte_of_report_data_is_compared(position: int) -> None:
    expected = bytearray(REPORT_DATA)
    expected[position] ^= 1
    with pytest.raises(BindingError, match="report data"):
        make().verify(ATTACHED, report_data=bytes(expected), now=NOW)


def test_one_of_several_report_data_and_host_data() -> None:
    verifier = make()
    other = bytes(64)
    found = verifier.verify_genuine(ATTACHED, report_data=(other, REPORT_DATA), config_id=bytes(32), now=NOW)
    assert found.bound == ("report_data", "config_id")
    with pytest.raises(BindingError) as caught:
        verifier.verify_genuine(ATTACHED, report_data=(other,), config_id=None, now=NOW)
    assert caught.value.code == "binding.report_data"
    with pytest.raises(BindingError) as caught:
        verifier.verify_genuine(ATTACHED, report_data=(REPORT_DATA,), config_id=b"\x01" * 32, now=NOW)
    assert caught.value.code == "binding.config_id"
    with pytest.raises(UsageError):
        verifier.verify_genuine(ATTACHED, report_data=(REPORT_DATA,), config_id=bytes(48), now=NOW)


def test_no_report() -> None:
    with pytest.raises(FormatError):
        check(make(), replace(ATTACHED, evidence=CASE.report + b"\0"))
    with pytest.raises(FormatError):
        check(make(), replace(ATTACHED, collateral=replace(CASE.endorsements, vek=b"no certificate")))


def test_a_missing_list_can_be_waived() -> None:
    attached = replace(ATTACHED, collateral=replace(CASE.endorsements, crl=None))
    verifier = make(allow_missing_crl=True)
    result = verifier.verify(attached, report_data=REPORT_DATA, now=NOW)
    assert any("no revocation list" in reason for reason in result.reasons)


def test_not_acceptable() -> None:
    guest = make_snp_guest("milan-v5")
    guest.debug = True
    evidence = AttachedEvidence(EvidenceKind.SNP_REPORT, guest.collect(REPORT_DATA), guest.endorsements())
    with pytest.raises(AppraisalDenied) as caught:
        check(make(trust_anchors=(guest.trust_anchor,)), evidence)
    assert caught.value.code == "appraisal.debug"


def test_platforms_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eaa.tls.snp_verifier._MAX_SELECTED", 2)
    verifier = make()
    (snp,) = verifier.vendors.values()
    assert isinstance(snp, SnpVerifier)
    for n in range(5):
        collateral = replace(CASE.endorsements, ark=None if n % 2 else CASE.endorsements.ark)
        extra = replace(collateral, crl=CASE.endorsements.crl)
        assert check(verifier, replace(ATTACHED, collateral=extra)) == "snp"
    for n in range(4):
        guest = make_snp_guest("milan-v5")
        guest.platform = make_snp_platform(name=f"machine {n}", vendor=guest.platform.vendor)
        evidence = AttachedEvidence(EvidenceKind.SNP_REPORT, guest.collect(REPORT_DATA), guest.endorsements())
        check(make(trust_anchors=(guest.trust_anchor,)), evidence)
        with pytest.raises(EAAError):
            check(verifier, replace(evidence, collateral=replace(guest.endorsements(), crl=None)))
    assert len(snp._selected) <= 2


def test_large_endorsements_are_not_remembered() -> None:
    """Whoever sends them has proven nothing when they are looked at."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "of no use")])
    padding = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), bytes(20_000))
    large = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1))
        .add_extension(padding, critical=False).sign(key, SHA256()).public_bytes(Encoding.DER)
    )  # fmt: skip
    verifier = make()
    (snp,) = verifier.vendors.values()
    assert isinstance(snp, SnpVerifier)
    assert check(verifier, replace(ATTACHED, collateral=replace(CASE.endorsements, ark=large))) == "snp"
    assert not snp._selected
    assert check(verifier, ATTACHED) == "snp"
    assert len(snp._selected) == 1
