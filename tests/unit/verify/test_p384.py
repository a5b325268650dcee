"""P-384 by each library: the same signatures verify, and the same are refused."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import eaa
from eaa.errors import ConfigError, EAAError
from eaa.verify.p384 import P384Library, p384_key
from eaa.verify.p384_libraries import aws_lc
from eaa.verify.result import Binding
from eaa.verify.snp import SnpMemo, verify_report
from tests.fakes.amd_vendor import NOW, REPORT_DATA, SNP_KINDS, SnpKind, make_snp_guest, shared_snp_case


def fast() -> P384Library:
    pytest.importorskip("awscrt")
    return aws_lc()


LIBRARIES: dict[str, Callable[[], P384Library]] = {"cryptography": lambda: p384_key, "AWS-LC": fast}
every_library = pytest.mark.parametrize("library", LIBRARIES)

KEY = ec.derive_private_key(11, ec.SECP384R1())
DATA = b"the first 672 bytes of a report"
SIGNATURE = KEY.sign(DATA, ec.ECDSA(SHA384()))
ORDER = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16
)


def spki(key: ec.EllipticCurvePrivateKey, form: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, form)


@every_library
def test_a_signature(library: str) -> None:
    key = LIBRARIES[library]()(spki(KEY))
    assert key.verifies(SIGNATURE, DATA)
    assert not key.verifies(SIGNATURE, DATA + b"\x00")
    assert not key.verifies(KEY.sign(DATA, ec.ECDSA(SHA256())), DATA)
    assert not LIBRARIES[library]()(spki(ec.derive_private_key(12, ec.SECP384R1()))).verifies(SIGNATURE, DATA)


@every_library
@pytest.mark.parametrize(
    "change",
    [
        lambda r, s: (0, s), lambda r, s: (r, 0), lambda r, s: (0, 0), lambda r, s: (r + ORDER, s),
        lambda r, s: (r, s + ORDER), lambda r, s: (ORDER, s), lambda r, s: (s, r), lambda r, s: (r, s ^ 1),
        lambda r, s: (1 << 575, s),
    ],
)  # fmt: skip
def test_other_numbers(library: str, change: Callable[[int, int], tuple[int, int]]) -> None:
    signature = encode_dss_signature(*change(*decode_dss_signature(SIGNATURE)))
    assert not LIBRARIES[library]()(spki(KEY)).verifies(signature, DATA)


@every_library
@pytest.mark.parametrize("signature", [b"", b"\x30\x00", SIGNATURE[:-1], SIGNATURE + b"\x00", bytes(104)])
def test_what_is_no_signature(library: str, signature: bytes) -> None:
    assert not LIBRARIES[library]()(spki(KEY)).verifies(signature, DATA)


@every_library
@pytest.mark.parametrize(
    "data",
    [
        b"", spki(KEY)[:-1], spki(KEY) + b"\x00", spki(KEY)[:-1] + bytes((spki(KEY)[-1] ^ 1,)),
        spki(KEY)[:-97] + b"\x04" + bytes(96), spki(ec.derive_private_key(11, ec.SECP256R1())),
        spki(KEY)[:-97] + b"\x02" + spki(KEY)[-96:-48],
    ],
)  # fmt: skip
def test_what_is_no_key(library: str, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"P-384|curve|point|Invalid"):
        LIBRARIES[library]()(data)


@every_library
@pytest.mark.parametrize("kind", SNP_KINDS)
def test_reports(library: str, kind: SnpKind) -> None:
    case, memo = shared_snp_case(kind), SnpMemo(2)

    def verify(report: bytes) -> bytes:
        return verify_report(
            report, endorsements=case.endorsements, trust_anchors=(case.trust_anchor,),
            binding=Binding(REPORT_DATA), now=NOW, memo=memo, p384=LIBRARIES[library](),
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
    guest.platform.vcek.certified_spki = spki(KEY)[:-1] + bytes((spki(KEY)[-1] ^ 1,))
    with pytest.raises(EAAError) as caught:
        verify_report(
            guest.collect(REPORT_DATA), endorsements=guest.endorsements(), binding=Binding(), now=NOW,
            trust_anchors=(guest.trust_anchor,), memo=SnpMemo(1), p384=LIBRARIES[library](),
        )  # fmt: skip
    assert caught.value.code == "chain.vek_key"


def test_each_library_keeps_its_own_keys() -> None:
    """What one library verified is not handed to who asked for the other."""
    used: list[bytes] = []

    def recording(data: bytes) -> object:
        used.append(data)
        return p384_key(data)

    case, memo = shared_snp_case("milan-v5"), SnpMemo(2)
    for library in (p384_key, recording, recording, p384_key):
        verify_report(
            case.report, endorsements=case.endorsements, trust_anchors=(case.trust_anchor,),
            binding=Binding(), now=NOW, memo=memo, p384=library,  # type: ignore[arg-type]  # one of the two
        )  # fmt: skip
    assert len(used) == 1


@every_library
def test_the_facade_takes_it(library: str) -> None:
    case = shared_snp_case("turin-v5")
    verified = eaa.verify(
        case.report, endorsements=case.endorsements, report_data=REPORT_DATA, now=NOW,
        trust_anchors=(case.trust_anchor,), p384=LIBRARIES[library](),
    )  # fmt: skip
    assert verified.evidence == case.report


def test_without_aws_lc_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "eaa.verify.p384_aws_lc", None)
    with pytest.raises(ConfigError, match=r"pip install eaa\[aws-lc\]"):
        aws_lc()
