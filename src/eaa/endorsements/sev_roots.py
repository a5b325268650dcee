"""AMD's pinned certificates in SEV's format, with the SHA-256 of each; source: ``roots/sev_README.md``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# The one module that may read package data has the one loader.
from eaa.endorsements.roots import SIMULATED_NAME_PREFIX, load_pinned_bytes
from eaa.endorsements.sev_ca import SevCaCertificate, parse_sev_ca
from eaa.evidence.sev_evidence import SevProduct

__all__ = ["AMD_SEV_ARKS", "AMD_SEV_ASKS", "sev_ark_name", "sev_product"]

_ARKS = {
    SevProduct.NAPLES: "dedabca561e1dece8cc00b7bda864cf5f20b95017864408cfe18eaee0dce24b9",
    SevProduct.ROME: "865977b268c16d5b27772b00aaefb4e737ba9499e818ed8e9f65b0cecefbc529",
    SevProduct.MILAN: "1246469862b78a7a8625579b0378d1f8e975eb8b82a1623b579d7968a5969888",
    SevProduct.GENOA: "8f4e3fd36589c23f1fe0c8338465bac7e2e066d97fc92f228bbee4fd356fb674",
    SevProduct.TURIN: "f6405e5096a6eee1eb7d5df75c49f9b9f7c8357a31c7fff150149d68588a7bf7",
}
_ASKS = {
    SevProduct.NAPLES: "c6f30cf923f526c3bcd5c8c221db51e0db65911782f046de17a6603131cdfd7f",
    SevProduct.ROME: "7754a69407d25540fe3a695be6b02c58a53bffd12594f5c30793d6cb62875706",
    SevProduct.MILAN: "c7c73765561c58003a3d09adb2c76993027dd3a1ec4e9be876024c035e015cec",
    SevProduct.GENOA: "c30307e4f594fb6c51fd753ab758eb78ad4bb70d9e4d96690e51c0621901031d",
    SevProduct.TURIN: "2ee285477f0d5eb94a69029197f4cf58ca82d8e1b9a276da1ac45b0db3f4be56",
}


def _load(kind: str, pinned: Mapping[SevProduct, str]) -> Mapping[SevProduct, SevCaCertificate]:
    return MappingProxyType(
        {
            product: parse_sev_ca(load_pinned_bytes(f"amd_sev_{kind}_{product.lower()}.cert", sha256))
            for product, sha256 in pinned.items()
        }
    )


#: ARK of each product: the trust anchors.
AMD_SEV_ARKS = _load("ark", _ARKS)
#: ASK of each product. They vouch for nothing by themselves.
AMD_SEV_ASKS = _load("ask", _ASKS)

_PRODUCTS = {certificate.raw: product for product, certificate in AMD_SEV_ARKS.items()}


def sev_product(ark: SevCaCertificate) -> SevProduct | None:
    """The product of a pinned ARK; ``None`` for any other."""
    return _PRODUCTS.get(ark.raw)


def sev_ark_name(ark: SevCaCertificate) -> str:
    """What to call an ARK, which has no name in it: by its product, or by its key id.

    The key ids of a simulated vendor's start with the words that mark it as such.
    """
    product = sev_product(ark)
    if product is not None:
        return f"SEV ARK-{product}"
    if ark.key_id.startswith(SIMULATED_NAME_PREFIX.encode()):
        return f"{SIMULATED_NAME_PREFIX} SEV ARK"
    return f"SEV ARK {ark.key_id.hex()}"
