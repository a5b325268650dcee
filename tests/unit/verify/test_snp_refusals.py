"""One change of the simulated AMD, platform or guest makes one verification step fail, and no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eaa.attester.simulated.amd_der import bit_string, boolean, integer, oid
from eaa.attester.simulated.amd_guest import SimulatedSnpGuest, SimulatedSnpPlatform
from eaa.codec.der import wrap_sequence
from eaa.errors import EAAError
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion
from eaa.verify.result import Binding
from tests.fakes.amd_vendor import (
    NOW,
    REPORT_DATA,
    SNP_KINDS,
    SnpCase,
    SnpKind,
    make_amd_vendor,
    make_snp_guest,
    make_snp_platform,
    rsa_key,
    snp_case,
    verify_snp,
)

PAST, FUTURE = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)
SOMEBODY = "EAA Simulated somebody else"
#: The length of the salt in the parameters of RSASSA-PSS, which are inside and outside of what is signed.
SALT_48, SALT_49 = bytes.fromhex("a203020130"), bytes.fromhex("a203020131")
UNKNOWN_CRITICAL = [("1.3.6.1.4.1.99999.1", True, b"\x05\x00")]
CA_EXTENSION = [("2.5.29.19", False, wrap_sequence(boolean(True)))]
P384 = ec.derive_private_key(7, ec.SECP384R1())


def spki(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


P256_SPKI = spki(ec.derive_private_key(7, ec.SECP256R1()))
P384_SPKI = spki(P384)
UNKNOWN_SPKI = wrap_sequence(wrap_sequence(oid("1.3.6.1.4.1.99999.3")) + bit_string(b"\x00"))
OFF_CURVE = P384_SPKI[:-1] + bytes((P384_SPKI[-1] ^ 1,))

#: Where the paths of changes start.
ROOTS: Mapping[str, Callable[[SimulatedSnpGuest], Any]] = {
    "guest": lambda g: g,
    "platform": lambda g: g.platform,
    "vek": lambda g: g.platform.vek(g.signing_key),
    "ask": lambda g: g.platform.vek(g.signing_key).issuer,
    "ark": lambda g: g.platform.vendor.ark,
    "crl": lambda g: g.platform.vendor.crl,
}


def change(guest: SimulatedSnpGuest, path: str, value: object) -> None:
    first, name = path.split(".")
    target = ROOTS[first](guest)
    assert hasattr(target, name)
    setattr(target, name, value)


def refused(code: str, case: SnpCase | SimulatedSnpGuest, **options: Any) -> None:
    with pytest.raises(EAAError) as caught:
        verify_snp(case, **options)
    assert caught.value.code == code, caught.value


def lasting(prefix: str, name: str) -> list[tuple[str, str, object]]:
    return [
        (f"validity_period.{name}_expired", f"{prefix}.not_after", PAST),
        (f"validity_period.{name}_not_yet_valid", f"{prefix}.not_before", FUTURE),
    ]


def issued(prefix: str, name: str) -> list[tuple[str, str, Callable[[], object]]]:
    """What can be wrong with what was issued by another; values are made when they are needed."""
    return [
        (f"chain.{name}_issuer", f"{prefix}.issuer_name", lambda: SOMEBODY),
        (f"chain.{name}_algorithm", f"{prefix}.hash_algorithm", SHA256),
        (f"signature.{name}", f"{prefix}.signing_key", lambda: rsa_key("wrong")),
    ]


#: The code of the refusal, what is changed, and to what. For all kinds of report.
CHANGES: list[tuple[str, str, object]] = [
    # 1. ARK.
    ("chain.ark_issuer", "ark.issuer_name", SOMEBODY),
    ("chain.ark_not_ca", "ark.ca", False),
    ("chain.ark_path_length", "ark.path_length", 0),
    ("chain.ark_key_usage", "ark.may_certify", False),
    ("chain.ark_critical_extension", "ark.extra_extensions", UNKNOWN_CRITICAL),
    ("chain.ark_key", "ark.certified_spki", P384_SPKI),
    ("chain.ask_product", "ark.common_name", "EAA Simulated ARK-Venice"),
    *lasting("ark", "ark"),
    # 2. ASK.
    ("chain.ask_not_ca", "ask.ca", False),
    ("chain.ask_key_usage", "ask.may_certify", False),
    ("chain.ask_critical_extension", "ask.extra_extensions", UNKNOWN_CRITICAL),
    ("chain.ask_name", "ask.common_name", "EAA Simulated SEV-Venice"),
    ("chain.ask_key", "ask.certified_spki", P384_SPKI),
    ("chain.ask_key", "ask.certified_spki", spki(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)))),
    ("chain.ask_key", "ask.certified_spki", wrap_sequence(b"")),
    ("chain.ask_key", "ask.certified_spki", UNKNOWN_SPKI),
    *lasting("ask", "ask"),
    # 3. Revocation list.
    ("chain.crl_key_usage", "ark.may_sign_crl", False),
    ("format.bad_value", "crl.extra_extensions", UNKNOWN_CRITICAL),
    ("validity_period.crl_expired", "crl.next_update", PAST),
    ("validity_period.crl_not_yet_valid", "crl.this_update", FUTURE),
    # 4. VEK.
    ("chain.vek_critical_extension", "vek.extra_extensions", UNKNOWN_CRITICAL),
    ("chain.vek_is_ca", "vek.extra_extensions", CA_EXTENSION),
    ("chain.vek_name", "vek.common_name", "EAA Simulated SEV-VXEK"),
    ("chain.vek_key", "vek.certified_spki", P256_SPKI),
    ("format.bad_value", "vek.edit_tbs", lambda tbs: tbs.replace(SALT_48, SALT_49)),
    ("chain.vek_key", "vek.certified_spki", OFF_CURVE),
    ("format.missing", "vek.overrides", {"3.8": None}),
    ("format.bad_value", "vek.overrides", {"3.1": integer(256)}),
    ("unsupported.snp_product", "vek.product_name", "Venice-A0"),
    ("unsupported.vek_struct_version", "vek.overrides", {"1": integer(2)}),
    *lasting("vek", "vek"),
    # 7. Report.
    ("signature.report", "guest.report_signing_key", P384),
    # 11. and the parser, before all.
    ("binding.host_requested", "guest.fields", {"vmpl": 0xFFFFFFFF}),
    ("format.bad_value", "guest.fields", {"vmpl": 4}),
    ("format.reserved", "guest.fields", {"policy": 0}),
    ("format.reserved", "guest.fields", {"platform_info": 1 << 8}),
    ("format.reserved", "guest.fields", {"key_info": 1 << 5}),
    ("signature.report_unsigned", "guest.fields", {"key_info": SigningKey.NONE << 2}),
]
MADE_LATER = [*issued("ask", "ask"), *issued("crl", "crl"), *issued("vek", "vek")]


@pytest.mark.parametrize("kind", ["milan-v2", "turin-v5", "milan-vlek-v3"])
@pytest.mark.parametrize(("code", "path", "value"), CHANGES, ids=[f"{c}-{p}" for c, p, _ in CHANGES])
def test_one_change_is_one_refusal(kind: SnpKind, code: str, path: str, value: object) -> None:
    guest = make_snp_guest(kind)
    change(guest, path, value)
    refused(code, guest)


@pytest.mark.parametrize("kind", ["milan-v2", "turin-v5", "milan-vlek-v3"])
@pytest.mark.parametrize(("code", "path", "make"), MADE_LATER, ids=[f"{c}-{p}" for c, p, _ in MADE_LATER])
def test_wrongly_issued(kind: SnpKind, code: str, path: str, make: Callable[[], object]) -> None:
    guest = make_snp_guest(kind)
    change(guest, path, make())
    refused(code, guest)


@pytest.mark.parametrize("kind", SNP_KINDS)
def test_what_nothing_was_changed_in_is_accepted(kind: SnpKind) -> None:
    guest = make_snp_guest(kind)
    verified = verify_snp(guest)
    assert verified.report.encode() == guest.collect(REPORT_DATA)
    assert verified.bound == ("report_data",)
    assert verified.revocation_checked


@pytest.mark.parametrize("kind", ["milan-v5", "milan-vlek-v3"])
@pytest.mark.parametrize("name", ["ark", "ask", "vek"])
def test_each_certificate_can_be_revoked(kind: SnpKind, name: str) -> None:
    guest = make_snp_guest(kind)
    guest.platform.vendor.crl.revoked = [0x123, ROOTS[name](guest).serial]
    refused(f"revoked.{name}", guest)


def test_another_entry_revokes_nobody() -> None:
    guest = make_snp_guest()
    guest.platform.vendor.crl.revoked = [0x123]
    assert verify_snp(guest).revocation_checked


@pytest.mark.parametrize("kind", SNP_KINDS)
@pytest.mark.parametrize("part", ["vek", "ask", "ark", "crl"])
def test_what_is_missing_is_named(kind: SnpKind, part: str) -> None:
    case = snp_case(make_snp_guest(kind))
    named = ("vlek" if "vlek" in kind else "vcek") if part == "vek" else part
    missing = replace(case, endorsements=replace(case.endorsements, **{part: None}))
    refused(f"endorsement_not_found.{named}", missing)


def test_a_list_is_done_without_only_where_that_is_allowed() -> None:
    case = snp_case(make_snp_guest())
    case = replace(case, endorsements=replace(case.endorsements, crl=None))
    verified = verify_snp(case, allow_missing_crl=True)
    assert not verified.revocation_checked
    assert verified.endorsements_issued == NOW - timedelta(days=365)
    assert not verified.claims["revocation_checked"]


def test_a_list_that_is_there_counts_even_where_none_is_needed() -> None:
    guest = make_snp_guest()
    guest.platform.vendor.crl.revoked = [guest.platform.vendor.ask.serial]
    refused("revoked.ask", guest, allow_missing_crl=True)


def test_a_root_that_is_not_named() -> None:
    guest, other = make_snp_guest(), make_amd_vendor()
    other.ark.serial += 1
    refused("chain.untrusted_root", guest, trust_anchors=(other.trust_anchor,))
    refused("chain.untrusted_root", guest, trust_anchors=())
    verify_snp(guest, trust_anchors=(other.trust_anchor, guest.trust_anchor))


def test_an_old_ask_under_another_product() -> None:
    """An ASK of one product does not do under the ARK of another, whoever is trusted."""
    guest = make_snp_guest()
    guest.platform.vendor.ask.common_name = "EAA Simulated SEV-Genoa"
    refused("chain.ask_product", guest)


# 4. to 6. The kind of key.


def test_a_vcek_by_the_issuer_of_vleks_and_the_other_way_round() -> None:
    for kind, other in (("milan-v5", "asvk"), ("milan-vlek-v3", "ask")):
        guest = make_snp_guest(kind)  # type: ignore[arg-type]  # one of SNP_KINDS
        vek = guest.platform.vek(guest.signing_key)
        vek.issuer = getattr(guest.platform.vendor, other)
        refused("chain.vek_name", guest)
        vek.common_name = f"EAA Simulated SEV-{'VLEK' if other == 'asvk' else 'VCEK'}"
        refused("endorsement.vek_kind", guest)


def test_a_vek_of_another_product_than_its_issuer() -> None:
    guest = make_snp_guest()
    guest.platform.vcek.product_name = "Genoa-B1"
    refused("endorsement.vek_product", guest)


@pytest.mark.parametrize(
    ("version", "vek"), [(2, SigningKey.VLEK), (5, SigningKey.VLEK), (5, SigningKey.VCEK)]
)
def test_the_certificate_of_the_other_kind_of_key(version: int, vek: SigningKey) -> None:
    kind = SigningKey.VCEK if vek is SigningKey.VLEK else SigningKey.VLEK
    guest = SimulatedSnpGuest(make_snp_platform(), version=version, signing_key=kind)
    case = replace(snp_case(guest), endorsements=guest.platform.endorsements(vek))
    refused("endorsement.signing_key", case)


# 7. The signature.


def test_a_signature_of_zeros() -> None:
    case = snp_case(make_snp_guest())
    refused("signature.report_unsigned", replace(case, report=case.report[:0x2A0] + bytes(0x200)))


def test_a_signature_that_is_no_number_of_the_curve() -> None:
    case = snp_case(make_snp_guest())
    refused("signature.report", replace(case, report=case.report[:0x2A0] + b"\xff" * 144 + bytes(0x170)))


# 8. The product.


def test_a_milan_report_under_a_genoa_chain() -> None:
    case = snp_case(make_snp_guest("milan-v5"))
    genoa = make_snp_guest("genoa-v5")
    foreign = replace(case, endorsements=genoa.endorsements(), trust_anchor=genoa.trust_anchor)
    # One name, one key: even who has the key of a chip of one product cannot speak for another product.
    refused("endorsement.product_mismatch", foreign)
    refused("chain.vek_issuer", replace(foreign, endorsements=replace(
        foreign.endorsements, vek=case.endorsements.vek
    )))  # fmt: skip


@pytest.mark.parametrize("kind", ["milan-v3", "genoa-v4", "milan-vlek-v3"])
def test_a_processor_that_is_not_of_the_certificates_product(kind: SnpKind) -> None:
    cpuid: dict[str, bytes | int] = {"cpuid_family": 0x19, "cpuid_model": 0x11 if "milan" in kind else 0x01}
    guest = make_snp_guest(kind)
    guest.fields = cpuid
    refused("endorsement.product_mismatch", guest)


def test_version_2_with_the_other_shape_of_tcb() -> None:
    """A chip id of 8 bytes is Turin's, and with it the shape of the TCB versions."""
    guest = make_snp_guest("milan-v2", chip_id=b"\x01" * 8 + bytes(56))
    tcb = TcbVersion(fmc=0, bootloader=0, tee=0, snp=0, microcode=0).encode()
    guest.fields |= {f"{name}_tcb": tcb for name in ("reported", "committed", "current", "launch")}
    refused("endorsement.product_mismatch", guest)


