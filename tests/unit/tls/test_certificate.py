"""Certificates of the interoperable family, and what holds for all families."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from eaa.codec.cbor import CborValue, Tag, encode_cbor
from eaa.errors import BindingError, EAAError, FormatError, UnsupportedError, ValidityPeriodError
from eaa.tls.certificate import CertificateEvidence, read_certificate
from eaa.tls.claims import encode_claims, hash_report_data
from eaa.tls.mint import PrivateKey
from eaa.tls.peer import EvidenceKind
from eaa.verify.dcap import Memo, verify_quote
from eaa.verify.result import Binding
from tests.fakes.tls import (
    HOUR,
    P256,
    P384,
    attester_of,
    certificate_with,
    minted,
    quote_for,
    rsa_key,
    spki_of,
)
from tests.fakes.vendor import KINDS, NOW, Kind

EVIDENCE, ENDORSEMENTS = "2.23.133.5.4.9", "2.23.133.5.4.2"
CLAIMS = encode_claims(spki=spki_of(P256), nonce=None)
QUOTE = quote_for(hash_report_data(CLAIMS))


def tagged(tag: int = 60000, evidence: CborValue = QUOTE, claims: CborValue = CLAIMS) -> bytes:
    return encode_cbor(Tag(tag, (evidence, claims)))


def read(value: bytes, key: PrivateKey = P256, *others: tuple[str, bytes]) -> CertificateEvidence:
    return read_certificate(certificate_with([(EVIDENCE, value), *others], key))


def refused(der: bytes, kind: type[EAAError] = FormatError) -> str:
    with pytest.raises(kind) as raised:
        read_certificate(der)
    return raised.value.code


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", [P256, P384, rsa_key()], ids=["P-256", "P-384", "RSA-3072"])
def test_ours_is_read_and_verifies(kind: Kind, key: PrivateKey) -> None:
    evidence = read_certificate(minted(key, kind))
    assert evidence.family == "interoperable"
    assert evidence.attached.kind == f"{kind[:3]}_quote"
    assert evidence.spki == spki_of(key)
    assert evidence.report_data == hash_report_data(encode_claims(spki=spki_of(key), nonce=None))
    assert (evidence.not_before, evidence.not_after) == (NOW - HOUR, NOW + HOUR)
    assert evidence.claims == {}
    assert evidence.nonce is None
    verify(evidence, kind)


def verify(evidence: CertificateEvidence, kind: Kind, now: datetime = NOW) -> None:
    attester = attester_of(kind)
    verify_quote(
        evidence.attached.evidence,
        collateral=attester.endorsements(),
        trust_anchors=(attester.trust_anchor,),
        binding=Binding(evidence.report_data),
        now=now,
        memo=Memo(1),
    )


def test_claims_are_given() -> None:
    claims = encode_claims(spki=spki_of(P256), hash_id=8, nonce=b"fresh", custom={"role": b"server"})
    evidence = read_certificate(minted(claims=claims))
    assert (evidence.nonce, evidence.claims) == (b"fresh", {"role": b"server"})
    verify(evidence, "sgx-v3")


def test_a_certificate_of_another_key() -> None:
    """The quote of A in a certificate of B."""
    assert refused(certificate_with([(EVIDENCE, tagged())], P384), BindingError) == "binding.pubkey_hash"


def test_another_quote_beside_the_claims() -> None:
    """The claims are of the key, but the quote is of other claims: its signed report data says so."""
    evidence = read(tagged(evidence=quote_for(hash_report_data(b"other claims"))))
    with pytest.raises(BindingError) as raised:
        verify(evidence, "sgx-v3")
    assert raised.value.code == "binding.report_data"


@pytest.mark.parametrize("position", [32, 63])
def test_the_tail_of_the_report_data_is_zero(position: int) -> None:
    """rats-tls compares 32 bytes; all 64 are bound."""
    report_data = bytearray(hash_report_data(CLAIMS))
    report_data[position] = 1
    evidence = read(tagged(evidence=quote_for(bytes(report_data))))
    assert len(evidence.report_data) == 64
    with pytest.raises(BindingError) as raised:
        verify(evidence, "sgx-v3")
    assert raised.value.code == "binding.report_data"


def test_an_extension_twice() -> None:
    der = certificate_with([(EVIDENCE, tagged()), (ENDORSEMENTS, tagged())])
    twice = der.replace(bytes.fromhex("0606678105050402"), bytes.fromhex("0606678105050409"))
    assert refused(twice) == "format.duplicate_key"


def test_no_evidence() -> None:
    assert refused(certificate_with([])) == "format.no_evidence"
    assert refused(certificate_with([(ENDORSEMENTS, tagged())])) == "format.no_evidence"


def test_critical_or_not() -> None:
    assert read_certificate(certificate_with([(EVIDENCE, tagged())], critical=True)).family == "interoperable"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"", "format.truncated"),
        (tagged() + b"\x00", "format.trailing_bytes"),
        (tagged()[:-1], "format.truncated"),
        (encode_cbor((QUOTE, CLAIMS)), "format.bad_value"),
        (encode_cbor(Tag(60000, QUOTE)), "format.bad_value"),
        (encode_cbor(Tag(60000, (QUOTE,))), "format.bad_value"),
        (encode_cbor(Tag(60000, (QUOTE, CLAIMS, b""))), "format.bad_value"),
        (encode_cbor(Tag(60000, Tag(60000, (QUOTE, CLAIMS)))), "format.bad_value"),
        (tagged(evidence="text"), "format.bad_value"),
        (tagged(claims="text"), "format.bad_value"),
        (tagged(claims=CLAIMS + b"\x00"), "format.trailing_bytes"),
        (tagged(claims=b"\xa0"), "format.missing"),
        (tagged(evidence=b""), "format.truncated"),
        (tagged(evidence=QUOTE[:6]), "format.truncated"),
        (tagged(evidence=b"\x09" + QUOTE[1:]), "format.bad_value"),
        (tagged(evidence=QUOTE + bytes(32 * 1024)), "format.too_large"),
        (tagged(0x1A7504, b""), "format.missing"),
        (b"\xd9\xea\x60\x9f" + tagged()[4:] + b"\xff", "format.indefinite_length"),
        (b"\xda\x00\x00\xea\x60" + tagged()[3:], "format.not_shortest"),
    ],
)
def test_malformed(value: bytes, code: str) -> None:
    assert refused(certificate_with([(EVIDENCE, value)])) == code


def test_a_claim_twice() -> None:
    member = CLAIMS[1:]
    value = tagged(claims=b"\xa2" + member + member)
    assert refused(certificate_with([(EVIDENCE, value)])) == "format.duplicate_key"


@pytest.mark.parametrize("tag", [0, 59999, 60003, 0x1A7500, 0x1A7507])
def test_tags_that_are_not_known(tag: int) -> None:
    """rats-tls takes all between the least and the largest."""
    der = certificate_with([(EVIDENCE, tagged(tag))])
    assert refused(der, UnsupportedError) == "unsupported.evidence_tag"


@pytest.mark.parametrize(
    ("tag", "evidence", "kind"),
    [
        (60001, b"\x81" + bytes(1023), EvidenceKind.TDX_REPORT),
        (60002, bytes(432), EvidenceKind.SGX_REPORT),
        (0x1A7504, bytes(1184), EvidenceKind.SNP_REPORT),
        (0x1A7505, bytes(6461), EvidenceKind.SEV_REPORT),
        (0x1A7506, bytes(7016), EvidenceKind.CSV_REPORT),
    ],
)
def test_tags(tag: int, evidence: bytes, kind: EvidenceKind) -> None:
    assert read(tagged(tag, evidence)).attached.kind is kind


def test_sgx_reports_of_type_2() -> None:
    der = certificate_with([(EVIDENCE, tagged(60001, bytes(1024)))])
    assert refused(der, UnsupportedError) == "unsupported.sgx_report2"


def test_a_quote_of_epid() -> None:
    der = certificate_with([(EVIDENCE, tagged(evidence=b"\x02" + QUOTE[1:]))])
    assert refused(der, UnsupportedError) == "unsupported.epid"


class TestRatsTls2022:
    """The tags before registration, and the number of SHA-256 that went with them."""

    ZERO = CLAIMS.replace(b"\x82\x01\x58", b"\x82\x00\x58")

    def test_tags(self) -> None:
        assert read(tagged(0x1A7501)).attached.kind is EvidenceKind.SGX_QUOTE
        assert read(tagged(0x1A7502, b"\x81" + bytes(1023))).attached.kind is EvidenceKind.TDX_REPORT
        assert read(tagged(0x1A7503, bytes(432))).attached.kind is EvidenceKind.SGX_REPORT

    def test_hash_0(self) -> None:
        assert read(tagged(0x1A7501, claims=self.ZERO)).report_data == hash_report_data(self.ZERO)

    @pytest.mark.parametrize("tag", [60000, 0x1A7504])
    def test_hash_0_of_others(self, tag: int) -> None:
        assert (
            refused(certificate_with([(EVIDENCE, tagged(tag, claims=self.ZERO))])) == "format.hash_algorithm"
        )


def test_keys_that_are_not_supported() -> None:
    der = certificate_with([(EVIDENCE, tagged())], rsa_key(2048))
    assert refused(der, UnsupportedError) == "unsupported.key_type"


def test_size_of_the_certificate() -> None:
    der = certificate_with([(EVIDENCE, tagged()), ("1.2.3", bytes(64 * 1024))])
    assert refused(der) == "format.too_large"


class TestReadings:
    """What was read is remembered by all of the certificate's bytes."""

    def test_the_same_bytes_are_read_once(self) -> None:
        der = minted(P256, endorsed=True)
        assert read_certificate(bytes(bytearray(der))) is read_certificate(der)

    def test_one_bit_makes_another_certificate(self) -> None:
        der = certificate_with([(EVIDENCE, tagged())])
        first = read_certificate(der)
        flipped = der[:-1] + bytes((der[-1] ^ 1,))  # of the signature, which nobody asks about
        other = read_certificate(flipped)
        assert other is not first
        assert (other.certificate.der, first.certificate.der) == (flipped, der)

    def test_what_cannot_be_read_is_refused_each_time(self) -> None:
        der = certificate_with([(EVIDENCE, tagged(claims=CLAIMS + b"\x00"))])
        assert [refused(der) for _ in range(3)] == ["format.trailing_bytes"] * 3

    def test_time_is_judged_at_each_use(self) -> None:
        evidence = read_certificate(minted())
        verify(evidence, "sgx-v3")
        again = read_certificate(minted())
        with pytest.raises(ValidityPeriodError):
            verify(again, "sgx-v3", NOW + timedelta(days=3650))

    def test_the_oldest_goes_first(self) -> None:
        kept = certificate_with([(EVIDENCE, tagged())])
        first = read_certificate(kept)
        for number in range(64):
            read_certificate(certificate_with([(EVIDENCE, tagged()), ("1.2.3", bytes((number,)))]))
        assert read_certificate(kept) is not first
