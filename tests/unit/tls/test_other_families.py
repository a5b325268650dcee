"""Where each family has its evidence, and what binds it: a quote with that report data, and refusals."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eaa.codec.cbor import Tag, encode_cbor
from eaa.errors import BindingError, EAAError, FormatError, UnsupportedError
from eaa.evidence.dcap_quote import parse_quote
from eaa.tls.certificate import CertificateEvidence, read_certificate
from eaa.tls.claims import encode_claims, hash_report_data
from eaa.tls.mint import PrivateKey
from eaa.tls.peer import EvidenceKind
from tests.fakes.tls import P256, P384, certificate_with, der, quote_for, rsa_key, spki_of
from tests.fakes.vendor import Kind

GEN1 = "1.2.840.113741.1337."
GRAMINE = "0.6.9.42.840.113741.1337.6"
SGX_SDK = "1.2.840.113741.1.13.1"
EGO, OPEN_ENCLAVE = "1.3.6.1.4.1.311.105.1", "1.2.840.113556.10.1.1"
DSTACK = "1.3.6.1.4.1.62397.1."
CMW = "1.3.6.1.5.5.7.1.35"


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest() + bytes(32)


def pem_nul(key: PrivateKey) -> bytes:
    public = key.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) + b"\x00"


def read(oid: str, value: bytes, key: PrivateKey = P256) -> CertificateEvidence:
    return read_certificate(certificate_with([(oid, value)], key))


def bound(evidence: CertificateEvidence, family: str, kind: EvidenceKind = EvidenceKind.SGX_QUOTE) -> bool:
    assert (evidence.family, evidence.attached.kind) == (family, kind)
    assert evidence.attached.collateral is None
    assert len(evidence.report_data) == 64
    return parse_quote(evidence.attached.evidence).body.report_data == evidence.report_data


def refused(oid: str, value: bytes, kind: type[EAAError] = FormatError) -> str:
    with pytest.raises(kind) as raised:
        read(oid, value)
    return raised.value.code


class TestEnclaveTls:
    @pytest.mark.parametrize("key", [P256, P384], ids=["P-256", "P-384"])
    def test_ec(self, key: PrivateKey) -> None:
        assert bound(read(f"{GEN1}6", quote_for(sha256(spki_of(key))), key), "enclave-tls")

    def test_rsa(self) -> None:
        key = rsa_key()
        pkcs1 = key.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
        assert bound(read(f"{GEN1}6", quote_for(sha256(pkcs1)), key), "enclave-tls")
        assert not bound(read(f"{GEN1}6", quote_for(sha256(spki_of(key))), key), "enclave-tls")

    def test_tdx(self) -> None:
        quote = quote_for(sha256(spki_of(P256)), "tdx-v4")
        assert bound(read(f"{GEN1}8", quote), "enclave-tls", EvidenceKind.TDX_QUOTE)

    @pytest.mark.parametrize(
        ("arc", "kind"),
        [
            (14, EvidenceKind.SGX_REPORT),
            (20, EvidenceKind.SNP_REPORT),
            (22, EvidenceKind.SEV_REPORT),
            (24, EvidenceKind.CSV_REPORT),
        ],
    )
    def test_reports(self, arc: int, kind: EvidenceKind) -> None:
        evidence = read(f"{GEN1}{arc}", b"report")
        assert evidence.attached.kind is kind
        assert evidence.report_data == sha256(spki_of(P256))
        assert refused(f"{GEN1}{arc}", b"") == "format.missing"

    def test_a_quote_of_another_kind(self) -> None:
        for arc, kind in ((6, "tdx-v4"), (8, "sgx-v3")):
            assert refused(f"{GEN1}{arc}", quote_for(bytes(64), kind)) == "format.evidence_kind"

    @pytest.mark.parametrize("arc", [2, 3, 4, 5])
    def test_epid(self, arc: int) -> None:
        assert refused(f"{GEN1}{arc}", b"{}", UnsupportedError) == "unsupported.epid"


def test_gramine() -> None:
    assert bound(read(GRAMINE, quote_for(sha256(spki_of(P384))), P384), "gramine")
    assert refused(GRAMINE, quote_for(bytes(64), "tdx-v4")) == "format.evidence_kind"


@pytest.mark.parametrize("kind", ["sgx-v3", "tdx-v4"])
def test_sgx_sdk(kind: Kind) -> None:
    evidence = read(SGX_SDK, quote_for(sha256(pem_nul(P256)), kind))
    assert bound(evidence, "sgx-sdk", EvidenceKind(f"{kind[:3]}_quote"))


class TestOpenEnclave:
    BY_SPKI, BY_PEM = sha256(spki_of(P256)), sha256(pem_nul(P256))

    @staticmethod
    def headed(quote: bytes, start: str = "0100000002000000", more: int = 0) -> bytes:
        return bytes.fromhex(start) + (len(quote) + more).to_bytes(8, "little") + quote

    @pytest.mark.parametrize("oid", [EGO, OPEN_ENCLAVE])
    @pytest.mark.parametrize("report_data", [BY_SPKI, BY_PEM], ids=["SPKI", "PEM"])
    @pytest.mark.parametrize("kind", ["sgx-v3", "sgx-v4", "sgx-v5"])
    def test_forms(self, oid: str, report_data: bytes, kind: Kind) -> None:
        quote = quote_for(report_data, kind)
        for value in (quote, self.headed(quote), der(4, quote), der(4, self.headed(quote))):
            assert bound(read(oid, value), "open-enclave")

    def test_bound_to_neither(self) -> None:
        assert read(EGO, quote_for(bytes(64))).report_data == self.BY_SPKI
        assert not bound(read(EGO, quote_for(self.BY_SPKI[:63] + b"\x01")), "open-enclave")

    def test_headers_of_others(self) -> None:
        quote = quote_for(self.BY_SPKI)
        for start in ("0200000002000000", "0100000001000000", "03000000a3a21e87"):
            assert (
                refused(EGO, self.headed(quote, start), UnsupportedError) == "unsupported.open_enclave_format"
            )

    @pytest.mark.parametrize("more", [-1, 1])
    def test_sizes_that_are_not_right(self, more: int) -> None:
        assert refused(EGO, self.headed(quote_for(self.BY_SPKI), more=more)) == "format.bad_value"

    def test_malformed(self) -> None:
        quote = quote_for(self.BY_SPKI)
        assert refused(EGO, b"") == "format.truncated"
        assert refused(EGO, b"\x04\x82\x00") == "format.not_der"
        assert refused(EGO, der(4, quote) + b"\x00") == "format.not_der"
        assert refused(EGO, quote[:100]) == "format.truncated"


class TestDstack:
    REPORT_DATA = hashlib.sha512(b"ratls-cert:" + spki_of(P256)).digest()

    @pytest.mark.parametrize("kind", ["sgx-v3", "tdx-v4", "tdx15-v5"])
    def test_quotes(self, kind: Kind) -> None:
        evidence = read(f"{DSTACK}1", der(4, quote_for(self.REPORT_DATA, kind)))
        assert bound(evidence, "dstack", EvidenceKind(f"{kind[:3]}_quote"))

    def test_beside_others_of_its_own(self) -> None:
        quote = der(4, quote_for(self.REPORT_DATA))
        others = [(f"{DSTACK}{arc}", der(4, b"[]")) for arc in (2, 3, 8)]
        assert bound(read_certificate(certificate_with([(f"{DSTACK}1", quote), *others])), "dstack")

    def test_unified_attestation(self) -> None:
        assert refused(f"{DSTACK}8", der(4, b""), UnsupportedError) == "unsupported.dstack_attestation"

    def test_without_the_inner_octet_string(self) -> None:
        assert refused(f"{DSTACK}1", quote_for(self.REPORT_DATA)) == "format.not_der"
        assert refused(f"{DSTACK}1", der(4, quote_for(self.REPORT_DATA)) + b"\x00") == "format.not_der"


class TestCmw:
    TYPE = "application/vnd.eaa.tagged-evidence+cbor"
    CLAIMS = encode_claims(spki=spki_of(P256), nonce=None)
    MESSAGE = encode_cbor(Tag(60000, (quote_for(hash_report_data(CLAIMS)), CLAIMS)))

    def test_cbor(self) -> None:
        assert bound(read(CMW, der(4, encode_cbor((self.TYPE, self.MESSAGE, 4)))), "cmw")

    def test_json(self) -> None:
        text = base64.urlsafe_b64encode(self.MESSAGE).rstrip(b"=").decode()
        assert bound(read(CMW, der(0x0C, json.dumps([self.TYPE, text]).encode())), "cmw")

    def test_another_key(self) -> None:
        with pytest.raises(BindingError) as raised:
            read(CMW, der(4, encode_cbor((self.TYPE, self.MESSAGE))), P384)
        assert raised.value.code == "binding.pubkey_hash"

    def test_other_types(self) -> None:
        records = (("application/eat+cwt", b""), (263, b""), Tag(1668546817 + 263, b""))
        for record in records:
            assert refused(CMW, der(4, encode_cbor(record)), UnsupportedError) == "unsupported.cmw_type"

    def test_collections(self) -> None:
        for value in (der(4, b"\xa0"), der(0x0C, b"{}")):
            assert refused(CMW, value, UnsupportedError) == "unsupported.cmw_collection"

    @pytest.mark.parametrize("value", [b"", b"\x04", der(5, b""), der(0x0C, b"[]") + b"\x00"])
    def test_no_choice(self, value: bytes) -> None:
        assert refused(CMW, value) == "format.not_der"