def test_a_processor_that_nobody_knows() -> None:
    refused("unsupported.snp_product", make_snp_guest("milan-v5", cpuid_family=0x1A, cpuid_model=0x50))


# 9. and 10. The platform.


@pytest.mark.parametrize("product", list(SnpProduct))
@pytest.mark.parametrize("component", ["bootloader", "tee", "snp", "microcode", "fmc"])
def test_a_vcek_of_another_tcb(product: SnpProduct, component: str) -> None:
    if component == "fmc" and not product.has_fmc:
        return
    guest = SimulatedSnpGuest(make_snp_platform(product), version=5)
    vcek = guest.platform.vcek
    levels = {name: getattr(vcek.tcb, name) for name in ("bootloader", "tee", "snp", "microcode", "fmc")}
    for difference in (1, -1):
        if levels[component] + difference >= 0:
            vcek.tcb = TcbVersion(**levels | {component: levels[component] + difference})
            refused("endorsement.tcb_mismatch", guest)


@pytest.mark.parametrize("kind", ["milan-v2", "milan-v5", "turin-v5"])
def test_a_vcek_of_another_chip(kind: SnpKind) -> None:
    guest = make_snp_guest(kind)
    hwid = guest.platform.vcek.hwid
    assert hwid is not None
    guest.fields["chip_id"] = guest.platform.chip_id
    guest.platform.vcek.hwid = hwid[:-1] + bytes((hwid[-1] ^ 1,))
    refused("endorsement.chip_id_mismatch", guest)
    other = SimulatedSnpPlatform(guest.platform.vendor, name="other")
    refused("signature.report", replace(snp_case(guest), endorsements=other.endorsements()))


