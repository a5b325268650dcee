"""A simulated AMD for tests: repeatable but for its RSA keys, valid around :data:`NOW`, to be changed.

    guest = make_snp_guest("milan-v5")
    guest.platform.vcek.tcb = TcbVersion(…)
    with pytest.raises(EndorsementError): verify_snp(guest)

RSA keys take seconds to make: each is made once for the whole run, when it is first needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Literal

from eaa.attester.simulated.amd_guest import SimulatedSnpGuest, SimulatedSnpPlatform
from eaa.attester.simulated.amd_keys import AmdKeys, SimulatedRsaKey
from eaa.attester.simulated.amd_vendor import SimulatedAmdVendor
from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.endorsements.x509 import Certificate
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_tcb import SnpProduct
from eaa.verify.result import Binding
from eaa.verify.snp import SnpMemo, verify_report
from eaa.verify.snp_result import VerifiedSnpEvidence
from tests.fakes.vendor import BOUND, NOW, REPORT_DATA

__all__ = [
    "NOW",
    "REPORT_DATA",
    "SNP_KINDS",
    "SnpCase",
    "SnpKind",
    "make_amd_vendor",
    "make_snp_guest",
    "make_snp_platform",
    "rsa_key",
    "shared_snp_case",
    "snp_case",
    "verify_snp",
]

SnpKind = Literal[
    "milan-v2", "turin-v2", "milan-v3", "genoa-v4", "milan-v5", "genoa-v5", "turin-v5", "milan-vlek-v3"
]  # fmt: skip

#: Product and version of the report, signed with the VCEK unless ``vlek``.
SNP_KINDS: tuple[SnpKind, ...] = (
    "milan-v2", "turin-v2", "milan-v3", "genoa-v4", "milan-v5", "genoa-v5", "turin-v5", "milan-vlek-v3",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SnpCase:
    """A report with all that verifies it."""

    report: bytes
    endorsements: SnpEndorsements
    trust_anchor: Certificate


@cache
def rsa_key(name: str, bits: int = 4096) -> SimulatedRsaKey:
    """The key of ``name``, the same for the whole run."""
    return SimulatedRsaKey.generate(bits)


def make_amd_vendor(product: SnpProduct = SnpProduct.MILAN, *, name: str = "vendor") -> SimulatedAmdVendor:
    """A new vendor with the run's RSA keys; ``name`` tells its chips from another's."""
    keys = AmdKeys(rsa_key("ark"), rsa_key("ask"), rsa_key("asvk"))
    return SimulatedAmdVendor(now=NOW, product=product, keys=keys, unsafe_seed=name.encode())


def make_snp_platform(
    product: SnpProduct = SnpProduct.MILAN,
    *,
    name: str = "platform",
    vendor: SimulatedAmdVendor | None = None,
) -> SimulatedSnpPlatform:
    """A platform of ``vendor``, or of a new one of ``product``."""
    return SimulatedSnpPlatform(vendor or make_amd_vendor(product), name=name)


def make_snp_guest(kind: SnpKind = "milan-v5", **fields: bytes | int) -> SimulatedSnpGuest:
    """A guest whose reports are of ``kind``, on a new platform of a new vendor."""
    product, *middle, version = kind.split("-")
    guest = SimulatedSnpGuest(
        make_snp_platform(SnpProduct(product.capitalize())),
        version=int(version[1:]),
        signing_key=SigningKey.VLEK if middle else SigningKey.VCEK,
    )
    guest.fields = fields
    return guest


def snp_case(guest: SimulatedSnpGuest, report_data: bytes = REPORT_DATA) -> SnpCase:
    """Report and endorsements of ``guest``, signed now."""
    return SnpCase(guest.collect(report_data), guest.endorsements(), guest.trust_anchor)


@cache
def shared_snp_case(kind: SnpKind) -> SnpCase:
    """The case of a guest of ``kind`` that nothing was changed in; the same value each time."""
    return snp_case(make_snp_guest(kind))


def verify_snp(
    case: SnpCase | SimulatedSnpGuest,
    *,
    allow_missing_crl: bool = False,
    trust_anchors: Sequence[Certificate] | None = None,
    binding: Binding = BOUND,
    now: datetime = NOW,
    memo: SnpMemo | None = None,
) -> VerifiedSnpEvidence:
    """``case`` verified from nothing, under its own root unless ``trust_anchors`` says otherwise."""
    if not isinstance(case, SnpCase):
        case = snp_case(case)
    return verify_report(
        case.report,
        endorsements=case.endorsements,
        trust_anchors=(case.trust_anchor,) if trust_anchors is None else trust_anchors,
        binding=binding,
        now=now,
        memo=SnpMemo(8) if memo is None else memo,
        allow_missing_crl=allow_missing_crl,
    )
