"""Published certificates: read, bound to their keys, and verified as far as what there is allows.

The quotes came without endorsements. Those that Intel signed for the same kind of platform are in other
vectors; each certificate is verified with one of them, at a time at which that holds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509

from eaa.appraisal.policy import Policy
from eaa.codec.cmw import parse_cmw_cbor, parse_cmw_json
from eaa.endorsements.amd_roots import AMD_ARKS
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.endorsements.tcb import TcbStatus
from eaa.endorsements.x509 import parse_certificate
from eaa.errors import BindingError, EAAError, EndorsementError, FormatError, UnsupportedError
from eaa.tls.carried import Carried
from eaa.tls.certificate import read_certificate
from eaa.tls.families import family_of
from eaa.tls.peer import EvidenceKind
from eaa.tls.verifiers import make_verifier
from eaa.verify.dcap import Memo, verify_quote
from eaa.verify.dcap_result import VerifiedDcapEvidence
from eaa.verify.result import Binding
from tests.vectors.manifest import VECTORS, needs_vectors, read_collateral, rows

pytestmark = needs_vectors

RATLS = VECTORS / "ratls"
CMW = VECTORS / "cmw" / "veraison-cmw"


@dataclass(frozen=True)
class Endorsed:
    """Endorsements in another vector, and when they hold."""

    path: str
    at: int

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


ICE_LAKE = Endorsed("sgx/automata-dcap-attestation-sample_quotes-268c0681/collateral-1.json", 1735502047)
COFFEE_LAKE = Endorsed(
    "sgx/microsoft-azure-attestation-enclave.info.prodid-91831a5e/collateral-1.json", 1684434278
)

#: Vector, family, endorsements. All of these platforms lacked microcode when the endorsements were issued.
VERIFIED = (
    ("interop-gramine-cert", "interoperable", ICE_LAKE),
    ("interop-rats-tls-cert", "interoperable", ICE_LAKE),
    ("gramine-konvera", "gramine", ICE_LAKE),
    ("inclavare-containers-enclave-tls-cert-openssl-sample-ae9215", "enclave-tls", ICE_LAKE),
    ("inclavare-containers-enclave-tls-cert-sample-7359c7", "enclave-tls", ICE_LAKE),
)
#: No certificates of TLS but of token signing, with keys of 1024 bits; the evidence in them is good.
WEAK_KEYS = tuple(
    f"microsoft-azure-attestation-{name}"
    for name in (
        "get.certs.response.body-fd160e",
        "maa.prod.uks.signing.cert-1b0b91",
        "uksouth.signing.cert-e2ceeb",
    )
)
#: A Nitro document in a subject alternative name, and a certificate of nullattester.
WITHOUT_EVIDENCE = (
    "attestation-doc-validation-debug-mode-cert-containing-attestation-doc-18-1-23-d66831",
    "attestation-doc-validation-non-debug-cert-containing-attestation-document-18-1-23-der-2ff2",
    "rats-tls-0.6.4-nullattester",
)
OTHERS = ("interop-intel-sgxsdk-cert", "rats-tls-0.6.4-snp")


@cache
def der(name: str) -> bytes:
    (path,) = (RATLS / name).glob("*cert.der")
    return path.read_bytes()


def verify(carried: Carried, endorsed: Endorsed) -> VerifiedDcapEvidence:
    quote = carried.attached.evidence
    return verify_quote(
        quote,
        collateral=read_collateral(quote, (VECTORS / endorsed.path).read_bytes()),
        trust_anchors=INTEL_SGX_ROOTS,
        binding=Binding(carried.report_data),
        now=endorsed.now,
        memo=Memo(1),
    )


def refusal(name: str) -> EAAError:
    with pytest.raises(EAAError) as raised:
        read_certificate(der(name))
    return raised.value


def test_no_vector_is_left_out() -> None:
    here = [name for name, *_ in VERIFIED]
    named = sorted((*here, *WEAK_KEYS, *WITHOUT_EVIDENCE, *OTHERS))
    assert named == sorted(Path(row["dir"]).name for row in rows() if row["tee"] == "ratls")


@pytest.mark.parametrize(("name", "family", "endorsed"), VERIFIED, ids=lambda value: str(value)[:40])
def test_verified_and_bound_to_the_key(name: str, family: str, endorsed: Endorsed) -> None:
    evidence = read_certificate(der(name))
    assert (evidence.family, evidence.attached.kind) == (family, EvidenceKind.SGX_QUOTE)
    verified = verify(Carried(evidence.attached, evidence.report_data), endorsed)
    assert verified.bound == ("report_data",)
    assert verified.tcb.status is TcbStatus.OUT_OF_DATE


def test_custom_claims_of_rats_tls() -> None:
    claims = {"key_0": b"value_0\x00", "key_1": b"value_1\x00"}
    assert read_certificate(der("interop-rats-tls-cert")).claims == claims
    assert read_certificate(der("rats-tls-0.6.4-snp")).claims == claims


@pytest.mark.parametrize("name", ["interop-gramine-cert", "gramine-konvera"])
def test_gramine_is_read_where_cryptography_refuses(name: str) -> None:
    """NULL parameters of ecdsa-with-SHA256; OpenSSL takes them."""
    with pytest.raises(ValueError, match="asn1"):
        x509.load_der_x509_certificate(der(name))
    assert read_certificate(der(name)).spki == parse_certificate(der(name)).spki


def test_both_extensions_of_gramine_are_bound() -> None:
    """The older one, which counts only where it is alone, has a quote of its own."""
    certificate = parse_certificate(der("interop-gramine-cert"))
    oid = "0.6.9.42.840.113741.1337.6"
    alone = replace(certificate, extensions={oid: certificate.extensions[oid]})
    carried = family_of(alone).read(alone)
    assert carried.attached.evidence != read_certificate(certificate.der).attached.evidence
    assert verify(carried, ICE_LAKE).bound == ("report_data",)


def test_the_sgx_sdk() -> None:
    """Bound, and its PCK certificate and QE report hold; TCB info for this platform is in no vector."""
    evidence = read_certificate(der("interop-intel-sgxsdk-cert"))
    assert evidence.family == "interoperable"
    assert _report_data(evidence.attached.evidence) == evidence.report_data
    with pytest.raises(EndorsementError) as raised:
        verify(Carried(evidence.attached, evidence.report_data), COFFEE_LAKE)
    assert raised.value.code == "endorsement.fmspc_mismatch"
    assert "00706a100000" in str(raised.value)


def _report_data(quote: bytes) -> bytes:
    """Of a quote of version 3."""
    return quote[368:432]


def test_rats_tls_0_6_4() -> None:
    """Three buffers, each the whole of what libcbor had allocated; the report is of an emulated device."""
    evidence = read_certificate(der("rats-tls-0.6.4-snp"))
    report = evidence.attached.evidence
    assert (evidence.attached.kind, len(report)) == (EvidenceKind.SNP_REPORT, 1184)
    assert report[0x50:0x90] == evidence.report_data
    extension = evidence.certificate.extensions["2.23.133.5.4.9"].value
    assert len(extension) == 2048
    claims = extension[1195:1323]
    assert hashlib.sha256(claims).digest() + bytes(32) == evidence.report_data
    assert claims[109:] == bytes.fromhex("c90c7702b355fc63cbbc3492b8eb1f9bfbaaad")
    # The emulated device wrote report data and nothing else.
    verifier = make_verifier(
        "sev_snp", policy=Policy(), pool=None, trust_anchors=AMD_ARKS, memo=Memo(1), allow_null=False
    )
    with pytest.raises(EAAError) as caught:
        verifier.verify(
            evidence.attached, report_data=evidence.report_data, now=datetime(2026, 11, 22, tzinfo=UTC)
        )
    assert caught.value.code == "format.bad_value"
    assert isinstance(caught.value, FormatError)
    assert caught.value.field == "signature_algo"


@pytest.mark.parametrize("name", WEAK_KEYS)
def test_weak_keys(name: str) -> None:
    """Refused for the key alone: the evidence is bound to it as Open Enclave binds, and verifies."""
    assert refusal(name).code == "unsupported.key_type"
    certificate = parse_certificate(der(name))
    family = family_of(certificate)
    assert family.slug == "open-enclave"
    assert verify(family.read(certificate), COFFEE_LAKE).tcb.status is TcbStatus.OUT_OF_DATE


@pytest.mark.parametrize("name", WITHOUT_EVIDENCE)
def test_without_evidence(name: str) -> None:
    assert refusal(name).code == "format.no_evidence"


@pytest.mark.parametrize(("name", "family"), [(name, family) for name, family, _ in VERIFIED])
def test_another_key_in_the_certificate(name: str, family: str) -> None:
    """The same certificate with a bit of its key flipped is bound to that key no more."""
    data = der(name)
    spki = parse_certificate(data).spki
    position = data.index(spki) + len(spki) - 10
    flipped = data[:position] + bytes((data[position] ^ 1,)) + data[position + 1 :]
    if family == "interoperable":
        with pytest.raises(BindingError) as raised:
            read_certificate(flipped)
        assert raised.value.code == "binding.pubkey_hash"
    else:
        evidence = read_certificate(flipped)
        assert evidence.report_data != _report_data(evidence.attached.evidence)


@pytest.mark.parametrize("name", ["x509-cert-cbor-cmw.der", "x509-cert-json-cmw.der"])
def test_cmw_certificates(name: str) -> None:
    """Both carry collections."""
    data = (CMW / name).read_bytes()
    assert family_of(parse_certificate(data)).slug == "cmw"
    with pytest.raises(UnsupportedError) as raised:
        read_certificate(data)
    assert raised.value.code == "unsupported.cmw_collection"


def test_cmw_collections() -> None:
    """Named as such, whatever their keys; the records in them are read."""
    for path in CMW.glob("collection-*.cbor"):
        with pytest.raises(UnsupportedError):
            parse_cmw_cbor(path.read_bytes())
    with pytest.raises(UnsupportedError):
        parse_cmw_json((CMW / "collection-ok.json").read_bytes())
    collection = (CMW / "collection-cbor-ok.cbor").read_bytes()
    record = parse_cmw_cbor(collection[2 : 2 + 41])
    assert (record.type, record.indicator) == ("application/signed-corim+cbor", 3)
    with pytest.raises(FormatError):
        parse_cmw_cbor(collection[2:])
