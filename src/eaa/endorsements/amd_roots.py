"""AMD's pinned certificates by product, with the SHA-256 of the DER; source: ``roots/amd_README.md``."""

from __future__ import annotations

# The one module that may read package data has the one loader.
from eaa.endorsements.roots import load_pinned
from eaa.endorsements.x509 import Certificate

__all__ = ["AMD_ARKS", "AMD_ISSUERS"]

_ARKS = {
    "amd_ark_milan.pem": "69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd",
    "amd_ark_genoa.pem": "4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1",
    "amd_ark_turin.pem": "1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a",
}
_ISSUERS = {
    "amd_ask_milan.pem": "67d303bd3905fd38db8b20e0793699870e7fa612eaad5dec358293fd8c0bac1b",
    "amd_asvk_milan.pem": "c5e081f59b7efab1fe2f8b505e159704e72f29cab7ef7cf628a05a42439082f5",
    "amd_ask_genoa.pem": "5464738c1546aed5f2cecf1dc98c5c960a92e8913238a61711bc90ec6e828521",
    "amd_asvk_genoa.pem": "197e610743a917d6b9bb982a5a9226ccc0a15b611be0619e626aca9151457372",
    "amd_ask_turin.pem": "5b77ef5fe7a7a004fd9032668fba9d0fda22f88c4442069a479636a6ae3b3185",
    "amd_asvk_turin.pem": "104e10a8bd060a3c20a434261a57d0588fd65a88915b4f65b08bdecaf8df1a3c",
}

#: ARK of Milan, Genoa (with Bergamo and Siena) and Turin: the trust anchors.
AMD_ARKS: tuple[Certificate, ...] = tuple(load_pinned(name, sha256) for name, sha256 in _ARKS.items())
#: ASK and ASVK of the same products. They vouch for nothing by themselves.
AMD_ISSUERS: tuple[Certificate, ...] = tuple(load_pinned(name, sha256) for name, sha256 in _ISSUERS.items())
