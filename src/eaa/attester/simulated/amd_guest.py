"""A simulated SNP platform and the guest on it, which attests itself without hardware."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from eaa.attester.device import require_report_data
from eaa.attester.simulated.amd_certificates import AmdVekCertificate
from eaa.attester.simulated.amd_vendor import SimulatedAmdVendor
from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.endorsements.roots import SIMULATED_NAME_PREFIX
from eaa.endorsements.x509 import Certificate
from eaa.evidence.snp import SNP_SIGNED_BYTES, SnpReportBody
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_certificates import GUIDS, TableEntry, TableName
from eaa.evidence.snp_evidence import SnpEvidence
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion

__all__ = ["SimulatedSnpGuest", "SimulatedSnpPlatform"]

_P384_KEYS = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52972", 16
)
_CPUID = {
    SnpProduct.MILAN: (0x19, 0x01, 1),
    SnpProduct.GENOA: (0x19, 0x11, 1),
    SnpProduct.TURIN: (0x1A, 2, 1),
}
_PRODUCT_NAMES = {SnpProduct.MILAN: "Milan-B0", SnpProduct.GENOA: "Genoa", SnpProduct.TURIN: "Turin"}
_TCBS = {
    SnpProduct.MILAN: TcbVersion(bootloader=4, tee=0, snp=29, microcode=222),
    SnpProduct.GENOA: TcbVersion(bootloader=10, tee=0, snp=27, microcode=86),
    SnpProduct.TURIN: TcbVersion(fmc=1, bootloader=3, tee=2, snp=5, microcode=97),
}
_FIRMWARE = {"build": 3, "minor": 58, "major": 1}


class SimulatedSnpPlatform:
    """One machine of the vendor, with all firmware committed unless changed.

    Args:
        vendor: who made its processor.
        name: tells apart platforms of one vendor: keys and identifiers follow from it.
        tcb: what it runs; ``None`` for a recent one of the product.

    ``vcek`` and ``vlek`` are the certificates of its two keys; ``tcb`` is reported, committed, current and
    launch TCB of reports made from now on.
    """

    def __init__(
        self, vendor: SimulatedAmdVendor, *, name: str = "platform", tcb: TcbVersion | None = None
    ) -> None:
        self.vendor = vendor
        self.name = name
        self.tcb = _TCBS[vendor.product] if tcb is None else tcb
        hwid = vendor.keys.data(f"HWID of {name}", 8 if vendor.product.has_fmc else 64)
        self.vcek = self._vek(SigningKey.VCEK, hwid=hwid, csp_id=None)
        self.vlek = self._vek(SigningKey.VLEK, hwid=None, csp_id="CN=cloud.invalid")

    @property
    def chip_id(self) -> bytes:
        """As reports have it, 64 bytes."""
        return (self.vcek.hwid or b"").ljust(64, b"\x00")

    def vek(self, kind: SigningKey) -> AmdVekCertificate:
        """The certificate of the key of ``kind``; a report that nobody signs has the VCEK's."""
        return self.vlek if kind is SigningKey.VLEK else self.vcek

    def endorsements(self, kind: SigningKey = SigningKey.VCEK) -> SnpEndorsements:
        """What the vendor vouches for, for a report signed with ``kind``; signed now."""
        vendor = self.vendor
        vek = self.vek(kind)
        return SnpEndorsements(vek.der, vek.issuer.der, vendor.ark.der, vendor.crl.der)

    def use_tcb(self, tcb: TcbVersion) -> None:
        """The platform runs ``tcb`` from now on, and its certificates say so."""
        self.tcb = self.vcek.tcb = self.vlek.tcb = tcb

    def _vek(self, kind: SigningKey, *, hwid: bytes | None, csp_id: str | None) -> AmdVekCertificate:
        vendor, product = self.vendor, self.vendor.product
        secret = int.from_bytes(vendor.keys.data(f"{kind.name} of {self.name}", 72)) % _P384_KEYS + 1
        return AmdVekCertificate(
            common_name=f"{SIMULATED_NAME_PREFIX} SEV-{kind.name}",
            serial=0,
            not_before=vendor.now - timedelta(days=365),
            not_after=vendor.now + timedelta(days=6 * 365),
            key=ec.derive_private_key(secret, ec.SECP384R1()),
            issuer=vendor.asvk if kind is SigningKey.VLEK else vendor.ask,
            product_name=_PRODUCT_NAMES[product] if kind is SigningKey.VCEK else str(product),
            product=product,
            tcb=self.tcb,
            hwid=hwid,
            csp_id=csp_id,
        )


