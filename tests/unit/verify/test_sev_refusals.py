"""One change of the simulated AMD, SEV platform or guest makes one verification step fail, and no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from eaa.attester.simulated.sev_certificates import SevSigned
from eaa.attester.simulated.sev_vendor import SimulatedSevGuest, SimulatedSevPlatform, SimulatedSevVendor
from eaa.endorsements.roots import SIMULATED_NAME_PREFIX
from eaa.endorsements.sev_certificate import SevAlgorithm
from eaa.endorsements.sev_endorsements import SevEndorsements
from eaa.endorsements.sev_roots import AMD_SEV_ARKS, AMD_SEV_ASKS
from eaa.errors import EAAError, UsageError
from eaa.evidence.psp_certificate import KeyUsage
from eaa.verify.sev_chain import ask_of_cek
from eaa.verify.sev_result import SEV_LIMITS
from tests.fakes.amd_vendor import rsa_key
from tests.fakes.sev_vendor import (
    MNONCE,
    NOW,
    SEV_KINDS,
    SevCase,
    SevKind,
    make_sev_guest,
    make_sev_vendor,
    sev_case,
    shared_sev_case,
    verify_sev,
)

WRONG = ec.derive_private_key(7, ec.SECP384R1())
#: One more than a point's x of no point.
OFF_CURVE = (1, 1)
Change = Callable[[SimulatedSevGuest], None]


def refused(code: str, case: SevCase | SimulatedSevGuest, **options: Any) -> None:
    with pytest.raises(EAAError) as caught:
        verify_sev(case, **options)
    assert caught.value.code == code, caught.value


def set_(path: str, value: object) -> Change:
    """Sets what ``path`` names, from the guest on."""

    def change(guest: SimulatedSevGuest) -> None:
        *owners, name = path.split(".")
        target: Any = guest
        for owner in owners:
            target = target[int(owner)] if owner.isdigit() else getattr(target, owner)
        assert hasattr(target, name)
        setattr(target, name, value)

    return change


def signed_by(name: str, *signers: str) -> Change:
    """The platform's certificate ``name`` is signed by these of its certificates, and by nobody else."""

    def change(guest: SimulatedSevGuest) -> None:
        platform = guest.platform
        getattr(platform, name).signed_by = [SevSigned(by=getattr(platform, by)) for by in signers]

    return change


#: What is refused, and what is changed; for all kinds of guest.
CHANGES: list[tuple[str, Change]] = [
    # 1. ARK.
    ("chain.ark_usage", set_("platform.vendor.ark.usage", KeyUsage.ASK)),
    ("chain.ark_usage", set_("platform.vendor.ark.certifying_id", bytes(16))),
    ("chain.ark_key", set_("platform.vendor.ark.modulus", 3)),
    # 2. ASK.
    ("chain.ask_usage", set_("platform.vendor.ask.usage", KeyUsage.ARK)),
    ("chain.ask_issuer", set_("platform.vendor.ask.certifying_id", bytes(16))),
    ("chain.ask_key", set_("platform.vendor.ask.modulus", 3)),
    # 3. CEK.
    ("chain.cek_usage", set_("platform.cek.usage", KeyUsage.OCA)),
    ("chain.cek_key", set_("platform.cek.point", OFF_CURVE)),
    ("chain.cek_unsigned", signed_by("cek")),
    ("chain.cek_unsigned", signed_by("cek", "oca")),
    ("format.reserved", set_("platform.cek.signed_by.0.algorithm", SevAlgorithm.ECDSA_SHA256)),
    ("format.bad_value", set_("platform.cek.signed_by.0.algorithm", SevAlgorithm.ECDH_SHA256)),
    # 4. OCA.
    ("chain.oca_usage", set_("platform.oca.usage", KeyUsage.CEK)),
    ("chain.oca_key", set_("platform.oca.point", OFF_CURVE)),
    ("chain.oca_unsigned", signed_by("oca", "cek")),
    ("signature.oca", set_("platform.oca.signed_by.0.signing_key", WRONG)),
    # 5. PEK.
    ("chain.pek_usage", set_("platform.pek.usage", KeyUsage.CEK)),
    ("chain.pek_key", set_("platform.pek.point", OFF_CURVE)),
    ("chain.pek_unsigned", signed_by("pek", "oca")),
    ("chain.pek_unsigned", signed_by("pek", "cek")),
    ("signature.pek_by_oca", set_("platform.pek.signed_by.0.signing_key", WRONG)),
    ("signature.pek_by_cek", set_("platform.pek.signed_by.1.signing_key", WRONG)),
    # 6. PDH.
    ("chain.pdh_key", set_("platform.pdh.point", OFF_CURVE)),
    ("chain.pdh_unsigned", signed_by("pdh", "cek")),
    ("signature.pdh", set_("platform.pdh.signed_by.0.signing_key", WRONG)),
    # 7. Report.
    ("signature.report", set_("report_signing_key", WRONG)),
    # The parsers, before all.
    ("format.bad_value", set_("fields", {"sig_usage": KeyUsage.CEK})),
    ("format.bad_value", set_("fields", {"sig_algo": SevAlgorithm.RSA_SHA256})),
    ("format.reserved", set_("fields", {"reserved": b"\x00\x00\x00\x01"})),
    ("format.reserved", set_("fields", {"policy": 1 << 6})),
    ("format.bad_value", set_("platform.cek.fields", {"version": 2})),
    ("format.reserved", set_("platform.pek.fields", {"reserved": b"\x00\x01"})),
    ("format.bad_value", set_("platform.pek.fields", {"pubkey_algo": SevAlgorithm.ECDH_SHA256})),
    ("format.bad_value", set_("platform.pdh.fields", {"pubkey_algo": SevAlgorithm.ECDSA_SHA256})),
]


