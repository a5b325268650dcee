"""Path rules of AMD's chains where they differ from :mod:`eaa.verify.path`: signatures and names."""

from __future__ import annotations

from functools import lru_cache

from eaa.endorsements.amd_vek import AMD_ARC
from eaa.endorsements.crl import CertificateRevocationList
from eaa.endorsements.pinned import known_to_be_signed
from eaa.endorsements.roots import SIMULATED_NAME_PREFIX
from eaa.endorsements.x509 import CRL_SIGN, Certificate, common_name
from eaa.errors import ChainError
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_tcb import SnpProduct
from eaa.verify.snp_signatures import RSA_PSS_SHA384, RsaKey, verify_rsa_pss

__all__ = ["amd_name", "issuer_role", "require_amd_crl", "require_amd_issued", "require_vek"]

#: What a CA's key is called, by product and by the kind of key that it certifies [AMD-KDS 2.3].
_ROLES = {f"SEV-{product}": (product, SigningKey.VCEK) for product in SnpProduct} | {
    f"SEV-VLEK-{product}": (product, SigningKey.VLEK) for product in SnpProduct
}
_VEK_NAMES = {SigningKey.VCEK: "SEV-VCEK", SigningKey.VLEK: "SEV-VLEK"}


def amd_name(certificate: Certificate) -> str:
    """The common name as AMD's is: a simulated vendor's without what marks it as such."""
    return _amd_name(certificate.subject)


# The same few names are in all certificates of a vendor.


@lru_cache(maxsize=64)
def _amd_name(subject: bytes) -> str:
    return common_name(subject).removeprefix(f"{SIMULATED_NAME_PREFIX} ")


def issuer_role(ask: Certificate) -> tuple[SnpProduct, SigningKey]:
    """For which product and which kind of key ``ask`` issues certificates, by its name.

    Raises:
        ChainError: it is named neither as an ASK nor as an ASVK.
    """
    role = _ROLES.get(amd_name(ask))
    if role is None:
        raise ChainError(
            f"the ASK is named {ask.common_name!r}, expected one of {', '.join(_ROLES)}", detail="ask_name"
        )
    return role


def require_amd_issued(
    certificate: Certificate, issuer: Certificate, issuer_key: RsaKey, what: str, detail: str
) -> None:
    """Holds if ``issuer`` issued ``certificate``: names, algorithm, signature.

    The signature of what is pinned is known to hold [docs/adr/0017], and is not checked again.
    """
    if certificate.issuer != issuer.subject:
        raise ChainError(
            f"the {what} names {common_name(certificate.issuer)!r} as its issuer, "
            f"the next certificate is {issuer.common_name!r}",
            detail=f"{detail}_issuer",
        )
    _require_rsa_pss(certificate.signature_algorithm, what, detail)
    if not known_to_be_signed(certificate, issuer):
        verify_rsa_pss(issuer_key, certificate.signature, certificate.tbs, what, detail)


def require_amd_crl(crl: CertificateRevocationList, ark: Certificate, key: RsaKey) -> None:
    """Holds if ``ark`` may and did sign ``crl``."""
    if crl.issuer != ark.subject:
        raise ChainError(
            f"the revocation list is issued by {common_name(crl.issuer)!r}, expected {ark.common_name!r}",
            detail="crl_issuer",
        )
    if not ark.key_usage(CRL_SIGN):
        raise ChainError(f"{ark.common_name!r} may not sign revocation lists", detail="crl_key_usage")
    _require_rsa_pss(crl.signature_algorithm, "revocation list", "crl")
    verify_rsa_pss(key, crl.signature, crl.tbs, "revocation list", "crl")


def require_vek(certificate: Certificate, kind: SigningKey) -> None:
    """Holds if ``certificate`` is an end entity that is named as a VEK of ``kind``."""
    for oid, extension in certificate.extensions.items():
        if extension.critical and not oid.startswith(AMD_ARC):
            raise ChainError(
                f"the VEK certificate has the unknown critical extension {oid}",
                detail="vek_critical_extension",
            )
    if certificate.ca:
        raise ChainError("the VEK certificate is a CA", detail="vek_is_ca")
    if amd_name(certificate) != _VEK_NAMES[kind]:
        raise ChainError(
            f"the VEK certificate is named {certificate.common_name!r}, its issuer certifies "
            f"{_VEK_NAMES[kind]}",
            detail="vek_name",
        )


def _require_rsa_pss(algorithm: bytes, what: str, detail: str) -> None:
    if algorithm not in RSA_PSS_SHA384:
        raise ChainError(
            f"the {what} is signed with an algorithm other than RSASSA-PSS with SHA-384",
            detail=f"{detail}_algorithm",
        )