@pytest.mark.parametrize("kind", ["milan-v3", "turin-v5"])
def test_a_masked_chip_id(kind: SnpKind) -> None:
    guest = make_snp_guest(kind, chip_id=bytes(64))
    verified = verify_snp(guest)
    assert verified.report.chip_id_masked
    assert not verified.chip_id_verified


def test_a_masked_chip_id_under_a_vlek() -> None:
    verified = verify_snp(make_snp_guest("milan-vlek-v3", chip_id=bytes(64)))
    assert verified.vek.csp_id == "CN=cloud.invalid"
    assert not verified.chip_id_verified


# The firmware.


@pytest.mark.parametrize("kind", ["milan-v2", "turin-v5", "milan-vlek-v3"])
@pytest.mark.parametrize("field", ["current_tcb", "current_build", "current_minor", "current_major"])
def test_provisional_firmware(kind: SnpKind, field: str) -> None:
    guest = make_snp_guest(kind)
    tcb = guest.platform.tcb
    newer = TcbVersion(tcb.bootloader, tcb.tee, tcb.snp, tcb.microcode + 1, tcb.fmc)
    guest.fields[field] = newer.encode() if field == "current_tcb" else 99
    verified = verify_snp(guest)
    assert verified.report.provisional
    assert verified.claims["provisional_firmware"]


