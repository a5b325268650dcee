"""The simulated AMD: what stays the same, and that nobody believes it unasked."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from eaa.attester.simulated.amd_guest import SimulatedSnpGuest, SimulatedSnpPlatform
from eaa.attester.simulated.amd_keys import AmdKeys
from eaa.attester.simulated.amd_vendor import SimulatedAmdVendor
from eaa.endorsements.amd_roots import AMD_ARKS
from eaa.errors import ChainError, UsageError
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion
from tests.fakes.amd_vendor import NOW, REPORT_DATA, make_amd_vendor, make_snp_guest, rsa_key, verify_snp

EC_PEM = ec.derive_private_key(1, ec.SECP384R1()).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)


def test_nobody_believes_it_unasked() -> None:
    with pytest.raises(ChainError, match="simulated platform"):
        verify_snp(make_snp_guest(), trust_anchors=AMD_ARKS)


def test_what_was_not_changed_stays_the_same() -> None:
    guest = make_snp_guest()
    assert guest.collect(REPORT_DATA) == guest.collect(REPORT_DATA)
    assert guest.endorsements() == guest.endorsements()


def test_the_root_stays_with_kept_keys() -> None:
    one = make_amd_vendor()
    keys = AmdKeys.parse(one.rsa_keys.encode())
    later = NOW + timedelta(days=20)
    other = SimulatedAmdVendor(now=later, keys=keys, unsafe_seed=b"vendor", root=one.trust_anchor)
    assert other.ark.der == one.ark.der
    assert other.ask.der != one.ask.der
    guest = SimulatedSnpGuest(SimulatedSnpPlatform(other))
    verify_snp(guest, trust_anchors=(one.trust_anchor,), now=later)


@pytest.mark.parametrize("pem", [b"", b"x", b"-----END PRIVATE KEY-----\n" * 3, EC_PEM * 3])
def test_keys_that_are_none(pem: bytes) -> None:
    with pytest.raises(UsageError):
        AmdKeys.parse(pem)


def test_a_naive_time_and_report_data_of_another_length() -> None:
    with pytest.raises(UsageError):
        SimulatedAmdVendor(now=datetime(2026, 1, 1), keys=make_amd_vendor().rsa_keys)  # noqa: DTZ001 - that is it
    with pytest.raises(UsageError):
        make_snp_guest().collect(bytes(63))


def test_a_vendor_with_keys_of_its_own() -> None:
    """Takes seconds: three RSA keys are made."""
    guest = SimulatedSnpGuest(SimulatedSnpPlatform(SimulatedAmdVendor(now=NOW)))
    verify_snp(guest)
    with pytest.raises(ChainError):
        verify_snp(guest, trust_anchors=(make_amd_vendor().trust_anchor,))


def test_another_seed_is_another_chip() -> None:
    keys = make_amd_vendor().rsa_keys
    vendors = [SimulatedAmdVendor(now=NOW, keys=keys) for _ in range(2)]
    one, two = (SimulatedSnpPlatform(vendor).chip_id for vendor in vendors)
    assert one != two


def test_any_tcb_and_debug() -> None:
    platform = SimulatedSnpPlatform(make_amd_vendor(), tcb=TcbVersion(1, 2, 3, 4))
    guest = SimulatedSnpGuest(platform, debug=True)
    verified = verify_snp(guest)
    assert verified.report.launch_tcb == TcbVersion(1, 2, 3, 4)
    assert verified.claims["debug"]
    platform.use_tcb(TcbVersion(5, 6, 7, 8))
    assert verify_snp(guest).report.reported_tcb == TcbVersion(5, 6, 7, 8)


def test_the_table_of_a_vleks_report() -> None:
    guest = make_snp_guest("milan-vlek-v3")
    assert [entry.name for entry in guest.collect_extended(REPORT_DATA).certificates] == [
        "ARK",
        "ASK",
        "VLEK",
    ]
    assert guest.signing_key is SigningKey.VLEK


def test_certificates_as_pem() -> None:
    platform = make_snp_guest().platform
    assert platform.vcek.pem.startswith(b"-----BEGIN CERTIFICATE-----")
    assert platform.vendor.product is SnpProduct.MILAN
    assert rsa_key("ark").spki == platform.vendor.ark.key.spki
