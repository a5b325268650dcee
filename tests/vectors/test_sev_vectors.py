"""Every SEV vector of the manifest: AMD's chains, and sevctl's launch measurements."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from eaa.attester.simulated.sev_vendor import SimulatedSevGuest
from eaa.endorsements.amd_roots import AMD_ARKS, AMD_ISSUERS
from eaa.endorsements.sev_ca import parse_sev_ca
from eaa.endorsements.sev_certificate import parse_sev_certificate
from eaa.endorsements.sev_endorsements import SevEndorsements, read_sev_parts
from eaa.endorsements.sev_roots import AMD_SEV_ARKS, AMD_SEV_ASKS, sev_product
from eaa.errors import FormatError, SignatureError, VerificationError
from eaa.evidence.psp_certificate import KeyUsage
from eaa.evidence.psp_policy import SevGuestPolicy
from eaa.evidence.sev_evidence import SevProduct
from eaa.evidence.sev_launch import SevFirmware, kernel_hashes_table, launch_digest
from eaa.verify.sev import SevMemo, verify_sev_report
from eaa.verify.sev_chain import ask_of_cek, verify_sev_authorities, verify_sev_platform
from eaa.verify.sev_launch import verify_launch_measurement
from eaa.verify.sev_signatures import sev_rsa_key, verify_sev_rsa
from eaa.verify.snp_signatures import rsa_key
from tests.fakes.sev_vendor import make_sev_guest
from tests.vectors.manifest import VECTORS, needs_vectors, rows

pytestmark = needs_vectors

Row = dict[str, Any]
CHECKED = {"sev-legacy-chain", "sev-legacy-ca", "sev-launch-measurement-inputs"}
PRODUCTS = {"naples": SevProduct.NAPLES, "milan": SevProduct.MILAN}
NAPLES = "sev/virtee-sev-naples"


def sev_rows(*kinds: str) -> list[Row]:
    return [row for row in rows() if row["tee"] == "sev" and row["kind"] in kinds]


def file_of(row: Row, name: str) -> bytes:
    return (VECTORS / str(row["dir"]) / name).read_bytes()


def naples() -> tuple[Row, SevEndorsements]:
    row = next(row for row in rows() if row["id"] == NAPLES)
    found = SevEndorsements()
    for name in ("ark", "ask", "cek", "oca", "pek", "pdh"):
        found = found.or_else(read_sev_parts(file_of(row, f"{name}.cert")))
    return row, found


def test_no_vector_is_left_out() -> None:
    assert {row["kind"] for row in rows() if row["tee"] == "sev"} == CHECKED


@pytest.mark.parametrize("row", sev_rows("sev-legacy-chain", "sev-legacy-ca"), ids=lambda row: row["id"])
def test_the_authorities(row: Row) -> None:
    expected = row["expected"][0]
    product = next(product for tag, product in PRODUCTS.items() if tag in row["tags"])
    ark, ask = (parse_sev_ca(file_of(row, f"{name}.cert")) for name in ("ark", "ask"))
    assert [f"{item.usage:#x}" for item in (ark, ask)] == expected["usage"]
    assert (ark, ask) == (AMD_SEV_ARKS[product], AMD_SEV_ASKS[product])
    given = SevEndorsements(ask=ask.raw, ark=ark.raw)
    verified = verify_sev_authorities(given, tuple(AMD_SEV_ARKS.values()))
    assert sev_product(verified.ark) is product
    assert expected["ask_by_ark"]
    assert expected["ark_self"]
    verify_sev_rsa(_key(ark), ark.signature, ark.signed, "ARK", "ark")


def test_a_real_platform() -> None:
    row, given = naples()
    expected = row["expected"][0]
    authorities = verify_sev_authorities(given, tuple(AMD_SEV_ARKS.values()))
    platform = verify_sev_platform(given, authorities)
    links = ("cek_by_ask", "oca_self", "pek_by_oca", "pek_by_cek", "pdh_by_pek")
    assert all(expected[link] for link in links)
    assert platform.pdh is not None
    assert platform.pek.frame.api_minor == 16
    assert given.cek is not None
    assert ask_of_cek(given.cek, AMD_SEV_ASKS.values()) == AMD_SEV_ASKS[SevProduct.NAPLES]


def test_amds_own_file_for_naples_is_without_its_signature() -> None:
    """AMD publishes it so; the manifest expects it to fail."""
    row, given = naples()
    with pytest.raises(FormatError) as caught:
        parse_sev_ca(file_of(row, "ark.cert.bad"))
    assert caught.value.code == "format.truncated"
    whole = file_of(row, "ark.cert.bad") + file_of(row, "ark.cert.sig")
    assert whole == given.ark


def test_no_report_by_a_real_pek_is_public() -> None:
    """A report that another PEK signed is refused under the real one."""
    _, given = naples()
    with pytest.raises(SignatureError, match="SEV report"):
        verify_sev_report(
            make_sev_guest().collect(bytes(16)),
            endorsements=given, trust_anchors=tuple(AMD_SEV_ARKS.values()), mnonce=bytes(16),
            now=datetime(2026, 1, 1, tzinfo=UTC), memo=SevMemo(1),
        )  # fmt: skip


@pytest.mark.parametrize("name", ["cek", "oca", "pek", "pdh"])
def test_every_bit_of_a_real_platform(name: str) -> None:
    """One bit in each byte of what is signed; the signatures too, but for those that nobody made."""
    _, given = naples()
    authorities = verify_sev_authorities(given, tuple(AMD_SEV_ARKS.values()))
    data: bytes = getattr(given, name)
    for index in range(0, len(data), 3):
        flipped = bytearray(data)
        flipped[index] ^= 1 << index % 8
        changed = replace(given, **{name: bytes(flipped)})
        with pytest.raises((FormatError, VerificationError)):
            verify_sev_platform(changed, authorities)


@pytest.mark.parametrize("product", list(SevProduct))
def test_the_pinned_certificates_are_what_their_names_say(product: SevProduct) -> None:
    ark, ask = AMD_SEV_ARKS[product], AMD_SEV_ASKS[product]
    verify_sev_rsa(_key(ark), ark.signature, ark.signed, "ARK", "ark")
    verified = verify_sev_authorities(SevEndorsements(ask=ask.raw, ark=ark.raw), [ark])
    assert (verified.ark, verified.ask) == (ark, ask)
    x509 = {
        rsa_key(item.spki).public_numbers().n
        for item in (*AMD_ARKS, *AMD_ISSUERS)
        if item.common_name in (f"ARK-{product}", f"SEV-{product}")
    }
    # The same keys as in X.509, where AMD has both.
    assert x509 in (set(), {ark.modulus, ask.modulus})
    assert bool(x509) == (product in ("Milan", "Genoa", "Turin"))


def _key(certificate: Any) -> rsa.RSAPublicKey:
    return sev_rsa_key(certificate.public_exponent, certificate.modulus, certificate.key_bits)


#: From `tests/measurementbuild.rs` of virtee/sevctl at 8b47f3a6: version, policy, digest, measurement.
NONCE = "wxP6tRHCFrFQWxsuqZA8QA=="
DIGEST = "xkvRAfyaSizgonxAjZIAkR8TmolUabBKQKb6KJCDDSM="
SEVCTL = [
    ((1, 40, 40), 3, "digest", "lswbxWxI9gckya16JQvdFtpYmNO4b+3inAPpqsgoBI7DE/q1EcIWsVBbGy6pkDxA"),
    ((1, 40, 40), 3, "firmware", "oMDewIouJSpbpNRHj7Mk3p08H2dPZQdsZMU14qIymBnDE/q1EcIWsVBbGy6pkDxA"),
    ((1, 40, 40), 3, "kernel", "h3auYbWQnVW7EGLWN4Hf9SN0oEYMPU2sK4bLnefWPwvDE/q1EcIWsVBbGy6pkDxA"),
    ((1, 49, 6), 5, "vmsa", "/o0nzDKE5XgtVnUZWPhUea/WZYrTKLExR7KCwuMdbActvpWfXTFk21KMZIAAhQny"),
]


@pytest.mark.parametrize(("version", "policy", "what", "expected"), SEVCTL, ids=[row[2] for row in SEVCTL])
def test_sevctls_measurements(version: tuple[int, int, int], policy: int, what: str, expected: str) -> None:
    (row,) = sev_rows("sev-launch-measurement-inputs")
    firmware = file_of(row, next(item["name"] for item in row["files"] if item["name"].startswith("ovmf")))
    cmdline = b"foo bar baz fake kernel=cmdline"
    table = kernel_hashes_table(file_of(row, "vmlinuz-fake"), file_of(row, "initrd-fake"), cmdline)
    vmsas = [file_of(row, "vmsa0.bin"), *[file_of(row, "vmsa1.bin")] * 3]
    digest = {
        "digest": base64.b64decode(DIGEST),
        "firmware": launch_digest(firmware),
        "kernel": launch_digest(firmware, table),
        "vmsa": launch_digest(firmware, vmsas=vmsas),
    }[what]
    launch = verify_launch_measurement(
        base64.b64decode(expected), tik=file_of(row, "tik1.bin"), firmware=SevFirmware(*version),
        policy=SevGuestPolicy(policy), digest=digest,
    )  # fmt: skip
    assert launch.mnonce == base64.b64decode(expected)[32:]
    assert what == "vmsa" or launch.mnonce == base64.b64decode(NONCE)


def test_the_encodings_are_the_files() -> None:
    row, given = naples()
    for name in ("cek", "oca", "pek", "pdh"):
        certificate = parse_sev_certificate(file_of(row, f"{name}.cert"))
        assert certificate.usage is KeyUsage[name.upper()]
        assert certificate.encode() == file_of(row, f"{name}.cert")
    chain = b"".join(getattr(given, name) for name in ("pdh", "pek", "oca", "cek", "ask", "ark"))
    assert read_sev_parts(chain) == given
    assert hashlib.sha256(given.ark or b"").hexdigest() == row["files"][0]["sha256"]
    assert SimulatedSevGuest(make_sev_guest().platform).policy.names
