"""The laws of certificates: what is minted is read; what is flipped is refused, or bound to nothing new."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from eaa.errors import BindingError, FormatError, UnsupportedError
from eaa.evidence.dcap_quote import parse_quote
from eaa.tls.certificate import CertificateEvidence, read_certificate
from eaa.tls.claims import encode_claims, hash_report_data, parse_claims
from eaa.tls.families import FAMILIES
from eaa.tls.mint import mint_certificate
from eaa.tls.peer import AttachedEvidence, EvidenceKind
from tests.fakes.tls import P256, certificate_with, minted, quote_for, spki_of
from tests.fakes.vendor import NOW

NAMES = st.text(min_size=1, max_size=12).filter(lambda name: name not in ("pubkey-hash", "nonce"))
CUSTOM = st.dictionaries(NAMES, st.binary(max_size=40), max_size=4)
REFUSALS = (FormatError, UnsupportedError, BindingError)


@given(
    secret=st.integers(1, 1 << 200),
    curve=st.sampled_from([ec.SECP256R1(), ec.SECP384R1()]),
    hash_id=st.sampled_from([1, 7, 8]),
    nonce=st.none() | st.binary(max_size=64),
    custom=CUSTOM,
    seconds=st.integers(0, 10**9),
    serial=st.integers(1, 1 << 158),
)
@settings(max_examples=50)
def test_what_is_minted_is_read(
    secret: int,
    curve: ec.EllipticCurve,
    hash_id: int,
    nonce: bytes | None,
    custom: dict[str, bytes],
    seconds: int,
    serial: int,
) -> None:
    key = ec.derive_private_key(secret, curve)
    claims = encode_claims(spki=spki_of(key), hash_id=hash_id, nonce=nonce, custom=custom)
    attached = AttachedEvidence(EvidenceKind.SGX_QUOTE, quote_for(hash_report_data(claims)))
    end = NOW + timedelta(seconds=seconds)
    evidence = read_certificate(
        mint_certificate(key, attached, claims, not_before=NOW, not_after=end, serial=serial)
    )
    assert (evidence.family, evidence.attached, evidence.spki) == ("interoperable", attached, spki_of(key))
    assert (evidence.nonce, evidence.claims) == (nonce, custom)
    assert (evidence.not_before, evidence.not_after, evidence.certificate.serial) == (NOW, end, serial)
    assert bound(evidence)


def bound(evidence: CertificateEvidence) -> bool:
    return parse_quote(evidence.attached.evidence).body.report_data == evidence.report_data


CERTIFICATE = minted()
READ = read_certificate(CERTIFICATE)


@given(position=st.integers(0, len(CERTIFICATE) - 1), bit=st.integers(0, 7))
@settings(max_examples=400)
def test_a_flipped_bit(position: int, bit: int) -> None:
    """Key, claims and evidence belong together: none of them changes alone and is read as bound."""
    flipped = bytearray(CERTIFICATE)
    flipped[position] ^= 1 << bit
    try:
        evidence = read_certificate(bytes(flipped))
    except REFUSALS:
        return
    changed = (evidence.spki, evidence.report_data) != (READ.spki, READ.report_data)
    assert not changed or evidence.attached.evidence == READ.attached.evidence
    assert not (changed and bound(evidence))


@given(data=st.binary(max_size=200))
def test_claims_are_read_or_refused(data: bytes) -> None:
    for padded in (False, True):
        try:
            parse_claims(data, padded=padded)
        except FormatError:
            continue


@given(
    extensions=st.dictionaries(
        st.sampled_from([oid for family in FAMILIES for oid in family.oids]),
        st.binary(max_size=80),
        max_size=3,
    )
)
@settings(deadline=None)
def test_any_extension_is_read_or_refused(extensions: dict[str, bytes]) -> None:
    der = certificate_with(list(extensions.items()), P256)
    with suppress(*REFUSALS):
        assert len(read_certificate(der).report_data) == 64
        assert extensions
