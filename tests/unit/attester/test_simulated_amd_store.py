"""The simulated AMD that processes share: made once, the same for all, and its evidence verifies."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from eaa.attester.instances import AttesterOptions, select_attester
from eaa.attester.simulated import amd_keys
from eaa.attester.simulated.amd_keys import AmdKeys
from eaa.attester.simulated_amd_store import ARKS_FILE, KEYS_FILE, SimulatedAmdStore
from eaa.attester.simulated_snp_attester import SimulatedSnpMachine, StoredSimulatedSnpAttester
from eaa.attester.simulated_store import SimulatedStore
from eaa.codec.pem import encode_pem
from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.endorsements.roots import SIMULATED_NAME_PREFIX
from eaa.endorsements.x509 import Certificate
from eaa.errors import ChainError, ConfigError, UsageError
from eaa.evidence.snp import parse_snp_report
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion
from eaa.tls.peer import AttachedEvidence, EvidenceKind
from eaa.verify.result import Binding
from eaa.verify.snp import SnpMemo, verify_report
from eaa.verify.snp_result import VerifiedSnpEvidence
from tests.fakes.amd_vendor import rsa_key
from tests.fakes.certificates import certificate
from tests.fakes.vendor import NOW, REPORT_DATA

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def made_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's RSA keys, so that none are made anew."""
    keys = AmdKeys(rsa_key("ark"), rsa_key("ask"), rsa_key("asvk"))
    monkeypatch.setattr(amd_keys.AmdKeys, "generate", lambda: keys)


def store_at(folder: Path) -> SimulatedAmdStore:
    return SimulatedAmdStore(SimulatedStore(folder))


def attester(
    folder: Path, now: datetime = NOW, machine: SimulatedSnpMachine | None = None, **fields: bytes | int
) -> StoredSimulatedSnpAttester:
    return StoredSimulatedSnpAttester(
        store=store_at(folder), now=lambda: now, machine=machine or SimulatedSnpMachine(), fields=fields,
        debug=False,
    )  # fmt: skip


def verified(
    evidence: AttachedEvidence, anchors: tuple[Certificate, ...], now: datetime = NOW
) -> VerifiedSnpEvidence:
    assert isinstance(evidence.collateral, SnpEndorsements)
    return verify_report(
        evidence.evidence, endorsements=evidence.collateral, trust_anchors=anchors,
        binding=Binding(REPORT_DATA), now=now, memo=SnpMemo(4),
    )  # fmt: skip


@pytest.mark.parametrize("product", SnpProduct)
@pytest.mark.parametrize("key", [SigningKey.VCEK, SigningKey.VLEK])
def test_every_product_and_key(tmp_path: Path, product: SnpProduct, key: SigningKey) -> None:
    evidence = attester(tmp_path, machine=SimulatedSnpMachine(product, signing_key=key)).collect(REPORT_DATA)
    anchors = store_at(tmp_path).trust_anchors(now=NOW)
    assert [anchor.common_name for anchor in anchors] == [
        f"{SIMULATED_NAME_PREFIX} ARK-{item}" for item in SnpProduct
    ]
    found = verified(evidence, anchors)
    assert (found.vek.product, found.vek.kind) == (product, key)
    assert found.revocation_checked
    assert evidence.kind is EvidenceKind.SNP_REPORT


def test_processes_agree_and_later_ones_too(tmp_path: Path) -> None:
    first = attester(tmp_path).collect(REPORT_DATA)
    anchors = store_at(tmp_path).known_anchors()
    for later in (DAY, 13 * DAY, 40 * DAY, 400 * DAY):
        at = NOW + later
        other = attester(tmp_path, at).collect(REPORT_DATA)
        assert verified(other, anchors, at).vek.hwid == verified(first, anchors).vek.hwid
        assert store_at(tmp_path).trust_anchors(now=at) == anchors
    # What was issued in one period verifies for as long in the next.
    assert verified(first, anchors, NOW + 14 * DAY)


def test_endorsements_are_made_once_for_a_period(tmp_path: Path) -> None:
    times = [NOW, NOW, NOW + DAY, NOW + 15 * DAY]
    clock = iter(times)
    snp = StoredSimulatedSnpAttester(
        store=store_at(tmp_path),
        now=lambda: next(clock),
        machine=SimulatedSnpMachine(),
        fields={},
        debug=True,
    )
    first, second, third, fourth = [snp.collect(REPORT_DATA) for _ in times]
    assert first.collateral is second.collateral is third.collateral
    assert fourth.collateral is not first.collateral
    assert parse_snp_report(first.evidence).policy.debug_allowed


