"""What differs between the TEEs that DCAP quotes speak for."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import Protocol

from eaa.evidence.dcap_quote import DcapQuote
from eaa.verify import sgx, tdx
from eaa.verify.state import VerifiedCollateral, VerifiedPlatform
from eaa.verify.tcb import TcbEvaluation

__all__ = ["DCAP_TEES", "DcapTee"]


class DcapTee(Protocol):
    """One of them; a module each."""

    @property
    def QE_ID(self) -> str: ...  # noqa: N802 - a constant of the TEE's module

    def evaluation_key(self, quote: DcapQuote, /) -> Hashable: ...

    def evaluate(
        self, quote: DcapQuote, collateral: VerifiedCollateral, platform: VerifiedPlatform, /
    ) -> TcbEvaluation: ...

    def config_id(self, quote: DcapQuote, /) -> bytes: ...


DCAP_TEES: Mapping[str, DcapTee] = MappingProxyType({"sgx": sgx, "tdx": tdx})
