from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, HashAlgorithm
from cryptography.x509.oid import ExtensionOID

from eaa.codec.cbor import Tag, encode_cbor
from eaa.errors import BindingError, FormatError, UsageError
from eaa.tls.certificate import read_certificate
from eaa.tls.claims import encode_claims, hash_report_data
from eaa.tls.mint import PrivateKey, mint_certificate
from eaa.tls.peer import AttachedEvidence, EvidenceKind
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
from tests.fakes.vendor import NOW

CLAIMS = encode_claims(spki=spki_of(P256), nonce=None)
ATTACHED = AttachedEvidence(EvidenceKind.SGX_QUOTE, quote_for(hash_report_data(CLAIMS)))
COLLATERAL = attester_of("sgx-v3").endorsements()


def mint(
    key: PrivateKey = P256, attached: AttachedEvidence = ATTACHED, claims: bytes = CLAIMS, **arguments: Any
) -> bytes:
    return mint_certificate(
        key, attached, claims, **{"not_before": NOW - HOUR, "not_after": NOW + HOUR, **arguments}
    )


def refused(**arguments: Any) -> str:
    with pytest.raises(UsageError) as raised:
        mint(**arguments)
    return raised.value.code


def test_the_profile_of_rats_tls() -> None:
    certificate = x509.load_der_x509_certificate(mint())
    assert certificate.version is x509.Version.v3
    assert certificate.serial_number == 1
    assert certificate.subject.rfc4514_string() == "CN=RATS-TLS,O=Inclavare Containers"
    assert certificate.issuer == certificate.subject
    assert (certificate.not_valid_before_utc, certificate.not_valid_after_utc) == (NOW - HOUR, NOW + HOUR)
    assert [item.oid.dotted_string for item in certificate.extensions] == [
        "2.5.29.19",
        "2.5.29.14",
        "2.5.29.35",
        "2.23.133.5.4.9",
    ]
    assert not any(item.critical for item in certificate.extensions)
    constraints = certificate.extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS)
    assert constraints.value == x509.BasicConstraints(ca=False, path_length=None)
    certificate.verify_directly_issued_by(certificate)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(P256, SHA256()), (P384, SHA384()), (rsa_key(), SHA256())],
    ids=["P-256", "P-384", "RSA"],
)
def test_signatures(key: PrivateKey, algorithm: HashAlgorithm) -> None:
    der = minted(key)
    certificate = x509.load_der_x509_certificate(der)
    certificate.verify_directly_issued_by(certificate)
    assert isinstance(certificate.signature_hash_algorithm, type(algorithm))
    assert minted(key) == der


def test_what_is_said_is_there() -> None:
    start, end = NOW + HOUR, NOW + 2 * HOUR
    der = mint(serial=9527, common_name="LibRATS", not_before=start, not_after=end)
    certificate = x509.load_der_x509_certificate(der)
    assert certificate.serial_number == 9527
    assert certificate.subject.rfc4514_string().startswith("CN=LibRATS,")
    assert (certificate.not_valid_before_utc, certificate.not_valid_after_utc) == (start, end)


def test_gramine_finds_the_length_in_two_octets() -> None:
    assert bytes.fromhex("060667810505040904" "82") in mint()  # fmt: skip


def test_endorsed() -> None:
    """Whoever receives it needs nothing else."""
    der = mint(attached=replace(ATTACHED, collateral=COLLATERAL))
    assert len(der) < 64 * 1024
    evidence = read_certificate(der)
    assert evidence.attached.collateral == COLLATERAL
    verify_quote(
        evidence.attached.evidence,
        collateral=evidence.attached.collateral or COLLATERAL,
        trust_anchors=(attester_of("sgx-v3").trust_anchor,),
        binding=Binding(evidence.report_data),
        now=NOW,
        memo=Memo(1),
    )


def test_endorsements_of_another_tag() -> None:
    der = mint(attached=replace(ATTACHED, collateral=COLLATERAL))
    value = read_certificate(der).certificate.extensions
    claims = encode_claims(spki=spki_of(P256), nonce=None)
    report = encode_cbor(Tag(60002, (bytes(432), claims)))
    oids = ("2.23.133.5.4.9", "2.23.133.5.4.2")
    with pytest.raises(FormatError) as raised:
        read_certificate(certificate_with([(oids[0], report), (oids[1], value[oids[1]].value)]))
    assert raised.value.field == "tag"


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        (EvidenceKind.SGX_REPORT, 432),
        (EvidenceKind.SNP_REPORT, 1184),
        (EvidenceKind.SEV_REPORT, 6461),
        (EvidenceKind.CSV_REPORT, 7016),
    ],
)
def test_reports(kind: EvidenceKind, size: int) -> None:
    attached = AttachedEvidence(kind, bytes(size))
    assert read_certificate(mint(attached=attached)).attached == attached


def test_tdx_reports() -> None:
    attached = AttachedEvidence(EvidenceKind.TDX_REPORT, b"\x81" + bytes(1023))
    assert read_certificate(mint(attached=attached)).attached == attached


def test_kinds_that_are_not_what_is_said() -> None:
    quote = ATTACHED.evidence
    assert refused(attached=AttachedEvidence(EvidenceKind.TDX_QUOTE, quote)) == "usage.evidence_kind"
    attached = AttachedEvidence(EvidenceKind.SGX_QUOTE, b"\x09" + quote[1:])
    assert refused(attached=attached) == "usage.format_bad_value"
    report = AttachedEvidence(EvidenceKind.CSV_REPORT, bytes(1184), COLLATERAL)
    assert refused(attached=report) == "usage.endorsements_kind"


def test_keys() -> None:
    for key in (rsa_key(2048), ec.derive_private_key(2, ec.SECP521R1())):
        claims = encode_claims(spki=spki_of(key), nonce=None)
        assert refused(key=key, claims=claims) == "usage.unsupported_key_type"


def test_claims() -> None:
    with pytest.raises(UsageError) as raised:
        mint(claims=encode_claims(spki=spki_of(P384), nonce=None))
    assert raised.value.code == "usage.binding_pubkey_hash"
    assert isinstance(raised.value.__cause__, BindingError)
    assert refused(claims=b"") == "usage.format_truncated"
    assert refused(claims=CLAIMS.ljust(64, b"\x00")) == "usage.format_trailing_bytes"


def test_times() -> None:
    assert refused(not_before=datetime(2026, 1, 15)) == "usage.naive_datetime"  # noqa: DTZ001 - the case
    assert refused(not_after=datetime(2026, 1, 15)) == "usage.naive_datetime"  # noqa: DTZ001 - the case
    assert refused(not_after=NOW - HOUR - timedelta(seconds=1)) == "usage.validity"


def test_sizes() -> None:
    for size in (0, 100, 32 * 1024 + 1):
        assert (
            refused(attached=AttachedEvidence(EvidenceKind.SNP_REPORT, bytes(size))) == "usage.evidence_size"
        )
    large = encode_claims(spki=spki_of(P256), custom={"a": bytes(40 * 1024)}, nonce=None)
    attached = AttachedEvidence(EvidenceKind.SNP_REPORT, bytes(32 * 1024))
    assert refused(attached=attached, claims=large) == "usage.evidence_size"
    almost = encode_claims(spki=spki_of(P256), custom={"a": bytes(32 * 1024 - 200)}, nonce=None)
    assert refused(attached=attached, claims=almost) == "usage.certificate_size"