class SimulatedSnpGuest:
    """A guest. ``fields`` are what its reports say otherwise than usual and may be changed.

    Args:
        platform: where it runs.
        version: of its reports, 2 to 5.
        signing_key: which key of the platform signs them.
        debug: whether the host can read and change it.
        fields: by the name in the report, e.g. ``measurement`` or ``host_data``.
    """

    tee = "snp"
    #: Signs in place of the platform's key, if given.
    report_signing_key: ec.EllipticCurvePrivateKey | None = None

    def __init__(
        self,
        platform: SimulatedSnpPlatform,
        *,
        version: int = 5,
        signing_key: SigningKey = SigningKey.VCEK,
        debug: bool = False,
        **fields: bytes | int,
    ) -> None:
        self.platform = platform
        self.version = version
        self.signing_key = signing_key
        self.debug = debug
        self.fields: dict[str, bytes | int] = dict(fields)

    def collect(self, report_data: bytes) -> bytes:
        """A report with ``report_data``, exactly 64 bytes.

        Raises:
            UsageError: another length.
        """
        require_report_data(report_data)
        body = SnpReportBody.build(**{**self._fields(), "report_data": report_data, **self.fields})
        signed = body.raw[:SNP_SIGNED_BYTES]
        key = self.report_signing_key or self.platform.vek(self.signing_key).key
        r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(SHA384(), deterministic_signing=True)))
        return body.replace(signature_r=r.to_bytes(72, "little"), signature_s=s.to_bytes(72, "little")).raw

    def collect_extended(self, report_data: bytes) -> SnpEvidence:
        """A report with the certificates that its host hands over with it, as an extended request gets it."""
        given = self.endorsements()
        name = TableName.VLEK if self.signing_key is SigningKey.VLEK else TableName.VCEK
        parts = ((TableName.ARK, given.ark), (TableName.ASK, given.ask), (name, given.vek))
        entries = tuple([TableEntry(GUIDS[part], der) for part, der in parts if der is not None])
        return SnpEvidence(self.collect(report_data), entries)

    def endorsements(self) -> SnpEndorsements:
        """What its platform's vendor vouches for, signed now."""
        return self.platform.endorsements(self.signing_key)

    @property
    def trust_anchor(self) -> Certificate:
        """The root that a verifier must name to believe it."""
        return self.platform.vendor.trust_anchor

    def _fields(self) -> Mapping[str, bytes | int]:
        platform = self.platform
        tcb = platform.tcb.encode()
        family, model, stepping = _CPUID[platform.vendor.product]
        later: dict[str, bytes | int] = {}
        if self.version > 2:
            later |= {"cpuid_family": family, "cpuid_model": model, "cpuid_stepping": stepping}
        if self.version > 4:
            later |= {"launch_mit_vector": 1, "current_mit_vector": 1}
        firmware = {f"{n}_{part}": v for n in ("current", "committed") for part, v in _FIRMWARE.items()}
        return {
            "version": self.version,
            "policy": 1 << 17 | 1 << 16 | self.debug << 19,
            "signature_algo": 1,
            "platform_info": 0x25,  # SMT, ECC, alias check complete
            "key_info": self.signing_key << 2,
            "measurement": hashlib.sha384(b"simulated SNP guest").digest(),
            "report_id": platform.vendor.keys.data(f"report id on {platform.name}", 32),
            "report_id_ma": b"\xff" * 32,
            "chip_id": platform.chip_id,
            **{f"{name}_tcb": tcb for name in ("reported", "committed", "current", "launch")},
            **firmware,
            **later,
        }
