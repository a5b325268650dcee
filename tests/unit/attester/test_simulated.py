"""The simulated platform as made: its quotes verify here and elsewhere, and nowhere by default."""

from __future__ import annotations

import importlib
import json
import subprocess
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from eaa.attester.simulated import (
    SimulatedPlatform,
    SimulatedTdxGuest,
    SimulatedVendor,
    collateral_files,
    dcap_qvl_json,
    write_collateral,
)
from eaa.codec.pem import decode_pem_certificates
from eaa.endorsements.pck import SgxType, parse_pck_extension
from eaa.endorsements.roots import INTEL_SGX_ROOTS, SIMULATED_NAME_PREFIX
from eaa.endorsements.tcb import TcbStatus
from eaa.endorsements.x509 import parse_certificate
from eaa.errors import ChainError, UsageError
from eaa.evidence.dcap_quote import parse_certification, parse_quote
from tests.fakes.vendor import (
    KINDS,
    NOW,
    REPORT_DATA,
    Kind,
    evidence_of,
    make_attester,
    make_platform,
    make_vendor,
    shared_evidence,
    verify,
)

dcap_qvl = importlib.import_module("dcap_qvl")  # ships no types
#: dcap-qvl 0.7 takes SGX quotes of version 3 only.
PEER_KINDS: tuple[Kind, ...] = ("sgx-v3", "tdx-v4", "tdx-v5", "tdx15-v5")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ca", ["platform", "processor"])
def test_default_quote_is_up_to_date(kind: Kind, ca: str) -> None:
    platform = make_platform(ca="processor" if ca == "processor" else "platform")
    verified = verify(make_attester(kind, platform=platform))
    assert verified.tcb.status is TcbStatus.UP_TO_DATE
    assert verified.tcb.advisory_ids == ()
    assert verified.quote.body.report_data == REPORT_DATA
    assert verified.quote.header.version == int(kind[-1])
    assert not verified.quote.body.debug


@pytest.mark.parametrize("kind", KINDS)
def test_refused_under_the_pinned_roots_and_named_as_simulated(kind: Kind) -> None:
    with pytest.raises(
        ChainError, match="a simulated platform, trusted only where its root is named"
    ) as caught:
        verify(shared_evidence(kind), trust_anchors=INTEL_SGX_ROOTS)
    assert caught.value.code == "chain.untrusted_root"


@pytest.mark.parametrize("kind", PEER_KINDS)
@pytest.mark.parametrize("ca", ["platform", "processor"])
def test_dcap_qvl_accepts(kind: Kind, ca: str) -> None:
    platform = make_platform(ca="processor" if ca == "processor" else "platform")
    evidence = evidence_of(make_attester(kind, platform=platform))
    report = dcap_qvl.verify_with_root_ca(
        evidence.quote,
        dcap_qvl.QuoteCollateralV3.from_json(dcap_qvl_json(evidence.collateral).decode()),
        evidence.trust_anchor.der,
        int(NOW.timestamp()),
    )
    assert (report.status, report.advisory_ids) == ("UpToDate", [])
    assert report.ppid == platform.pck.ppid


def test_dcap_qvl_refuses_it_under_its_own_root() -> None:
    evidence = shared_evidence("sgx-v3")
    collateral = dcap_qvl.QuoteCollateralV3.from_json(dcap_qvl_json(evidence.collateral).decode())
    with pytest.raises(ValueError, match="Verification failed"):
        dcap_qvl.verify(evidence.quote, collateral, int(NOW.timestamp()))


