"""AMD's endorsements told apart by content, and those of one report found among many."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from eaa.attester.simulated.amd_guest import SimulatedSnpGuest, SimulatedSnpPlatform
from eaa.codec.pem import encode_pem
from eaa.endorsements.amd_endorsements import (
    AmdParts,
    SnpEndorsements,
    complete_chain,
    read_amd_parts,
    select_endorsements,
)
from eaa.errors import FormatError
from eaa.evidence.snp import SnpReport, parse_snp_report
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_tcb import TcbVersion
from tests.fakes.amd_vendor import make_amd_vendor, make_snp_guest, verify_snp
from tests.fakes.vendor import REPORT_DATA

NONE = SnpEndorsements(None, None, None, None)


def report_of(guest: SimulatedSnpGuest) -> SnpReport:
    return parse_snp_report(guest.collect(REPORT_DATA))


def parts_of(*blobs: bytes) -> AmdParts:
    parts = AmdParts()
    for blob in blobs:
        parts += read_amd_parts(blob)
    return parts


def test_certificates_and_lists_are_told_apart() -> None:
    vendor = make_snp_guest().platform.vendor
    ark, ask, crl = vendor.ark, vendor.ask, vendor.crl
    for blob in (ark.der, ark.pem):
        assert read_amd_parts(blob) == AmdParts((ark.parsed,))
    assert read_amd_parts(ask.pem + ark.pem) == AmdParts((ask.parsed, ark.parsed))
    for blob in (crl.der, encode_pem(crl.der, "X509 CRL")):
        assert read_amd_parts(blob) == AmdParts(crls=(crl.der,))


@pytest.mark.parametrize(
    "data", [b"", b"0", b"{}", b"-----BEGIN X509 CRL-----", b"-----BEGIN CERTIFICATE-----"]
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        read_amd_parts(data)


@pytest.mark.parametrize("key", [SigningKey.VCEK, SigningKey.VLEK])
def test_the_vek_of_the_report_is_found(key: SigningKey) -> None:
    """Among those of another chip, another TCB and the other kind; in any order."""
    vendor = make_amd_vendor()
    guest = SimulatedSnpGuest(SimulatedSnpPlatform(vendor), signing_key=key)
    expected = guest.endorsements()
    others = [SimulatedSnpPlatform(vendor, name="other").vcek.der]
    others += [guest.platform.vcek.der, guest.platform.vlek.der]
    tcb = guest.platform.tcb
    for vek in (guest.platform.vcek, guest.platform.vlek):
        vek.tcb = replace(tcb, microcode=tcb.microcode + 1)
        others.append(vek.der)
    blobs = [*others, vendor.ask.der, vendor.asvk.der, vendor.ark.pem, vendor.crl.der]
    for order in (blobs, blobs[::-1]):
        assert select_endorsements(report_of(guest), parts_of(*order)) == expected


def test_the_only_vek_is_selected_so_that_it_is_refused_for_what_it_is() -> None:
    guest = make_snp_guest()
    other = SimulatedSnpPlatform(guest.platform.vendor, name="other")
    parts = parts_of(other.vcek.der)
    assert select_endorsements(report_of(guest), parts).vek == other.vcek.der
    assert select_endorsements(report_of(guest), parts + parts).vek == other.vcek.der
    two = parts + parts_of(other.vlek.der)
    assert select_endorsements(report_of(guest), two) == NONE


def test_a_masked_chip_id_fits_every_chip() -> None:
    guest = make_snp_guest("milan-v3", chip_id=bytes(64))
    guest.platform.vcek.tcb = TcbVersion(bootloader=1, tee=1, snp=1, microcode=1)
    wrong = guest.platform.vcek.der
    guest.platform.vcek.tcb = guest.platform.tcb
    parts = parts_of(wrong, guest.platform.vcek.der)
    assert select_endorsements(report_of(guest), parts).vek == guest.platform.vcek.der


def test_missing_issuers_come_from_those_known() -> None:
    guest = make_snp_guest()
    vendor = guest.platform.vendor
    known = (vendor.asvk.parsed, vendor.ask.parsed, vendor.ark.parsed)
    given = guest.endorsements()
    parts = parts_of(guest.platform.vcek.der, vendor.crl.der)
    assert select_endorsements(report_of(guest), parts, known) == given
    assert select_endorsements(report_of(guest), parts) == replace(NONE, vek=given.vek)
    assert complete_chain(replace(given, ask=None, ark=None), known) == given
    assert complete_chain(given, ()) == given
    assert complete_chain(replace(given, ask=None), ()) == replace(given, ask=None)
    assert complete_chain(NONE, known) == NONE


def test_the_newest_list_of_the_ark_counts() -> None:
    guest = make_snp_guest()
    crl = guest.platform.vendor.crl
    old = crl.der
    crl.this_update += timedelta(hours=1)
    new = crl.der
    crl.issuer_name, crl.this_update = "EAA Simulated somebody else", crl.this_update + timedelta(hours=1)
    vendor = guest.platform.vendor
    blobs = (guest.platform.vcek.der, vendor.ask.der, vendor.ark.der, old, new, crl.der)
    for order in (blobs, blobs[::-1]):
        assert select_endorsements(report_of(guest), parts_of(*order)).crl == new


def test_what_is_selected_verifies() -> None:
    guest = make_snp_guest("turin-v5")
    evidence = guest.collect_extended(REPORT_DATA)
    parts = parts_of(*[entry.data for entry in evidence.certificates], guest.platform.vendor.crl.der)
    endorsements = select_endorsements(parse_snp_report(evidence.report), parts)
    assert endorsements == guest.endorsements()
    assert verify_snp(guest).vek.hwid == guest.platform.vcek.hwid


def test_the_digest_is_of_every_part_and_of_which_are_there() -> None:
    given = [
        (b"V", b"A", b"R", b"L"),
        (b"V", b"A", b"R", None),
        (b"V", b"A", b"R", b""),
        (b"V", b"AR", b"", b"L"),
    ]
    assert len({SnpEndorsements(*parts).digest for parts in given}) == len(given)
    assert SnpEndorsements(*given[0]).digest == SnpEndorsements(*given[0]).digest
