"""A simulated AMD with SEV for tests: repeatable but for its RSA keys, to be changed.

guest = make_sev_guest("rome-es")
guest.platform.cek.signed_by[0].usage = KeyUsage.PEK
with pytest.raises(ChainError): verify_sev(guest)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Literal

from eaa.attester.simulated.sev_vendor import SimulatedSevGuest, SimulatedSevPlatform, SimulatedSevVendor
from eaa.endorsements.sev_ca import SevCaCertificate
from eaa.endorsements.sev_certificate import SevAlgorithm
from eaa.endorsements.sev_endorsements import SevEndorsements
from eaa.verify.sev import SevMemo, verify_sev_report
from eaa.verify.sev_result import VerifiedSevEvidence
from tests.fakes.amd_vendor import rsa_key
from tests.fakes.vendor import NOW

__all__ = [
    "MNONCE",
    "NOW",
    "SEV_KINDS",
    "SevCase",
    "SevKind",
    "make_sev_guest",
    "make_sev_vendor",
    "sev_case",
    "shared_sev_case",
    "verify_sev",
]

SevKind = Literal["naples", "rome-es", "milan-es-sha384"]
#: Size of AMD's keys, whether SEV-ES, hash of the platform's keys.
SEV_KINDS: tuple[SevKind, ...] = ("naples", "rome-es", "milan-es-sha384")
#: What reports are asked for with unless said otherwise, 16 bytes.
MNONCE = bytes(range(16))


@dataclass(frozen=True, slots=True)
class SevCase:
    """A report with all that verifies it."""

    report: bytes
    endorsements: SevEndorsements
    trust_anchor: SevCaCertificate


def make_sev_vendor(kind: SevKind = "naples", *, name: str = "vendor") -> SimulatedSevVendor:
    """A new vendor with the run's RSA keys; ``name`` tells its platforms from another's."""
    bits = 2048 if kind.startswith("naples") else 4096
    return SimulatedSevVendor(ark=rsa_key("ark", bits), ask=rsa_key("ask", bits), unsafe_seed=name.encode())


def make_sev_guest(kind: SevKind = "naples", **fields: bytes | int) -> SimulatedSevGuest:
    """A guest of ``kind`` on a new platform of a new vendor."""
    algorithm = SevAlgorithm.ECDSA_SHA384 if kind.endswith("sha384") else SevAlgorithm.ECDSA_SHA256
    platform = SimulatedSevPlatform(make_sev_vendor(kind), algorithm=algorithm)
    guest = SimulatedSevGuest(platform, es="-es" in kind)
    guest.fields = fields
    return guest


def sev_case(guest: SimulatedSevGuest, mnonce: bytes = MNONCE) -> SevCase:
    """Report and endorsements of ``guest``, signed now."""
    return SevCase(guest.collect(mnonce), guest.platform.endorsements(), guest.trust_anchor)


@cache
def shared_sev_case(kind: SevKind) -> SevCase:
    """The case of a guest of ``kind`` that nothing was changed in; the same value each time."""
    return sev_case(make_sev_guest(kind))


def verify_sev(
    case: SevCase | SimulatedSevGuest,
    *,
    trust_anchors: Sequence[SevCaCertificate] | None = None,
    mnonce: bytes | None = MNONCE,
    now: datetime = NOW,
    memo: SevMemo | None = None,
) -> VerifiedSevEvidence:
    """``case`` verified from nothing, under its own root unless ``trust_anchors`` says otherwise."""
    if not isinstance(case, SevCase):
        case = sev_case(case)
    return verify_sev_report(
        case.report,
        endorsements=case.endorsements,
        trust_anchors=(case.trust_anchor,) if trust_anchors is None else trust_anchors,
        mnonce=mnonce,
        now=now,
        memo=SevMemo(8) if memo is None else memo,
    )
