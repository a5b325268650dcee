"""Single fetched endorsements: each step of :mod:`eaa.verify.fetched` has a case that fails only there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from eaa.attester.simulated import SimulatedTdxGuest
from eaa.attester.simulated.amd_guest import SimulatedSnpGuest
from eaa.codec.pem import decode_pem_certificates, encode_pem
from eaa.endorsements.collateral import IntelCollateral, SignedDocument
from eaa.endorsements.fetched import MAX_FETCHED_BYTES, Fetched
from eaa.endorsements.hygon_roots import HYGON_HRKS
from eaa.endorsements.subject import (
    AmdChainSubject,
    AmdCrlSubject,
    HygonChainSubject,
    IdentitySubject,
    PckCertificateSubject,
    PckCrlSubject,
    RootCaCrlSubject,
    Subject,
    TcbInfoSubject,
    VekSubject,
)
from eaa.endorsements.x509 import Certificate
from eaa.errors import (
    ChainError,
    EAAError,
    EndorsementError,
    EndorsementNotFound,
    EndorsementStale,
    FormatError,
    RevokedError,
    SignatureError,
    UsageError,
    ValidityPeriodError,
)
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_tcb import SnpProduct
from eaa.verify.fetched import require_supersedes, supersedes, verify_fetched
from eaa.verify.fetched_result import Genuine
from tests.fakes.amd_vendor import make_amd_vendor, make_snp_guest
from tests.fakes.hygon_vendor import make_csv_guest
from tests.fakes.vendor import NOW, make_attester, make_vendor

PEM = tuple[bytes, ...]


@dataclass
class Intel:
    """A vendor of Intel's kind; what it has is signed when asked for."""

    guest: SimulatedTdxGuest
    crls: bool = True

    @property
    def collateral(self) -> IntelCollateral:
        return self.guest.endorsements()

    @property
    def anchors(self) -> tuple[Certificate, ...]:
        return (self.guest.trust_anchor,)

    @property
    def pck(self) -> PckCertificateSubject:
        tcb = self.guest.platform.pck
        return PckCertificateSubject(
            bytes(16), tcb.pce_id, tcb.tcb.cpu_svn, tcb.tcb.pce_svn, tcb.fmspc, tcb.ppid
        )

    def parts(self) -> dict[str, tuple[Subject, Fetched]]:
        found, pck = self.collateral, self.guest.platform.pck
        assert found.tcb_info is not None
        assert found.qe_identity is not None
        assert found.root_ca_crl is not None
        assert found.pck_crl is not None
        chain = found.pck_crl_issuer_chain or b""
        return {
            "tcb_info": (TcbInfoSubject("tdx", pck.fmspc), document("tcbInfo", found.tcb_info)),
            "identity": (IdentitySubject("TD_QE"), document("enclaveIdentity", found.qe_identity)),
            "pck_crl": (PckCrlSubject("platform"), Fetched(found.pck_crl, chain)),
            "root_ca_crl": (RootCaCrlSubject(), Fetched(found.root_ca_crl)),
            "pck": (self.pck, Fetched(pck.der, chain)),
        }

    def verify(self, part: str, *, now: datetime = NOW, crls: PEM | None = None) -> Genuine:
        subject, fetched = self.parts()[part]
        return self.verify_as(subject, fetched, now=now, crls=crls)

    def verify_as(
        self, subject: Subject, fetched: Fetched, *, now: datetime = NOW, crls: PEM | None = None
    ) -> Genuine:
        own = (self.collateral.root_ca_crl or b"", self.collateral.pck_crl or b"")
        return verify_fetched(
            subject, fetched, trust_anchors=self.anchors, crls=own if crls is None else crls, now=now
        )


def document(member: str, signed: SignedDocument) -> Fetched:
    body = b'{"%b":%b,"signature":"%b"}' % (member.encode(), signed.body, signed.signature.hex().encode())
    return Fetched(body, signed.issuer_chain)


@pytest.fixture
def intel() -> Intel:
    guest = make_attester("tdx-v4")
    assert isinstance(guest, SimulatedTdxGuest)
    return Intel(guest)