def test_openssl_verifies_the_chains_with_their_revocation_lists(tmp_path: Path) -> None:
    vendor = make_vendor()
    platform = make_platform(vendor=vendor)
    (tmp_path / "root.pem").write_bytes(vendor.root.pem)
    (tmp_path / "ca.pem").write_bytes(vendor.platform_ca.pem)
    for name, crl in (("root", vendor.root.crl), ("ca", vendor.platform_ca.crl)):
        der, pem = tmp_path / f"{name}.crl.der", tmp_path / f"{name}.crl.pem"
        der.write_bytes(crl.der)
        subprocess.run(["openssl", "crl", "-inform", "der", "-in", der, "-out", pem], check=True)
    for certificate in (platform.pck, vendor.tcb_signing):
        (tmp_path / "leaf.pem").write_bytes(certificate.pem)
        subprocess.run(
            [
                "openssl", "verify", "-x509_strict", "-crl_check_all", "-attime", str(int(NOW.timestamp())),
                "-CAfile", "root.pem", "-untrusted", "ca.pem",
                "-CRLfile", "root.crl.pem", "-CRLfile", "ca.crl.pem", "leaf.pem",
            ],
            cwd=tmp_path, check=True, capture_output=True,
        )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_says_simulated(kind: Kind) -> None:
    evidence = shared_evidence(kind)
    certification = parse_certification(parse_quote(evidence.quote))
    assert evidence.collateral.tcb_info is not None
    for chain in (certification.data.data, evidence.collateral.tcb_info.issuer_chain):
        for der in decode_pem_certificates(chain, "chain"):
            assert parse_certificate(der).common_name.startswith(SIMULATED_NAME_PREFIX)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_repeats_to_the_byte_and_none_repeats_nothing(kind: Kind) -> None:
    assert evidence_of(make_attester(kind)) == shared_evidence(kind)
    one, other = SimulatedVendor(now=NOW), SimulatedVendor(now=NOW)
    assert one.root.der != other.root.der
    assert one.root.der == one.root.der


def test_pck_extension_says_what_the_platform_is() -> None:
    platform = SimulatedPlatform(make_vendor(), fmspc=bytes(range(6)), pce_id=b"\x01\x02")
    platform.pck.sgx_type = SgxType.SCALABLE_WITH_INTEGRITY
    platform.pck.tcb.sgx_components = bytes(range(240, 256))
    platform.pck.tcb.pce_svn = 0xFFFF
    platform.pck.cached_keys = False
    extension = parse_pck_extension(platform.pck.parsed)
    assert extension.ppid == platform.pck.ppid
    assert extension.cpu_svn == platform.pck.tcb.cpu_svn
    assert extension.sgx_tcb_components == bytes(range(240, 256))
    assert (extension.pce_svn, extension.pce_id, extension.fmspc) == (0xFFFF, b"\x01\x02", bytes(range(6)))
    assert extension.sgx_type is SgxType.SCALABLE_WITH_INTEGRITY
    assert extension.platform_instance_id == platform.pck.platform_instance_id
    assert (extension.dynamic_platform, extension.cached_keys, extension.smt_enabled) == (True, False, True)


def test_processor_ca_has_no_platform_instance() -> None:
    extension = parse_pck_extension(make_platform(ca="processor").pck.parsed)
    assert extension.sgx_type is SgxType.STANDARD
    assert extension.platform_instance_id is None
    assert (extension.dynamic_platform, extension.cached_keys, extension.smt_enabled) == (None,) * 3


def test_exports_hold_the_same_collateral(tmp_path: Path) -> None:
    collateral = shared_evidence("tdx-v4").collateral
    assert collateral.tcb_info is not None
    assert collateral.root_ca_crl is not None
    exported = json.loads(dcap_qvl_json(collateral))
    assert exported["tcb_info"].encode() == collateral.tcb_info.body
    assert bytes.fromhex(exported["root_ca_crl"]) == collateral.root_ca_crl
    write_collateral(collateral, tmp_path / "collateral")
    files = {path.name: path.read_bytes() for path in (tmp_path / "collateral").iterdir()}
    assert files == collateral_files(collateral)
    assert files["root_ca_crl.der"] == collateral.root_ca_crl
    response = json.loads(files["tcb_info.json"])
    assert bytes.fromhex(response["signature"]) == collateral.tcb_info.signature
    with pytest.raises(UsageError):
        dcap_qvl_json(replace(collateral, pck_crl=None))


def test_wrong_use_is_a_usage_error() -> None:
    guest = make_attester("tdx-v4")
    for length in (0, 63, 65):
        with pytest.raises(UsageError, match="64 bytes"):
            guest.collect(bytes(length))
    for platform, version, tdx15 in ((guest.platform, 3, False), (guest.platform, 4, True)):
        with pytest.raises(UsageError, match="has no body"):
            SimulatedTdxGuest(platform, quote_version=version, tdx15=tdx15).collect(REPORT_DATA)
    with pytest.raises(UsageError, match="aware"):
        SimulatedVendor(now=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
    vendor = guest.platform.vendor
    below_leaf = vendor.issue("orphan", vendor.tcb_signing, vendor.pck_crl_url("platform"))
    with pytest.raises(UsageError, match="no revocation list"):
        vendor.revoke(below_leaf)
