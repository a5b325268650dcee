"""A simulated AMD with SEV, a platform of it and its guest, which attests itself without hardware.

All of it is of no worth outside its process [docs/adr/0005], and is refused unless its root is named as the
anchor: the key id of the root starts with the words that mark a simulated vendor.
"""

from __future__ import annotations

import hashlib
import secrets

from cryptography.hazmat.primitives.asymmetric import ec

from eaa.attester.simulated.amd_keys import SimulatedRsaKey
from eaa.attester.simulated.keys import KeySource
from eaa.attester.simulated.sev_certificates import (
    SevAuthority,
    SevPlatformCertificate,
    SevSigned,
    sign_sev_ecdsa,
)
from eaa.endorsements.roots import SIMULATED_NAME_PREFIX
from eaa.endorsements.sev_ca import SevCaCertificate
from eaa.endorsements.sev_certificate import SevAlgorithm
from eaa.endorsements.sev_endorsements import SevEndorsements
from eaa.errors import UsageError
from eaa.evidence.psp_certificate import KeyUsage
from eaa.evidence.psp_policy import SevGuestPolicy
from eaa.evidence.sev import SEV_SIGNED_BYTES, SevReportBody
from eaa.evidence.sev_evidence import SevEvidence, SevProduct
from eaa.evidence.sev_launch import SevFirmware, launch_measurement

__all__ = ["SimulatedSevGuest", "SimulatedSevPlatform", "SimulatedSevVendor"]

_MNONCE_BYTES = 16
#: n − 1 of P-384 [SEC1 §2.1], of which private keys are 1 … n − 1.
_P384_KEYS = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52972", 16
)


class SimulatedSevVendor:
    """ARK and ASK.

    Args:
        ark, ask: their keys, both RSA-2048 as Naples' or both RSA-4096 as later ones; new ones of 4096 bits,
            which takes some seconds, if not given.
        unsafe_seed: keys of platforms follow from it, so that whoever knows it can sign; another each time
            if not given.
    """

    def __init__(
        self,
        *,
        ark: SimulatedRsaKey | None = None,
        ask: SimulatedRsaKey | None = None,
        unsafe_seed: bytes | None = None,
    ) -> None:
        self.keys = KeySource(secrets.token_bytes(32) if unsafe_seed is None else unsafe_seed)
        marked = SIMULATED_NAME_PREFIX.encode()
        self.ark = SevAuthority(
            key=ark or SimulatedRsaKey.generate(), key_id=marked + b"ARK", usage=KeyUsage.ARK
        )
        self.ask = SevAuthority(
            key=ask or SimulatedRsaKey.generate(),
            key_id=marked + b"ASK",
            usage=KeyUsage.ASK,
            issuer=self.ark,
        )

    @property
    def trust_anchor(self) -> SevCaCertificate:
        """The ARK that a verifier must name to believe it."""
        return self.ark.parsed

    def ec_key(self, label: str) -> ec.EllipticCurvePrivateKey:
        """The P-384 key of ``label``."""
        secret = int.from_bytes(self.keys.data(label, 72)) % _P384_KEYS + 1
        return ec.derive_private_key(secret, ec.SECP384R1())


class SimulatedSevPlatform:
    """One machine of ``vendor``: its chip's key, its owner's, and those that both certified.

    ``name`` tells apart platforms of one vendor: keys follow from it. Keys sign with ``algorithm``.
    """

    def __init__(
        self,
        vendor: SimulatedSevVendor,
        *,
        name: str = "platform",
        algorithm: SevAlgorithm = SevAlgorithm.ECDSA_SHA256,
    ) -> None:
        self.vendor = vendor
        self.name = name
        self.cek = self._certificate(KeyUsage.CEK, algorithm)
        self.oca = self._certificate(KeyUsage.OCA, algorithm)
        self.pek = self._certificate(KeyUsage.PEK, algorithm)
        # SHA-256 and SHA-384 differ in the high byte, signing and agreeing in the low one.
        self.pdh = self._certificate(KeyUsage.PDH, SevAlgorithm(algorithm + 1))
        self.cek.signed_by = [SevSigned(by=vendor.ask)]
        self.oca.signed_by = [SevSigned(by=self.oca)]
        self.pek.signed_by = [SevSigned(by=self.oca), SevSigned(by=self.cek)]
        self.pdh.signed_by = [SevSigned(by=self.pek)]

    def endorsements(self) -> SevEndorsements:
        """What vendor and platform have certified, signed now."""
        vendor = self.vendor
        return SevEndorsements(
            cek=self.cek.raw, pek=self.pek.raw, oca=self.oca.raw, pdh=self.pdh.raw,
            ask=vendor.ask.raw, ark=vendor.ark.raw,
        )  # fmt: skip

    def _certificate(self, usage: KeyUsage, algorithm: SevAlgorithm) -> SevPlatformCertificate:
        key = self.vendor.ec_key(f"{usage.name} of {self.name}")
        return SevPlatformCertificate(key=key, usage=usage, algorithm=algorithm)


class SimulatedSevGuest:
    """A guest on ``platform``, which reports on it when the host asks.

    ``es`` and ``debug`` are in the policy; ``fields`` replaces fields of reports by name, and all but the
    signature are signed as the firmware would; ``report_signing_key`` signs in place of the PEK.
    """

    def __init__(self, platform: SimulatedSevPlatform, *, es: bool = True, debug: bool = False) -> None:
        self.platform = platform
        self.policy = SevGuestPolicy((not debug) | 1 << 1 | es << 2 | 1 << 3)
        self.launch_digest = hashlib.sha256(b"simulated SEV guest").digest()
        self.fields: dict[str, bytes | int] = {}
        self.report_signing_key: ec.EllipticCurvePrivateKey | None = None

    def collect(self, mnonce: bytes) -> bytes:
        """A report with ``mnonce``, exactly 16 bytes; raises UsageError for another length."""
        if len(mnonce) != _MNONCE_BYTES:
            raise UsageError(f"a nonce has {_MNONCE_BYTES} bytes, came {len(mnonce)}", detail="mnonce_length")
        pek = self.platform.pek
        values: dict[str, bytes | int] = {
            "mnonce": mnonce,
            "launch_digest": self.launch_digest,
            "policy": self.policy.value,
            "sig_usage": KeyUsage.PEK,
            "sig_algo": pek.algorithm,
            **self.fields,
        }
        body = SevReportBody.build(**values)
        key = self.report_signing_key or pek.key
        signature = sign_sev_ecdsa(key, pek.algorithm, body.raw[:SEV_SIGNED_BYTES])
        return body.replace(signature_r=signature[:72], signature_s=signature[72:]).raw

    def collect_with_platform(
        self, mnonce: bytes, product: SevProduct | None = SevProduct.ROME
    ) -> SevEvidence:
        """A report with the platform's certificates, as a host hands it over."""
        platform = self.platform
        return SevEvidence(
            self.collect(mnonce), platform.cek.raw, platform.pek.raw, platform.oca.raw, product
        )

    def launch_measure(self, tik: bytes, firmware: SevFirmware, mnonce: bytes) -> bytes:
        """What LAUNCH_MEASURE returns to the host for the owner with ``tik``: HMAC and nonce, 48 bytes."""
        return launch_measurement(tik, firmware, self.policy, self.launch_digest, mnonce) + mnonce

    @property
    def trust_anchor(self) -> SevCaCertificate:
        """The root that a verifier must name to believe it."""
        return self.platform.vendor.trust_anchor
