"""Both curves by each library: the same signatures verify, and the same are refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import eaa
from eaa.attester.simulated import SimulatedPlatform, SimulatedSgxEnclave, SimulatedTdxGuest, SimulatedVendor
from eaa.errors import ConfigError, EAAError
from eaa.verify.dcap import Memo, verify_quote
from eaa.verify.ecdsa import CRYPTOGRAPHY, EcdsaKey, EcdsaLibrary
from eaa.verify.ecdsa_libraries import aws_lc
from eaa.verify.result import Binding
from eaa.verify.snp import SnpMemo, verify_report
from tests.fakes.amd_vendor import NOW, REPORT_DATA, SNP_KINDS, SnpKind, make_snp_guest, shared_snp_case


def compressed(key: bytes) -> bytes:
    """The same point in its shorter form, in the place of the longer one."""
    size = len(key) // 32 * 16
    return key[: -2 * size - 1] + b"\x02" + key[-2 * size : -size]


LIBRARIES: dict[str, Callable[[], EcdsaLibrary]] = {"cryptography": lambda: CRYPTOGRAPHY, "AWS-LC": aws_lc}
every_library = pytest.mark.parametrize("library", LIBRARIES)
DATA = b"the first bytes of evidence"


@dataclass(frozen=True)
class Curve:
    curve: ec.EllipticCurve
    digest: SHA256 | SHA384
    order: int

    def private(self, number: int = 11) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(number, self.curve)

    def sign(self, digest: SHA256 | SHA384 | SHA512 | None = None) -> bytes:
        return self.private().sign(DATA, ec.ECDSA(digest or self.digest))

    def encoded(self, private: ec.EllipticCurvePrivateKey | None = None) -> bytes:
        """As the library takes it: a point of P-256, the whole SubjectPublicKeyInfo of P-384."""
        spki = spki_of(private or self.private())
        return spki[-65:] if isinstance(self.curve, ec.SECP256R1) else spki

    def key(self, library: str, encoded: bytes | None = None) -> EcdsaKey:
        found = LIBRARIES[library]()
        make = found.p256 if isinstance(self.curve, ec.SECP256R1) else found.p384
        return make(self.encoded() if encoded is None else encoded)


def spki_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


#: With the orders of the groups [SEC2 §2.4.2, §2.5.1].
CURVES = {
    "P-256": Curve(
        ec.SECP256R1(),
        SHA256(),
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    ),
    "P-384": Curve(
        ec.SECP384R1(),
        SHA384(),
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    ),
}
every_curve = pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)


@every_library
@every_curve
def test_a_signature(library: str, curve: Curve) -> None:
    key, signature = curve.key(library), curve.sign()
    assert key.verifies(signature, DATA)
    assert not key.verifies(signature, DATA + b"\x00")
    assert not key.verifies(curve.sign(SHA512()), DATA)
    assert not curve.key(library, curve.encoded(curve.private(12))).verifies(signature, DATA)


@every_library
@every_curve
@pytest.mark.parametrize(
    "change",
    [
        lambda r, s, n: (0, s), lambda r, s, n: (r, 0), lambda r, s, n: (0, 0), lambda r, s, n: (r + n, s),
        lambda r, s, n: (r, s + n), lambda r, s, n: (n, s), lambda r, s, n: (s, r),
        lambda r, s, n: (r, s ^ 1), lambda r, s, n: (1 << 575, s),
    ],
)  # fmt: skip
def test_other_numbers(
    library: str, curve: Curve, change: Callable[[int, int, int], tuple[int, int]]
) -> None:
    signature = encode_dss_signature(*change(*decode_dss_signature(curve.sign()), curve.order))
    assert not curve.key(library).verifies(signature, DATA)


@every_library
@every_curve
@pytest.mark.parametrize(
    "change",
    [
        lambda der: b"", lambda der: b"\x30\x00", lambda der: der[:-1], lambda der: der + b"\x00",
        lambda der: bytes(104), lambda der: b"\x31" + der[1:],
        lambda der: b"\x30\x81" + der[1:],  # the length in two bytes, of which DER has one
        lambda der: bytes((0x30, der[1] + 1, 0x02, der[3] + 1, 0)) + der[4:],  # a leading zero too many
    ],
)  # fmt: skip
def test_what_is_no_signature(library: str, curve: Curve, change: Callable[[bytes], bytes]) -> None:
    assert not curve.key(library).verifies(change(curve.sign()), DATA)


@every_library
@every_curve
@pytest.mark.parametrize(
    "change",
    [
        lambda key: b"", lambda key: key[:-1], lambda key: key + b"\x00",
        lambda key: key[:-1] + bytes((key[-1] ^ 1,)),
        lambda key: key[: len(key) - len(key) // 32 * 32] + bytes(len(key) // 32 * 32),
        lambda key: CURVES["P-256"].encoded() if len(key) > 65 else CURVES["P-384"].encoded(),
        compressed,
    ],
)  # fmt: skip
def test_what_is_no_key(library: str, curve: Curve, change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ValueError, match=r"P-256|P-384|curve|point|Invalid"):
        curve.key(library, change(curve.encoded()))


@every_library
@pytest.mark.parametrize("kind", SNP_KINDS)
def test_reports(library: str, kind: SnpKind) -> None:
    case, memo = shared_snp_case(kind), SnpMemo(2)

    def verify(report: bytes) -> bytes:
        return verify_report(
            report, endorsements=case.endorsements, trust_anchors=(case.trust_anchor,),
            binding=Binding(REPORT_DATA), now=NOW, memo=memo, ecdsa=LIBRARIES[library](),
        ).evidence  # fmt: skip

    assert verify(case.report) == case.report
    assert verify(case.report) == case.report
    for at in (0x50, 0x29F, 0x2A0, 0x2E8):
        with pytest.raises(EAAError) as caught:
            verify(case.report[:at] + bytes((case.report[at] ^ 1,)) + case.report[at + 1 :])
        assert caught.value.code in {"signature.report", "format.reserved"}


@every_library
def test_a_key_that_is_not_on_the_curve_is_refused_in_the_certificate(library: str) -> None:
    guest = make_snp_guest()
    spki = CURVES["P-384"].encoded()
    guest.platform.vcek.certified_spki = spki[:-1] + bytes((spki[-1] ^ 1,))
    with pytest.raises(EAAError) as caught:
        verify_report(
            guest.collect(REPORT_DATA), endorsements=guest.endorsements(), binding=Binding(), now=NOW,
            trust_anchors=(guest.trust_anchor,), memo=SnpMemo(1), ecdsa=LIBRARIES[library](),
        )  # fmt: skip
    assert caught.value.code == "chain.vek_key"


def recording(used: list[bytes]) -> EcdsaLibrary:
    """``cryptography``'s keys, and each that is asked for."""

    def asked(make: Callable[[bytes], EcdsaKey]) -> Callable[[bytes], EcdsaKey]:
        def key(data: bytes) -> EcdsaKey:
            used.append(data)
            return make(data)

        return key

    return EcdsaLibrary("recording", asked(CRYPTOGRAPHY.p256), asked(CRYPTOGRAPHY.p384))


