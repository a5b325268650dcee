"""One change of the simulated vendor or platform makes one verification step fail, and no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA384

from eaa.attester.simulated import SimulatedCertificate, SimulatedTcbLevel, chain_pem, sign_quote
from eaa.attester.simulated.sgx_extension import integer, octets
from eaa.endorsements.tcb import TcbStatus
from eaa.errors import EAAError
from eaa.verify.result import Binding
from tests.fakes.vendor import (
    KINDS,
    NOW,
    Attester,
    Evidence,
    Kind,
    evidence_of,
    make_attester,
    make_platform,
    make_vendor,
    verify,
)

PAST, FUTURE = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)
WRONG_KEY = make_vendor("somebody else").keys.key("wrong")
P384_KEY = ec.derive_private_key(1, ec.SECP384R1())
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
UNKNOWN_CRITICAL = [(UNKNOWN, True)]

#: Where the paths of changes start.
ROOTS: Mapping[str, Callable[[Attester], Any]] = {
    "attester": lambda a: a,
    "platform": lambda a: a.platform,
    "pck": lambda a: a.platform.pck,
    "enclave": lambda a: a.platform.quoting_enclave(a.tee),
    "info": lambda a: a.platform.tcb_info[a.tee],
    "identity": lambda a: a.platform.vendor.identities["QE" if a.tee == "sgx" else "TD_QE"],
    "root": lambda a: a.platform.vendor.root,
    "ca": lambda a: a.platform.ca,
    "tcb_signing": lambda a: a.platform.vendor.tcb_signing,
    "qe_signing": lambda a: a.platform.vendor.separate_qe_identity_signing(),
}


def change(attester: Attester, path: str, value: object) -> None:
    first, *middle, last = path.split(".")
    target = ROOTS[first](attester)
    for name in middle:
        target = getattr(target, name)
    assert hasattr(target, last)
    setattr(target, last, value)


def off_curve(certificate: SimulatedCertificate) -> None:
    """The same certificate with a point that is not on the curve, signed anew."""
    numbers = certificate.key.public_key().public_numbers()
    y = numbers.y.to_bytes(32)
    certificate.edit_tbs = lambda tbs: tbs.replace(y, bytes(32))


def of_certificate(prefix: str, name: str) -> list[tuple[str, str, object]]:
    """What can be wrong with a certificate that was issued by another."""
    return [
        (f"chain.{name}_issuer", f"{prefix}.issuer_name", "EAA Simulated somebody else"),
        (f"chain.{name}_algorithm", f"{prefix}.hash_algorithm", SHA384()),
        (f"signature.{name}", f"{prefix}.signing_key", WRONG_KEY),
        (f"chain.{name}_critical_extension", f"{prefix}.extra_extensions", UNKNOWN_CRITICAL),
        (f"chain.{name}_key", f"{prefix}.certified_key", P384_KEY),
        (f"validity_period.{name}_expired", f"{prefix}.not_after", PAST),
        (f"validity_period.{name}_not_yet_valid", f"{prefix}.not_before", FUTURE),
    ]


def of_leaf(prefix: str, name: str) -> list[tuple[str, str, object]]:
    return [
        *of_certificate(prefix, name),
        (f"chain.{name}_name", f"{prefix}.common_name", "EAA Simulated"),
        (f"chain.{name}_is_ca", f"{prefix}.ca", True),
        (f"chain.{name}_key_usage", f"{prefix}.may_sign", False),
    ]


def of_crl(prefix: str, name: str) -> list[tuple[str, str, object]]:
    return [
        (f"chain.{name}_issuer", f"{prefix}.crl.issuer_name", "EAA Simulated somebody else"),
        (f"chain.{name}_key_usage", f"{prefix}.may_sign_crl", False),
        (f"chain.{name}_algorithm", f"{prefix}.crl.hash_algorithm", SHA384()),
        (f"signature.{name}", f"{prefix}.crl.signing_key", WRONG_KEY),
        (f"validity_period.{name}_expired", f"{prefix}.crl.next_update", PAST),
        (f"validity_period.{name}_not_yet_valid", f"{prefix}.crl.this_update", FUTURE),
    ]


def of_document(prefix: str, name: str) -> list[tuple[str, str, object]]:
    return [
        (f"signature.{name}", f"{prefix}.signing_key", WRONG_KEY),
        (f"validity_period.{name}_expired", f"{prefix}.next_update", PAST),
        (f"validity_period.{name}_not_yet_valid", f"{prefix}.issue_date", FUTURE),
    ]


#: The code of the refusal, what is changed, and to what. For all kinds of quote.
CHANGES: list[tuple[str, str, object]] = [
    # 1. The root.
    ("chain.root_issuer", "root.issuer_name", "EAA Simulated somebody else"),
    ("chain.root_not_ca", "root.ca", False),
    ("chain.root_path_length", "root.path_length", 0),
    ("chain.root_key_usage", "root.may_certify", False),
    ("chain.root_critical_extension", "root.extra_extensions", UNKNOWN_CRITICAL),
    ("chain.root_key", "root.certified_key", P384_KEY),
    ("validity_period.root_expired", "root.not_after", PAST),
    ("validity_period.root_not_yet_valid", "root.not_before", FUTURE),
    *of_crl("root", "root_ca_crl"),
    # 2.–4. Documents and who signed them.
    *of_leaf("tcb_signing", "tcb_signing"),
    *of_leaf("qe_signing", "qe_identity_signing"),
    *of_document("info", "tcb_info"),
    *of_document("identity", "qe_identity"),
    ("format.bad_value", "info.version", 4),
    ("format.not_json", "info.edit_body", lambda body: body[:-1]),
    ("format.duplicate_key", "identity.edit_body", lambda body: body.replace(b"{", b'{"id":"QE",', 1)),
    # 5. PCK chain and revocation lists.
    *of_certificate("ca", "pck_ca"),
    ("chain.pck_ca_not_ca", "ca.ca", False),
    ("chain.pck_ca_key_usage", "ca.may_certify", False),
    *of_crl("ca", "pck_crl"),
    *of_leaf("pck", "pck_certificate"),
    ("format.bad_value", "ca.crl.extra_extensions", UNKNOWN_CRITICAL),
    # 6.–8. The quoting enclave and its platform.
    ("signature.qe_report", "enclave.report_signing_key", WRONG_KEY),
    ("binding.qe_report_data", "enclave.report_data", b"\x01" * 64),
    ("endorsement.qe_mr_signer", "enclave.mr_signer", b"\x01" * 32),
    ("endorsement.qe_isv_prod_id", "enclave.isv_prod_id", 3),
    ("endorsement.qe_misc_select", "enclave.misc_select", 1),
    ("endorsement.qe_attributes", "enclave.attributes", bytes.fromhex("1700000000000000e700000000000000")),
    ("endorsement.qe_tcb_level_not_found", "enclave.isv_svn", 2),
    ("endorsement.fmspc_mismatch", "info.fmspc", bytes(6)),
    ("endorsement.pceid_mismatch", "info.pce_id", b"\x01\x00"),
    ("format.missing", "pck.has_extension", False),
    ("format.missing", "pck.field_overrides", {"2.17": None}),
    ("format.bad_value", "pck.field_overrides", {"4": octets(bytes(5))}),
    ("format.bad_value", "pck.field_overrides", {"9": integer(1)}),
    ("unsupported.certification_data_type", "attester.certification_type", 1),
    ("unsupported.certification_data_type", "attester.certification_type", 2),
    ("unsupported.certification_data_type", "attester.certification_type", 3),
    ("unsupported.certification_data_type", "attester.certification_type", 4),
    ("unsupported.certification_data_type", "attester.certification_type", 7),
    ("format.bad_value", "attester.certification_type", 6),
    # 11. and 12. The quote and the TCB.
    ("format.bad_value", "enclave.attestation_public", b"\x01" * 64),
    ("signature.quote", "enclave.quote_signing_key", WRONG_KEY),
    ("unsupported.attestation_key_type", "attester.header", {"attestation_key_type": 3}),
    ("format.bad_value", "attester.header", {"qe_vendor_id": bytes(16)}),
    ("endorsement.tcb_level_not_found", "pck.tcb.pce_svn", 4),
    ("endorsement.tcb_level_not_found", "pck.tcb.sgx_components", bytes(16)),
]


@pytest.mark.parametrize("kind", ["sgx-v3", "tdx15-v5"])
@pytest.mark.parametrize(("code", "path", "value"), CHANGES, ids=[f"{c}-{p}" for c, p, _ in CHANGES])
def test_one_change_is_one_refusal(kind: Kind, code: str, path: str, value: object) -> None:
    attester = make_attester(kind)
    change(attester, path, value)
    refused(code, evidence_of(attester))


@pytest.mark.parametrize("name", ["root", "tcb_signing", "qe_signing", "ca", "pck"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_certificate_can_be_revoked(kind: Kind, name: str) -> None:
    attester = make_attester(kind)
    attester.platform.vendor.revoke(ROOTS[name](attester))
    codes = {"qe_signing": "qe_identity_signing", "ca": "pck_ca", "pck": "pck_certificate"}
    refused(f"revoked.{codes.get(name, name)}", evidence_of(attester))


@pytest.mark.parametrize("name", ["root", "tcb_signing", "qe_signing", "ca", "pck"])
def test_a_key_off_the_curve(name: str) -> None:
    attester = make_attester("tdx-v4")
    off_curve(ROOTS[name](attester))
    codes = {"qe_signing": "qe_identity_signing", "ca": "pck_ca", "pck": "pck_certificate"}
    refused(f"chain.{codes.get(name, name)}_key", evidence_of(attester))


def test_chains_of_another_length() -> None:
    for path in ("info.chain", "identity.chain"):
        attester = make_attester("tdx-v4")
        vendor = attester.platform.vendor
        change(attester, path, (vendor.tcb_signing, vendor.root, vendor.root))
        refused("chain.length", evidence_of(attester))
    attester = make_attester("tdx-v4")
    attester.platform.chain = (attester.platform.pck, attester.platform.vendor.root)
    refused("chain.length", evidence_of(attester))
    refused("chain.length", with_crl_chain(make_attester("tdx-v4"), [attester.platform.ca]))


def test_swapped_chains() -> None:
    attester = make_attester("tdx-v4")
    vendor = attester.platform.vendor
    change(attester, "info.chain", (vendor.platform_ca, vendor.root))
    refused("chain.tcb_signing_is_ca", evidence_of(attester))
    attester = make_attester("tdx-v4")
    vendor = attester.platform.vendor
    attester.platform.chain = (attester.platform.pck, vendor.processor_ca, vendor.root)
    refused("chain.pck_crl_issuer", evidence_of(attester))
    evidence = with_crl_chain(make_attester("tdx-v4"), [vendor.processor_ca, vendor.root])
    refused("chain.pck_crl_issuer_chain", evidence)


def test_a_second_issue_of_the_pck_ca_must_be_signed_too() -> None:
    def reissued(**changes: Any) -> Evidence:
        attester = make_attester("tdx-v4")
        ca = replace(attester.platform.ca, serial=2, **changes)
        return with_crl_chain(attester, [ca, attester.platform.vendor.root])

    verify(reissued())
    refused("signature.pck_crl_issuer_chain", reissued(signing_key=WRONG_KEY))
    refused("chain.pck_crl_issuer_chain_issuer", reissued(issuer_name="EAA Simulated somebody else"))


def test_chains_of_another_vendor() -> None:
    """Refused as untrusted, and where that vendor is trusted as well, because two roots are mixed."""
    stranger = make_vendor("stranger")
    trusted = (make_vendor().root.parsed, stranger.root.parsed)
    ours, theirs = make_attester("tdx-v4"), make_attester("tdx-v4", platform=make_platform(vendor=stranger))
    foreign_identity = replace(ours.endorsements(), qe_identity=theirs.endorsements().qe_identity)
    ours.platform.chain = (theirs.platform.pck, theirs.platform.ca, stranger.root)
    cases = (
        replace(evidence_of(make_attester("tdx-v4")), collateral=foreign_identity),
        evidence_of(ours),
    )
    for evidence in cases:
        refused("chain.untrusted_root", evidence)
        refused("chain.mixed_roots", evidence, trust_anchors=trusted)
    contradicting = with_crl_chain(make_attester("tdx-v4"), [theirs.platform.ca, stranger.root])
    refused("chain.untrusted_root", contradicting)


@pytest.mark.parametrize("kind", ["sgx-v4", "tdx-v4", "tdx15-v5"])
@pytest.mark.parametrize("outer", [1, 2, 3, 4, 5, 7])
def test_certification_that_is_not_nested(kind: Kind, outer: int) -> None:
    attester = make_attester(kind)
    quote = sign_quote(
        attester.platform, attester.report, version=attester.quote_version, outer_certification_type=outer
    )
    refused("format.bad_value", replace(evidence_of(attester), quote=quote))


@pytest.mark.parametrize("part", ["tcb_info", "qe_identity", "root_ca_crl", "pck_crl"])
def test_a_missing_part(part: str) -> None:
    evidence = evidence_of(make_attester("sgx-v4"))
    collateral = replace(evidence.collateral, **{part: None})  # type: ignore[arg-type]  # fields by name
    refused(f"endorsement_not_found.{part}", replace(evidence, collateral=collateral))


def test_collateral_of_the_other_tee() -> None:
    sgx, tdx = evidence_of(make_attester("sgx-v3")), evidence_of(make_attester("tdx-v4"))
    refused("endorsement.tcb_info_tee", replace(sgx, collateral=tdx.collateral))
    refused("endorsement.tcb_info_tee", replace(tdx, collateral=sgx.collateral))
    mixed = replace(sgx.collateral, qe_identity=tdx.collateral.qe_identity)
    refused("endorsement.qe_identity_id", replace(sgx, collateral=mixed))


@pytest.mark.parametrize("kind", KINDS)
def test_bindings(kind: Kind) -> None:
    evidence = evidence_of(make_attester(kind))
    config_id_bytes = 64 if kind.startswith("sgx") else 48
    verify(evidence, binding=Binding(None, bytes(config_id_bytes)))
    refused("binding.report_data", evidence, binding=Binding(bytes(64)))
    refused("binding.config_id", evidence, binding=Binding(None, b"\x01" * config_id_bytes))
    refused("usage.report_data_length", evidence, binding=Binding(bytes(63)))
    refused("usage.naive_datetime", evidence, now=NOW.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("tdx_module_mr_signer", {"mr_signer_seam": b"\x01" * 48}),
        ("tdx_module_attributes", {"seam_attributes": b"\x01" + bytes(7)}),
        ("tdx_module_not_found", {"tee_tcb_svn": b"\x05\x02\x04" + bytes(13)}),
        ("tdx_module_tcb_level_not_found", {"tee_tcb_svn": b"\x03\x01\x04" + bytes(13)}),
        ("tcb_level_not_found", {"tee_tcb_svn": b"\x05\x01\x01" + bytes(13)}),
    ],
)
@pytest.mark.parametrize("kind", ["tdx-v4", "tdx-v5", "tdx15-v5"])
def test_tdx_module(kind: Kind, code: str, fields: Mapping[str, bytes]) -> None:
    attester = make_attester(kind)
    attester.report = attester.report.replace(**fields)
    refused(f"endorsement.{code}", evidence_of(attester))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [s for s in TcbStatus if not s.startswith("TDRelaunch")])
def test_platform_statuses(kind: Kind, status: TcbStatus) -> None:
    attester = make_attester(kind)
    level = attester.platform.tcb_info[attester.tee].levels[0]
    level.status, level.advisory_ids = status, ["INTEL-SIM-00002", "INTEL-SIM-00001"]
    tcb = verify(attester).tcb
    assert tcb.status is status
    assert tcb.advisory_ids == ("INTEL-SIM-00001", "INTEL-SIM-00002")


@pytest.mark.parametrize("kind", KINDS)
def test_an_older_platform_quoting_enclave_or_debug_bit(kind: Kind) -> None:
    attester = make_attester(kind)
    levels: list[SimulatedTcbLevel] = attester.platform.tcb_info[attester.tee].levels
    attester.platform.use_level(levels[1])
    assert verify(attester).tcb.platform.status is TcbStatus.OUT_OF_DATE
    attester = make_attester(kind, debug=True)
    enclave = attester.platform.quoting_enclave(attester.tee)
    enclave.isv_svn = 7 if kind.startswith("sgx") else 3
    verified = verify(attester)
    assert verified.tcb.status is verified.tcb.qe.status is TcbStatus.OUT_OF_DATE
    assert verified.tcb.platform.status is TcbStatus.UP_TO_DATE
    assert verified.quote.body.debug


def test_relaunch_is_advised_when_only_the_launching_module_was_old() -> None:
    attester = make_attester("tdx15-v5")
    old, new = b"\x04\x01\x04" + bytes(13), b"\x05\x01\x04" + bytes(13)
    attester.report = attester.report.replace(tee_tcb_svn=old, tee_tcb_svn_2=new)
    assert verify(attester).tcb.status is TcbStatus.TD_RELAUNCH_ADVISED
    attester.platform.tcb_info["tdx"].levels[0].status = TcbStatus.CONFIGURATION_NEEDED
    assert verify(attester).tcb.status is TcbStatus.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED


def test_a_loaded_module_that_nobody_knows() -> None:
    attester = make_attester("tdx15-v5")
    old, unknown = b"\x04\x01\x04" + bytes(13), b"\x05\x02\x04" + bytes(13)
    attester.report = attester.report.replace(tee_tcb_svn=old, tee_tcb_svn_2=unknown)
    refused("endorsement.tdx_module_not_found", evidence_of(attester))


@pytest.mark.parametrize("kind", KINDS)
def test_a_revoked_quoting_enclave(kind: Kind) -> None:
    attester = make_attester(kind)
    identity = attester.platform.vendor.identities["QE" if attester.tee == "sgx" else "TD_QE"]
    identity.levels[0].status = TcbStatus.REVOKED
    assert verify(attester).tcb.status is TcbStatus.REVOKED


def test_module_version_0_and_tcb_info_version_2() -> None:
    attester = make_attester("tdx-v4")
    attester.report = attester.report.replace(tee_tcb_svn=b"\x05\x00\x04" + bytes(13))
    assert verify(attester).tcb.tdx_module is None
    attester.platform.tcb_info["tdx"].tdx_module_identities = []
    assert verify(attester).tcb.status is TcbStatus.UP_TO_DATE
    attester = make_attester("sgx-v3")
    attester.platform.tcb_info["sgx"].version = 2
    assert verify(attester).tcb.status is TcbStatus.UP_TO_DATE


def refused(code: str, evidence: Evidence, **how: Any) -> None:
    with pytest.raises(EAAError) as caught:
        verify(evidence, **how)
    assert caught.value.code == code, str(caught.value)


def with_crl_chain(attester: Attester, chain: Iterable[SimulatedCertificate]) -> Evidence:
    evidence = evidence_of(attester)
    return replace(evidence, collateral=replace(evidence.collateral, pck_crl_issuer_chain=chain_pem(chain)))
