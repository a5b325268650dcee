"""The table of verification schemes, one per TEE."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import Protocol

from eaa.evidence.dcap_quote import DcapQuote
from eaa.verify import sgx, tdx
from eaa.verify.state import VerifiedCollateral, VerifiedPlatform
from eaa.verify.tcb import TcbEvaluation

__all__ = ["SCHEMES", "Scheme"]


class Scheme(Protocol):
    """What differs between the TEEs that DCAP quotes speak for."""

    @property
    def QE_ID(self) -> str: ...  # noqa: N802 - a constant of the scheme's module

    def evaluation_key(self, quote: DcapQuote, /) -> Hashable: ...

    def evaluate(
        self, quote: DcapQuote, collateral: VerifiedCollateral, platform: VerifiedPlatform, /
    ) -> TcbEvaluation: ...

    def config_id(self, quote: DcapQuote, /) -> bytes: ...


SCHEMES: Mapping[str, Scheme] = MappingProxyType({"sgx": sgx, "tdx": tdx})