PARTS = ("tcb_info", "identity", "pck_crl", "root_ca_crl", "pck")


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("crls", [None, ()])
def test_genuine(intel: Intel, part: str, crls: PEM | None) -> None:
    genuine = intel.verify(part, crls=crls)
    assert genuine.subject == intel.parts()[part][0]
    assert genuine.windows.not_before <= NOW < genuine.expires
    assert supersedes(genuine, genuine)


@pytest.mark.parametrize("part", PARTS)
def test_a_flipped_bit_is_refused(intel: Intel, part: str) -> None:
    subject, fetched = intel.parts()[part]
    for position in range(0, len(fetched.body), max(1, len(fetched.body) // 60)):
        body = bytearray(fetched.body)
        body[position] ^= 1
        with pytest.raises(EAAError):
            intel.verify_as(subject, replace(fetched, body=bytes(body)))


@pytest.mark.parametrize("part", PARTS)
def test_another_vendors_is_refused(intel: Intel, part: str) -> None:
    subject, fetched = intel.parts()[part]
    other = make_vendor("other").root.parsed  # of the same name, by another key
    with pytest.raises((ChainError, SignatureError)):
        verify_fetched(subject, fetched, trust_anchors=(other,), crls=(), now=NOW)


@pytest.mark.parametrize("part", PARTS)
def test_windows(intel: Intel, part: str) -> None:
    for now in (NOW - timedelta(days=4000), NOW + timedelta(days=30 if part != "pck" else 4000)):
        with pytest.raises(ValidityPeriodError):
            intel.verify(part, now=now, crls=())


@pytest.mark.parametrize("part", ["tcb_info", "identity", "pck_crl", "pck"])
def test_the_issuer_chain(intel: Intel, part: str) -> None:
    subject, fetched = intel.parts()[part]
    signer, root = (encode_pem(der) for der in decode_pem_certificates(fetched.issuer_chain, "chain"))
    with pytest.raises(EndorsementNotFound):
        intel.verify_as(subject, replace(fetched, issuer_chain=b""))
    for chain in (signer, root, signer + signer + root, root + signer):
        with pytest.raises(ChainError):
            intel.verify_as(subject, replace(fetched, issuer_chain=chain))


def test_another_subject_is_refused(intel: Intel) -> None:
    parts = intel.parts()
    fmspc = intel.guest.platform.pck.fmspc
    wrong: list[tuple[str, Subject, str]] = [
        ("tcb_info", TcbInfoSubject("sgx", fmspc), "tcb_info_subject"),
        ("tcb_info", TcbInfoSubject("tdx", bytes(6)), "tcb_info_subject"),
        ("identity", IdentitySubject("QE"), "identity_subject"),
        ("pck_crl", PckCrlSubject("processor"), "pck_crl_subject"),
        ("pck", replace(intel.pck, pce_id=b"\x09\x09"), "pck_pceid"),
        ("pck", replace(intel.pck, fmspc=bytes(6)), "pck_fmspc"),
        ("pck", replace(intel.pck, ppid=bytes(16)), "pck_ppid"),
        ("pck", replace(intel.pck, pce_svn=intel.pck.pce_svn - 1), "pck_pce_svn"),
    ]
    for part, subject, detail in wrong:
        with pytest.raises(EndorsementError) as raised:
            intel.verify_as(subject, parts[part][1])
        assert raised.value.code == f"endorsement.{detail}"


def test_a_pck_certificate_of_an_unknown_platform(intel: Intel) -> None:
    assert intel.verify_as(replace(intel.pck, fmspc=None, ppid=None), intel.parts()["pck"][1])


def test_a_revoked_issuer_is_refused_where_the_list_is_given(intel: Intel) -> None:
    vendor = intel.guest.platform.vendor
    vendor.revoke(vendor.tcb_signing)
    vendor.revoke(vendor.platform_ca)
    for part in ("tcb_info", "identity", "pck_crl", "pck"):
        with pytest.raises(RevokedError):
            intel.verify(part)
        assert intel.verify(part, crls=())


def test_a_revoked_pck_certificate_or_root_is_refused(intel: Intel) -> None:
    vendor = intel.guest.platform.vendor
    vendor.revoke(intel.guest.platform.pck)
    with pytest.raises(RevokedError):
        intel.verify("pck")
    vendor.revoke(vendor.root)
    with pytest.raises(RevokedError):
        intel.verify("root_ca_crl", crls=())
    with pytest.raises(RevokedError):
        intel.verify("tcb_info")


def test_a_given_list_must_be_genuine_and_valid(intel: Intel) -> None:
    crl = bytearray(intel.collateral.root_ca_crl or b"")
    crl[-1] ^= 1
    with pytest.raises(SignatureError):
        intel.verify("tcb_info", crls=(bytes(crl),))
    vendor = intel.guest.platform.vendor
    vendor.root.crl.next_update = NOW - timedelta(hours=1)
    with pytest.raises(ValidityPeriodError):
        intel.verify("tcb_info")


def test_of_several_lists_the_latest_counts(intel: Intel) -> None:
    old = intel.collateral.root_ca_crl or b""
    vendor = intel.guest.platform.vendor
    vendor.revoke(vendor.tcb_signing)
    vendor.root.crl.this_update += timedelta(hours=1)
    new = intel.collateral.root_ca_crl or b""
    for crls in ((old, new), (new, old)):
        with pytest.raises(RevokedError):
            intel.verify("tcb_info", crls=crls)


def test_what_cannot_be_asked(intel: Intel) -> None:
    subject, fetched = intel.parts()["tcb_info"]
    with pytest.raises(UsageError):
        intel.verify_as(subject, fetched, now=NOW.replace(tzinfo=None))
    with pytest.raises(FormatError) as raised:
        intel.verify_as(subject, Fetched(bytes(MAX_FETCHED_BYTES + 1)))
    assert raised.value.code == "format.too_large"


def test_what_replaces_what(intel: Intel) -> None:
    first = intel.verify("tcb_info")
    info = intel.guest.platform.tcb_info["tdx"]
    info.evaluation_data_number += 1
    more = intel.verify("tcb_info")
    assert (supersedes(more, first), supersedes(first, more)) == (True, False)
    older = replace(more, issued=more.issued - timedelta(seconds=1))
    assert not supersedes(older, more)
    assert not supersedes(replace(older, number=more.number + 1), more)
    require_supersedes(more, first)
    with pytest.raises(EndorsementStale) as raised:
        require_supersedes(first, more)
    assert raised.value.code == "endorsement_stale.rollback"
    with pytest.raises(UsageError):
        supersedes(first, intel.verify("identity"))


# ── AMD ──


def amd_parts(guest: SimulatedSnpGuest) -> dict[str, tuple[Subject, Fetched]]:
    found = guest.endorsements()
    product = guest.platform.vendor.product
    chain = encode_pem(found.ask or b"") + encode_pem(found.ark or b"")
    vlek = guest.signing_key is SigningKey.VLEK
    hwid = None if vlek else guest.platform.vcek.hwid
    return {
        "chain": (AmdChainSubject(product, guest.signing_key), Fetched(b"", chain)),
        "crl": (AmdCrlSubject(product), Fetched(found.crl or b"")),
        "vek": (VekSubject(product, guest.platform.tcb, hwid), Fetched(found.vek or b"", chain)),
    }


def verify_amd(
    guest: SimulatedSnpGuest,
    subject: Subject,
    fetched: Fetched,
    *,
    now: datetime = NOW,
    crls: PEM | None = None,
) -> Genuine:
    own = (guest.endorsements().crl or b"",)
    return verify_fetched(
        subject, fetched, trust_anchors=(guest.trust_anchor,), crls=own if crls is None else crls, now=now
    )


@pytest.mark.parametrize("kind", ["milan-v3", "genoa-v5", "turin-v5", "milan-vlek-v3"])
@pytest.mark.parametrize("part", ["chain", "crl", "vek"])
def test_genuine_amd(kind: str, part: str) -> None:
    guest = make_snp_guest(kind)  # type: ignore[arg-type]  # parametrized
    subject, fetched = amd_parts(guest)[part]
    for crls in (None, ()):
        genuine = verify_amd(guest, subject, fetched, crls=crls)
        assert supersedes(genuine, genuine)
    # The list that certificates are judged by has its own end.
    assert (genuine.expires < NOW + timedelta(days=60)) == (part == "crl")


@pytest.mark.parametrize("part", ["chain", "crl", "vek"])
def test_other_amd_endorsements_are_refused(part: str) -> None:
    guest = make_snp_guest("milan-v5")
    subject, fetched = amd_parts(guest)[part]
    with pytest.raises(ValidityPeriodError):
        verify_amd(guest, subject, fetched, now=NOW + timedelta(days=9000), crls=())
    others: dict[str, list[Callable[[], Subject]]] = {
        "chain": [
            lambda: AmdChainSubject(SnpProduct.GENOA),
            lambda: AmdChainSubject(SnpProduct.MILAN, SigningKey.VLEK),
        ],
        "crl": [lambda: AmdCrlSubject(SnpProduct.GENOA)],
        "vek": [
            lambda: VekSubject(SnpProduct.GENOA, guest.platform.tcb, guest.platform.vcek.hwid),
            lambda: VekSubject(SnpProduct.MILAN, guest.platform.tcb, bytes(64)),
            lambda: VekSubject(
                SnpProduct.MILAN, replace(guest.platform.tcb, snp=1), guest.platform.vcek.hwid
            ),
        ],
    }
    for other in others[part]:
        with pytest.raises(EndorsementError):
            verify_amd(guest, other(), fetched)
    foreign = make_amd_vendor(SnpProduct.TURIN).trust_anchor
    with pytest.raises(ChainError):
        verify_fetched(subject, fetched, trust_anchors=(foreign,), crls=(), now=NOW)


@pytest.mark.parametrize("part", ["chain", "vek"])
def test_amd_chains(part: str) -> None:
    guest = make_snp_guest("milan-v5")
    subject, fetched = amd_parts(guest)[part]
    ask, ark = (encode_pem(der) for der in decode_pem_certificates(fetched.issuer_chain, "chain"))
    with pytest.raises(EndorsementNotFound):
        verify_amd(guest, subject, replace(fetched, issuer_chain=b""))
    for chain in (ask, ask + ask + ark, ark + ask):
        with pytest.raises(ChainError):
            verify_amd(guest, subject, replace(fetched, issuer_chain=chain))


def test_revocation_and_signatures_of_amd() -> None:
    guest = make_snp_guest("milan-v5")
    vendor = guest.platform.vendor
    parts = amd_parts(guest)
    crl = bytearray(parts["crl"][1].body)
    crl[-1] ^= 1
    with pytest.raises(SignatureError):
        verify_amd(guest, parts["crl"][0], Fetched(bytes(crl)))
    with pytest.raises(SignatureError):
        verify_amd(guest, *parts["vek"], crls=(bytes(crl),))
    vendor.crl.revoked.append(vendor.ask.serial)
    for part in ("chain", "vek"):
        with pytest.raises(RevokedError):
            verify_amd(guest, *parts[part])
    vendor.crl.revoked.append(vendor.ark.serial)
    with pytest.raises(RevokedError):
        verify_amd(guest, *amd_parts(guest)["crl"])


# ── Hygon ──


def test_hygons_chain() -> None:
    guest = make_csv_guest("csv3-v2")
    subject, good = HygonChainSubject("T2K4031250502"), Fetched(guest.platform.hsk_cek)
    anchors = (guest.trust_anchor,)
    genuine = verify_fetched(subject, good, trust_anchors=anchors, crls=(), now=NOW)
    assert genuine.expires.year == 9999
    assert supersedes(genuine, genuine)
    with pytest.raises(ChainError):
        verify_fetched(subject, good, trust_anchors=HYGON_HRKS, crls=(), now=NOW)
    with pytest.raises(EndorsementNotFound):
        verify_fetched(subject, good, trust_anchors=(), crls=(), now=NOW)
    with pytest.raises(FormatError):
        verify_fetched(subject, Fetched(good.body[:-1]), trust_anchors=anchors, crls=(), now=NOW)
    cek_bit = bytearray(good.body)
    cek_bit[0x340 + 0x20] ^= 1
    with pytest.raises((ChainError, SignatureError)):
        verify_fetched(subject, Fetched(bytes(cek_bit)), trust_anchors=anchors, crls=(), now=NOW)