def test_all_four_tcbs_are_in_the_result() -> None:
    guest = make_snp_guest()
    versions = {
        name: TcbVersion(bootloader=n, tee=0, snp=n, microcode=n)
        for n, name in enumerate(("committed", "current", "launch"), 1)
    }
    guest.fields = {f"{name}_tcb": tcb.encode() for name, tcb in versions.items()}
    verified = verify_snp(guest)
    assert verified.report.reported_tcb == guest.platform.tcb
    for name, tcb in versions.items():
        assert getattr(verified.report, f"{name}_tcb") == tcb
        assert verified.claims[f"{name}_tcb"]["bootloader"] == tcb.bootloader


# 12. Bindings.


@pytest.mark.parametrize("at", [0, 31, 63])
def test_other_report_data(at: int) -> None:
    expected = bytearray(REPORT_DATA)
    expected[at] ^= 1
    refused("binding.report_data", make_snp_guest(), binding=Binding(bytes(expected)))


def test_host_data() -> None:
    guest = make_snp_guest(host_data=b"\x07" * 32)
    assert verify_snp(guest, binding=Binding(None, b"\x07" * 32)).bound == ("config_id",)
    refused("binding.config_id", guest, binding=Binding(REPORT_DATA, b"\x08" * 32))


@pytest.mark.parametrize(
    ("code", "binding"),
    [
        ("usage.report_data_length", Binding(REPORT_DATA[:63])),
        ("usage.report_data_length", Binding(REPORT_DATA + b"\x00")),
        ("usage.config_id_length", Binding(None, bytes(48))),
    ],
)
def test_an_expected_value_of_another_length_is_never_padded(code: str, binding: Binding) -> None:
    refused(code, make_snp_guest(), binding=binding)


def test_a_naive_time() -> None:
    refused("usage.naive_datetime", make_snp_guest(), now=datetime(2026, 1, 15, 12))  # noqa: DTZ001 - that is it


def test_nothing_is_bound_unless_asked() -> None:
    assert verify_snp(make_snp_guest(), binding=Binding()).bound == ()
