"""The sample data of Intel's own verifier [DCAP-QVL]: its file names and orders, under its own roots.

From Src/AttestationApp/sampleData of the Quote Verification Library. The names in the vectors folder
are in lower case, with ``tdx__`` before those of the subfolder; here they are again as Intel has them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from eaa.endorsements.bundle import collateral_for, read_endorsement_folder
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.endorsements.x509 import Certificate, parse_certificate_chain
from eaa.errors import ChainError, EndorsementNotFound, FormatError, UnsupportedError
from eaa.evidence.dcap_quote import CertificationData, CertificationType, parse_certification, parse_quote
from eaa.verify.dcap import Memo, verify_quote
from eaa.verify.dcap_result import VerifiedDcapEvidence
from eaa.verify.result import Binding
from tests.vectors.manifest import VECTORS, needs_vectors

FOLDER = VECTORS / "negative" / "intel-qvl-sampledata"
NOW = datetime(2025, 1, 1, tzinfo=UTC)
NAMES = (
    "intermediateCaCrl.der", "intermediateCaCrl.pem", "pckCert.pem", "pckSignChain.pem", "qeIdentity.json",
    "qveIdentity.json", "quote.dat", "rootCaCrl.der", "rootCaCrl.pem", "tcbInfo.json", "tcbSignChain.pem",
    "trustedRootCaCert.pem",
)  # fmt: skip

pytestmark = needs_vectors


def files(prefix: str) -> dict[str, bytes]:
    paths = {name: FOLDER / f"{prefix}{name.lower()}" for name in NAMES}
    return {name: path.read_bytes() for name, path in paths.items() if path.exists()}


def with_pck_chain(quote: bytes, chain: bytes) -> bytes:
    """``quote``, with its certification data, which nobody has signed, in place of the PPID's."""
    parsed = parse_quote(quote)
    data = CertificationData(CertificationType.PCK_CHAIN, chain)
    certification = replace(parse_certification(parsed), data=data)
    return replace(parsed, certification=certification.encode(3)).encode()


def root_of(folder: dict[str, bytes]) -> tuple[Certificate, ...]:
    return parse_certificate_chain(folder["trustedRootCaCert.pem"], what="root")


def verify(quote: bytes, folder: dict[str, bytes], anchors: tuple[Certificate, ...]) -> VerifiedDcapEvidence:
    collateral = collateral_for(parse_quote(quote), read_endorsement_folder(folder))
    return verify_quote(
        quote, collateral=collateral, trust_anchors=anchors, binding=Binding(), now=NOW, memo=Memo(1)
    )


def test_sgx_sample_verifies_under_its_own_root() -> None:
    folder = files("")
    quote = with_pck_chain(folder["quote.dat"], folder["pckCert.pem"] + folder["pckSignChain.pem"])
    assert verify(quote, folder, root_of(folder)).tcb.status == "UpToDate"


def test_sgx_sample_is_refused_under_intels_roots() -> None:
    folder = files("")
    quote = with_pck_chain(folder["quote.dat"], folder["pckCert.pem"] + folder["pckSignChain.pem"])
    with pytest.raises(ChainError) as caught:
        verify(quote, folder, INTEL_SGX_ROOTS)
    assert caught.value.code == "chain.untrusted_root"


def test_sgx_sample_as_it_is_names_its_pck_certificate_by_ppid() -> None:
    folder = files("")
    with pytest.raises(UnsupportedError) as caught:
        verify(folder["quote.dat"], folder, root_of(folder))
    assert caught.value.fields["certification_data_type"] == 1


def test_what_is_no_endorsement_is_named() -> None:
    assert read_endorsement_folder(files("")).ignored == ("quote.dat",)


@pytest.mark.parametrize(
    ("missing", "code"),
    [
        ("rootCaCrl", "endorsement_not_found.root_ca_crl"),
        ("intermediateCaCrl", "endorsement_not_found.pck_crl"),
        ("tcbInfo", "endorsement_not_found.tcb_info"),
        ("qeIdentity", "endorsement_not_found.qe_identity"),
    ],
)
def test_what_is_missing_is_named(missing: str, code: str) -> None:
    folder = files("")
    quote = with_pck_chain(folder["quote.dat"], folder["pckCert.pem"] + folder["pckSignChain.pem"])
    rest = {name: data for name, data in folder.items() if not name.startswith(missing)}
    with pytest.raises(EndorsementNotFound) as caught:
        verify(quote, rest, root_of(folder))
    assert caught.value.code == code


def test_signing_certificate_and_root_may_be_separate_files() -> None:
    folder = files("")
    signing, root = folder["tcbSignChain.pem"].split(b"-----END CERTIFICATE-----", 1)
    folder["tcbSignChain.pem"] = root
    folder["zSigning.pem"] = signing + b"-----END CERTIFICATE-----"
    quote = with_pck_chain(folder["quote.dat"], folder["pckCert.pem"] + folder["pckSignChain.pem"])
    assert verify(quote, folder, root_of(folder)).tcb.status == "UpToDate"


def test_tdx_sample_is_refused_for_svns_of_more_than_a_byte() -> None:
    """Named difference: the generator wrote SVNs such as 65473, and Intel's verifier keeps their low byte.

    [PCS-API v4] gives an SVN 0 to 255. Chain and signatures hold: they are checked before.
    """
    folder = files("tdx__")
    with pytest.raises(FormatError, match="tcbLevels"):
        verify(folder["quote.dat"], folder, root_of(folder))
    with pytest.raises(ChainError):
        verify(folder["quote.dat"], folder, INTEL_SGX_ROOTS)