@pytest.mark.parametrize("kind", SEV_KINDS)
@pytest.mark.parametrize(("code", "change"), CHANGES, ids=[f"{n}-{c}" for n, (c, _) in enumerate(CHANGES)])
def test_one_change_is_one_refusal(kind: SevKind, code: str, change: Change) -> None:
    guest = make_sev_guest(kind)
    change(guest)
    refused(code, guest)


@pytest.mark.parametrize("kind", SEV_KINDS)
@pytest.mark.parametrize("name", ["ask", "cek"])
def test_signed_by_another_of_amds_keys(kind: SevKind, name: str) -> None:
    guest = make_sev_guest(kind)
    wrong = rsa_key("wrong", guest.platform.vendor.ark.key.private.key_size)
    if name == "ask":
        guest.platform.vendor.ask.signing_key = wrong
    else:
        guest.platform.cek.signed_by[0].signing_key = wrong
    refused(f"signature.{name}", guest)


def test_keys_of_different_sizes() -> None:
    guest = make_sev_guest("naples")
    guest.platform.vendor.ask.key = rsa_key("ask", 4096)
    refused("chain.ask_key", guest)


def test_a_key_that_is_shorter_than_the_certificate_says() -> None:
    guest = make_sev_guest("rome-es")
    guest.platform.vendor.ark.modulus = rsa_key("ark", 2048).private.public_key().public_numbers().n
    refused("chain.ark_key", guest)


def test_another_algorithm_than_the_asks() -> None:
    guest = make_sev_guest("naples")
    guest.platform.cek.signed_by[0].algorithm = SevAlgorithm.RSA_SHA384
    refused("chain.cek_algorithm", guest)


@pytest.mark.parametrize("name", ["oca", "pek", "pdh"])
def test_another_algorithm_than_the_signers(name: str) -> None:
    guest = make_sev_guest()
    getattr(guest.platform, name).signed_by[0].algorithm = SevAlgorithm.ECDSA_SHA384
    refused(f"chain.{name}_algorithm", guest)


def test_the_report_names_another_algorithm_than_the_pek() -> None:
    case = sev_case(make_sev_guest(sig_algo=SevAlgorithm.ECDSA_SHA384))
    refused("signature.report_algorithm", case)


def test_a_pdh_is_no_pek() -> None:
    case = shared_sev_case("naples")
    given = replace(case.endorsements, pdh=case.endorsements.pek)
    refused("chain.pdh_usage", replace(case, endorsements=given))


@pytest.mark.parametrize("kind", SEV_KINDS)
@pytest.mark.parametrize("other", ["ark", "ask", "cek", "oca", "pek"])
def test_what_is_missing_is_named(kind: SevKind, other: str) -> None:
    case = shared_sev_case(kind)
    missing = replace(case, endorsements=replace(case.endorsements, **{other: None}))
    refused(f"endorsement_not_found.{other}", missing)


def test_another_platform_of_the_same_vendor() -> None:
    vendor = make_sev_vendor()
    one, two = (SimulatedSevPlatform(vendor, name=name) for name in ("one", "two"))
    given = one.endorsements()
    report = SimulatedSevGuest(two).collect(MNONCE)
    refused("signature.report", SevCase(report, given, vendor.trust_anchor))
    mixed = replace(given, cek=two.cek.raw)
    refused(
        "signature.pek_by_cek", SevCase(SimulatedSevGuest(one).collect(MNONCE), mixed, vendor.trust_anchor)
    )


