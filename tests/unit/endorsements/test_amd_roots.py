"""AMD's pinned certificates are what they are said to be."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import eaa.endorsements.roots
from eaa.endorsements.amd_roots import AMD_ARKS, AMD_ISSUERS
from eaa.endorsements.roots import SIMULATED_NAME_PREFIX
from eaa.endorsements.x509 import Certificate
from eaa.evidence.snp_tcb import SnpProduct
from eaa.verify.path import require_ca
from eaa.verify.snp_path import issuer_role, require_amd_issued
from eaa.verify.snp_signatures import rsa_key

README = Path(eaa.endorsements.roots.__file__).with_name("amd_README.md")


def ark_of(product: SnpProduct) -> Certificate:
    return next(ark for ark in AMD_ARKS if ark.common_name == f"ARK-{product}")


@pytest.mark.parametrize("product", list(SnpProduct))
def test_each_product_has_its_three(product: SnpProduct) -> None:
    ark = ark_of(product)
    key = rsa_key(ark.spki)
    require_amd_issued(ark, ark, key, "ARK", "ark")
    require_ca(ark, 1, "ARK", "ark")
    issuers = [item for item in AMD_ISSUERS if issuer_role(item)[0] is product]
    assert [issuer_role(item)[1].name for item in issuers] == ["VCEK", "VLEK"]
    for issuer in issuers:
        require_amd_issued(issuer, ark, key, "ASK", "ask")
        require_ca(issuer, 0, "ASK", "ask")
        assert issuer.not_before > ark.not_before


def test_the_readme_has_all_of_them() -> None:
    text = README.read_text("utf-8")
    for certificate in (*AMD_ARKS, *AMD_ISSUERS):
        row = f"| {certificate.common_name} | {certificate.serial:x} | {certificate.not_after:%Y-%m-%d} |"
        assert f"{row} `{hashlib.sha256(certificate.der).hexdigest()}` |" in text


def test_no_simulated_root_is_pinned() -> None:
    assert not [item for item in (*AMD_ARKS, *AMD_ISSUERS) if SIMULATED_NAME_PREFIX in item.common_name]
