"""Known answers: signatures that must verify, and altered ones that must not."""

from __future__ import annotations

from eaa.endorsements.hygon_roots import HYGON_HRKS
from eaa.endorsements.pinned import SIGNED
from eaa.endorsements.sev_endorsements import SevEndorsements
from eaa.endorsements.sev_roots import AMD_SEV_ARKS, AMD_SEV_ASKS
from eaa.errors import InternalError, SignatureError
from eaa.verify.ecdsa import CRYPTOGRAPHY
from eaa.verify.primitives import verify_p256, verify_p256_raw
from eaa.verify.sev_chain import verify_sev_authorities
from eaa.verify.sm2 import sm2_key, verify_sm2
from eaa.verify.snp_signatures import kept_rsa_key, verify_p384_report, verify_rsa_pss

__all__ = [
    "known_hygon_root",
    "known_issuers",
    "known_report_signature",
    "known_sev_issuers",
    "known_signature",
]

#: The key and the second signature example of RFC 6979, appendix A.2.5: P-256 with SHA-256, message "test".
_POINT = bytes.fromhex(
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
_SIGNATURE = bytes.fromhex(
    "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
    "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083"
)
#: The key and the signature with SHA-384 of message "test" of RFC 6979, appendix A.2.6: P-384.
_P384_KEY = bytes.fromhex(
    "3076301006072a8648ce3d020106052b8104002203620004"
    "ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13"
    "8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720"
)
_P384_SIGNATURE = (
    0x8203B63D3C853E8D77227FB377BCF7B7B772E97892A80F36AB775D509D7A5FEB0542A7F0812998DA8F1DD3CA3CF023DB,
    0xDDD0760448D42D8A43AF45AF836FCE4DE8BE06B485E9B61B827C2F13173923E06A739F040649A667BF3B828246BAA5A5,
)


def known_signature() -> str:
    """P-256, as DCAP signs; what was shown. Raises SignatureError, InternalError."""
    key = CRYPTOGRAPHY.p256(_POINT)
    verify_p256_raw(key, _SIGNATURE, b"test", "known signature", "self_test")
    try:
        verify_p256_raw(key, _SIGNATURE, b"tesu", "known signature", "self_test")
    except SignatureError:
        return "a known P-256 signature verifies, an altered message does not"
    raise InternalError("a signature over another message verified", detail="self_test")


def known_report_signature() -> str:
    """As the firmware signs reports: the numbers little-endian, in 72 bytes each."""
    key = CRYPTOGRAPHY.p384(_P384_KEY)
    r, s = (number.to_bytes(72, "little") for number in _P384_SIGNATURE)
    verify_p384_report(key, r, s, b"test")
    try:
        verify_p384_report(key, r, s, b"tesu")
    except SignatureError:
        return "a known P-384 signature verifies, an altered message does not"
    raise InternalError("a signature over another message verified", detail="self_test")


def known_issuers() -> str:
    """On the certificates that are kept here: signatures that no verification checks again."""
    for issuer, root in SIGNED:
        signature, signed, name = issuer.signature, issuer.tbs, issuer.common_name
        if root.public_point is not None:
            verify_p256(CRYPTOGRAPHY.p256(root.public_point), signature, signed, name, "self_test")
        else:
            verify_rsa_pss(kept_rsa_key(root.spki), signature, signed, name, "self_test")
    kept = len({issuer.der for issuer, _ in SIGNED})
    return f"{kept} kept certificates of Intel's and AMD's issuers verify under their roots"


def known_sev_issuers() -> str:
    """RSASSA-PSS little-endian, on the certificates of AMD's in SEV's format that are kept here."""
    for product, ask in AMD_SEV_ASKS.items():
        ark = AMD_SEV_ARKS[product]
        verify_sev_authorities(SevEndorsements(ask=ask.raw, ark=ark.raw), (ark,))
    return f"offline, endorsements from files; {len(AMD_SEV_ASKS)} kept ASKs verify under their ARKs"


def known_hygon_root() -> str:
    """SM2, on Hygon's root, which signed itself. Raises SignatureError, ConfigError."""
    (hrk,) = HYGON_HRKS
    key = sm2_key(hrk.key.x, hrk.key.y, hrk.key.user_id)
    verify_sm2(key, hrk.signature, hrk.signed, "HRK", "self_test")
    return "offline, endorsements from files; the kept HRK verifies with SM2"