def test_a_simulated_root_is_refused_unless_it_is_named() -> None:
    guest = make_sev_guest("rome-es")
    refused("chain.untrusted_root", guest, trust_anchors=tuple(AMD_SEV_ARKS.values()))
    refused("chain.untrusted_root", guest, trust_anchors=())
    verified = verify_sev(guest)
    assert verified.trust_anchor.simulated
    assert verified.trust_anchor.name == f"{SIMULATED_NAME_PREFIX} SEV ARK"


def test_amds_ask_under_a_simulated_root() -> None:
    guest = make_sev_guest("rome-es")
    case = sev_case(guest)
    given = replace(case.endorsements, ask=AMD_SEV_ASKS["Rome"].raw)  # type: ignore[index]  # StrEnum is its text
    refused("chain.ask_issuer", replace(case, endorsements=given))


@pytest.mark.parametrize("kind", SEV_KINDS)
def test_what_nothing_was_changed_in_is_accepted(kind: SevKind) -> None:
    guest = make_sev_guest(kind)
    verified = verify_sev(guest)
    assert verified.evidence == guest.collect(MNONCE)
    assert verified.measurement == guest.launch_digest
    assert verified.bound == ("mnonce",)
    assert verified.product is None
    assert (verified.endorsements_issued, verified.endorsements_expire) == (None, None)
    assert verified.claims["policy_names"] == list(guest.policy.names)
    assert verified.claims["pdh_verified"]
    assert verified.claims["es"] == (kind != "naples")


def test_what_sev_cannot_prove_is_in_the_result() -> None:
    plain, es = (verify_sev(make_sev_guest(kind)) for kind in ("naples", "rome-es"))
    assert plain.claims["not_established"] == list(SEV_LIMITS)
    assert set(SEV_LIMITS) - set(es.limits) == {"registers"}
    assert not plain.claims["revocation_checked"]


def test_a_pdh_is_not_needed() -> None:
    case = shared_sev_case("naples")
    without = replace(case, endorsements=replace(case.endorsements, pdh=None))
    assert not verify_sev(without).claims["pdh_verified"]


def test_the_nonce() -> None:
    case = shared_sev_case("naples")
    refused("binding.mnonce", case, mnonce=bytes(16))
    refused("usage.mnonce_length", case, mnonce=bytes(15))
    assert verify_sev(case, mnonce=None).bound == ()
    with pytest.raises(UsageError):
        make_sev_guest().collect(bytes(15))


def test_a_naive_time() -> None:
    refused("usage.naive_datetime", shared_sev_case("naples"), now=datetime(2026, 1, 1))  # noqa: DTZ001 - that is it


def test_chip_and_owner_are_known_by_their_keys() -> None:
    vendor = make_sev_vendor()
    one, two = (SimulatedSevPlatform(vendor, name=name) for name in ("one", "two"))
    first, again, second = (verify_sev(SimulatedSevGuest(platform)) for platform in (one, one, two))
    assert first.cek_sha256 == again.cek_sha256 != second.cek_sha256
    assert first.oca_sha256 == again.oca_sha256 != second.oca_sha256


def test_the_ask_of_a_cek() -> None:
    cases: Mapping[SevKind, SevCase] = {kind: shared_sev_case(kind) for kind in ("naples", "rome-es")}
    asks = [make_sev_vendor(kind).ask.parsed for kind in cases]
    for (_, case), ask in zip(cases.items(), asks, strict=True):
        assert case.endorsements.cek is not None
        assert ask_of_cek(case.endorsements.cek, asks) == ask
        assert ask_of_cek(case.endorsements.cek, AMD_SEV_ASKS.values()) is None


def test_a_vendor_of_its_own_keys() -> None:
    keys = rsa_key("ark", 2048), rsa_key("ask", 2048)
    one, two = (SimulatedSevVendor(ark=keys[0], ask=keys[1]) for _ in range(2))
    assert one.ec_key("x").private_numbers() != two.ec_key("x").private_numbers()


def test_endorsements_complete_each_other() -> None:
    case = shared_sev_case("naples")
    given = case.endorsements
    platform, vendor = replace(given, ask=None, ark=None), SevEndorsements(ask=given.ask, ark=given.ark)
    assert platform.or_else(vendor) == given
    assert given.or_else(SevEndorsements(cek=b"")) == given
    assert verify_sev(replace(case, endorsements=platform.or_else(vendor))).verified_at == NOW