def test_what_one_library_verified_is_not_handed_to_who_asked_for_the_other() -> None:
    used: list[bytes] = []
    other = recording(used)
    case, memo = shared_snp_case("milan-v5"), SnpMemo(2)
    for library in (CRYPTOGRAPHY, other, other, CRYPTOGRAPHY):
        verify_report(
            case.report, endorsements=case.endorsements, trust_anchors=(case.trust_anchor,),
            binding=Binding(), now=NOW, memo=memo, ecdsa=library,
        )  # fmt: skip
    assert len(used) == 1


def test_the_same_of_quotes() -> None:
    used: list[bytes] = []
    other, memo = recording(used), Memo(2)
    guest = SimulatedTdxGuest(SimulatedPlatform(SimulatedVendor(now=NOW, unsafe_seed=b"libraries")))
    quote, collateral = guest.collect(bytes(64)), guest.endorsements()
    for library in (CRYPTOGRAPHY, other, other, CRYPTOGRAPHY):
        verify_quote(
            quote, collateral=collateral, trust_anchors=(guest.trust_anchor,), binding=Binding(), now=NOW,
            memo=memo, ecdsa=library,
        )  # fmt: skip
    # Root, TCB signing certificate, PCK CA, PCK certificate, attestation key.
    assert len(used) == len(set(used)) == 5


@every_library
@pytest.mark.parametrize("make", [SimulatedSgxEnclave, SimulatedTdxGuest])
def test_quotes(library: str, make: type[SimulatedSgxEnclave | SimulatedTdxGuest]) -> None:
    attester = make(SimulatedPlatform(SimulatedVendor(now=NOW, unsafe_seed=b"libraries")))
    quote, memo = attester.collect(REPORT_DATA), Memo(2)

    def verify(data: bytes) -> bytes:
        return verify_quote(
            data, collateral=attester.endorsements(), trust_anchors=(attester.trust_anchor,),
            binding=Binding(REPORT_DATA), now=NOW, memo=memo, ecdsa=LIBRARIES[library](),
        ).evidence  # fmt: skip

    changed = quote[:100] + bytes((quote[100] ^ 1,)) + quote[101:]
    with pytest.raises(EAAError) as caught:
        verify(changed)
    assert caught.value.code == "signature.quote"
    assert verify(quote) == verify(quote) == quote
    with pytest.raises(EAAError, match="signature of the quote"):
        verify(changed)


@every_library
def test_the_facade_takes_it(library: str) -> None:
    case = shared_snp_case("turin-v5")
    verified = eaa.verify(
        case.report, endorsements=case.endorsements, report_data=REPORT_DATA, now=NOW,
        trust_anchors=(case.trust_anchor,), ecdsa=LIBRARIES[library](),
    )  # fmt: skip
    assert verified.evidence == case.report


def test_without_aws_lc_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "eaa.verify.ecdsa_aws_lc", None)
    with pytest.raises(ConfigError, match=r"pip install eaa\[aws-lc\]"):
        aws_lc()
