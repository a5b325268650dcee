"""What is verified: a real SGX and a real TDX quote if the vectors are there, else simulated ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dcap_qvl  # type: ignore[import-untyped]  # it ships no types

from eaa.attester.simulated import (
    SimulatedPlatform,
    SimulatedSgxEnclave,
    SimulatedTdxGuest,
    SimulatedVendor,
    dcap_qvl_json,
)
from eaa.endorsements.bundle_json import parse_dcap_qvl
from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.endorsements.x509 import Certificate
from eaa.verify.dcap import Memo, verify_quote
from eaa.verify.dcap_result import VerifiedDcapEvidence
from eaa.verify.ecdsa import CRYPTOGRAPHY, EcdsaLibrary
from eaa.verify.result import Binding
from tests.vectors.manifest import VECTORS, quote_vector

__all__ = ["Subject", "new_platforms", "subjects"]

_REAL = {"SGX v3": "sgx/dcap-qvl-sgx_quote-f8b81014", "TDX v4": "tdx/dcap-qvl-tdx_quote-f1c85033"}
_COLLATERAL = "collateral-1.json"
_NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Subject:
    """A quote, its collateral in dcap-qvl's JSON, and when and against what to verify it."""

    name: str
    quote: bytes
    collateral: bytes
    now: datetime
    anchors: tuple[Certificate, ...]
    root: bytes | None  # DER, where dcap-qvl needs to be told

    def read(self) -> IntelCollateral:
        """The collateral, read as :func:`eaa.verify` reads the bytes of such a file."""
        collateral = parse_dcap_qvl(self.collateral)
        assert collateral is not None
        return collateral

    def verify(
        self, collateral: IntelCollateral, memo: Memo, ecdsa: EcdsaLibrary = CRYPTOGRAPHY
    ) -> VerifiedDcapEvidence:
        return verify_quote(
            self.quote,
            collateral=collateral,
            trust_anchors=self.anchors,
            binding=Binding(),
            now=self.now,
            memo=memo,
            ecdsa=ecdsa,
        )

    def verify_cold(
        self, collateral: IntelCollateral | None = None, ecdsa: EcdsaLibrary = CRYPTOGRAPHY
    ) -> VerifiedDcapEvidence:
        """With nothing remembered; without ``collateral`` from the bytes of it too."""
        return self.verify(collateral or self.read(), Memo(1), ecdsa)

    def peer_read(self) -> dcap_qvl.QuoteCollateralV3:
        return dcap_qvl.QuoteCollateralV3.from_json(self.collateral.decode())

    def peer_verify(self, collateral: dcap_qvl.QuoteCollateralV3) -> object:
        seconds = int(self.now.timestamp())
        if self.root is None:
            return dcap_qvl.verify(self.quote, collateral, seconds)
        return dcap_qvl.verify_with_root_ca(self.quote, collateral, self.root, seconds)

    def peer_verify_cold(self) -> object:
        return self.peer_verify(self.peer_read())


def subjects() -> Sequence[Subject]:
    if not VECTORS.is_dir():
        platform = SimulatedPlatform(SimulatedVendor(now=_NOW))
        attesters = (SimulatedSgxEnclave(platform), SimulatedTdxGuest(platform))
        return [_simulated(f"simulated {item.tee.upper()}", item) for item in attesters]
    found = []
    for name, identifier in _REAL.items():
        vector = quote_vector(identifier)
        text, now = vector.collateral_text(_COLLATERAL).encode(), dict(vector.times)[_COLLATERAL]
        found.append(Subject(name, vector.quote, text, now, INTEL_SGX_ROOTS, None))
    return found


def new_platforms(count: int) -> Sequence[Subject]:
    """Quotes of ``count`` platforms under one PCK CA and one collateral."""
    vendor = SimulatedVendor(now=_NOW)
    platforms = [SimulatedPlatform(vendor, name=f"platform {n}") for n in range(count)]
    first = _simulated("simulated TDX v4", SimulatedTdxGuest(platforms[0]))
    return [first] + [
        Subject(
            first.name,
            SimulatedTdxGuest(platform).collect(bytes(64)),
            first.collateral,
            _NOW,
            first.anchors,
            first.root,
        )
        for platform in platforms[1:]
    ]


def _simulated(name: str, attester: SimulatedSgxEnclave | SimulatedTdxGuest) -> Subject:
    return Subject(
        name,
        attester.collect(bytes(64)),
        dcap_qvl_json(attester.endorsements()),
        _NOW,
        (attester.trust_anchor,),
        attester.trust_anchor.der,
    )