def test_machine_and_fields_are_what_was_asked_for(tmp_path: Path) -> None:
    tcb = TcbVersion(fmc=1, bootloader=1, tee=1, snp=4, microcode=80)
    machine = SimulatedSnpMachine(SnpProduct.TURIN, tcb, version=3, chip="second")
    report = parse_snp_report(
        attester(tmp_path, machine=machine, measurement=b"\x11" * 48).collect(REPORT_DATA).evidence
    )
    assert (report.product, report.reported_tcb, report.body.version) == (SnpProduct.TURIN, tcb, 3)
    assert report.body.measurement == b"\x11" * 48
    other = attester(tmp_path, machine=replace(machine, chip="third")).collect(REPORT_DATA)
    assert parse_snp_report(other.evidence).body.chip_id != report.body.chip_id


def test_selected_by_name(tmp_path: Path) -> None:
    options = AttesterOptions(
        simulated_directory=tmp_path, now=lambda: NOW, simulated_fields={"guest_svn": 7},
        simulated_machine=SimulatedSnpMachine(SnpProduct.GENOA),
    )  # fmt: skip
    snp = select_attester("simulated-snp", root=tmp_path, options=options, allow_null=False)
    assert isinstance(snp, StoredSimulatedSnpAttester)
    assert snp.name == "simulated-snp"
    assert str(tmp_path / ARKS_FILE) in snp.warning
    assert snp.collateral() == snp.collect(REPORT_DATA).collateral
    report = parse_snp_report(snp.collect(REPORT_DATA).evidence)
    assert (report.body.guest_svn, report.product) == (7, SnpProduct.GENOA)
    with pytest.raises(UsageError, match="64 bytes"):
        snp.collect(bytes(63))


def test_another_folder_is_not_believed(tmp_path: Path) -> None:
    evidence = attester(tmp_path / "a").collect(REPORT_DATA)
    with pytest.raises(ChainError) as caught:
        verified(evidence, store_at(tmp_path / "b").trust_anchors(now=NOW + DAY))
    assert caught.value.code == "chain.untrusted_root"


def test_a_folder_that_can_only_verify(tmp_path: Path) -> None:
    evidence = attester(tmp_path / "a").collect(REPORT_DATA)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / ARKS_FILE).write_bytes((tmp_path / "a" / ARKS_FILE).read_bytes())
    copy = store_at(tmp_path / "b")
    assert verified(evidence, copy.trust_anchors(now=NOW))
    refused(copy, f"{KEYS_FILE} is missing beside {ARKS_FILE}")


def refused(store: SimulatedAmdStore, text: str) -> None:
    with pytest.raises(ConfigError, match=text) as caught:
        store.vendor(SnpProduct.MILAN, now=NOW)
    assert caught.value.code == "config.simulated_store"


def test_keys_are_for_this_user_alone(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    assert store.known_anchors() == ()
    store.vendor(SnpProduct.MILAN, now=NOW)
    assert (tmp_path / KEYS_FILE).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / ARKS_FILE).stat().st_mode & 0o044 == 0o044
    (tmp_path / KEYS_FILE).chmod(0o640)
    refused(store, "may be read by others")


def test_keys_that_are_none(tmp_path: Path) -> None:
    (tmp_path / KEYS_FILE).write_bytes(b"no keys")
    (tmp_path / KEYS_FILE).chmod(0o600)
    refused(store_at(tmp_path), "is not what was written here")


def test_arks_of_other_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_at(tmp_path / "a").vendor(SnpProduct.MILAN, now=NOW)
    others = AmdKeys(rsa_key("ask"), rsa_key("ark"), rsa_key("asvk"))
    monkeypatch.setattr(amd_keys.AmdKeys, "generate", lambda: others)
    store = store_at(tmp_path / "b")
    store.vendor(SnpProduct.MILAN, now=NOW)
    (tmp_path / "b" / ARKS_FILE).write_bytes((tmp_path / "a" / ARKS_FILE).read_bytes())
    refused(store, f"{ARKS_FILE} is not of the keys beside it")


@pytest.mark.parametrize("content", [b"no certificates", encode_pem(certificate().der)])
def test_arks_that_are_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ARKS_FILE).write_bytes(content)
    with pytest.raises(ConfigError, match=r"holds no certificates|does not hold the certificates"):
        store_at(tmp_path).known_anchors()
