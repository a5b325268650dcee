"""What AMD's KDS [AMD-KDS 4] and Hygon's service answer to GET."""

from __future__ import annotations

from collections.abc import Mapping

from eaa.endorsements.subject import (
    AmdChainSubject,
    AmdCrlSubject,
    HygonChainSubject,
    Subject,
    VekSubject,
)
from eaa.errors import EndorsementNotFound, FormatError, UsageError
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion
from eaa.services.pccs.answers import Answer
from eaa.services.pccs.call import Call, require_hexadecimal
from eaa.services.pccs.config import Mode
from eaa.services.pccs.endpoints_intel import Endpoint
from eaa.services.pccs.stock import Stock

__all__ = ["VendorEndpoints"]

_DER, _PEM = "application/octet-stream", "application/x-pem-file"
_LEVELS = ("blspl", "teespl", "snpspl", "ucodespl")
_MAX_DIGITS = 4


class VendorEndpoints:
    """By the paths of the vendors."""

    def __init__(self, stock: Stock, mode: Mode) -> None:
        self._stock, self._lazy = stock, mode is Mode.LAZY

    def routes(self) -> Mapping[str, Endpoint]:
        """With their path parameters in braces."""
        return {
            "/vcek/v1/{product}/cert_chain": self._chain(SigningKey.VCEK),
            "/vlek/v1/{product}/cert_chain": self._chain(SigningKey.VLEK),
            "/vcek/v1/{product}/crl": self._crl,
            "/vlek/v1/{product}/crl": self._crl,
            "/vcek/v1/{product}/{hwid}": self._vcek,
            "/hsk_cek": self._hsk_cek,
        }

    def _chain(self, kind: SigningKey) -> Endpoint:
        async def endpoint(call: Call) -> Answer:
            document = await self._stock.document(AmdChainSubject(_product(call), kind), may_fetch=self._lazy)
            return Answer(200, (("Content-Type", _PEM),), document.chain.encode(), document.expires_at)

        return endpoint

    async def _crl(self, call: Call) -> Answer:
        return await self._der(AmdCrlSubject(_product(call)))

    async def _vcek(self, call: Call) -> Answer:
        product = _product(call)
        hwid = require_hexadecimal(call.path["hwid"], "hwid", 16 if product.has_fmc else 128)
        names = ("fmcspl", *_LEVELS) if product.has_fmc else _LEVELS
        levels = {name: _level(call, name) for name in names}
        tcb = TcbVersion(
            levels["blspl"], levels["teespl"], levels["snpspl"], levels["ucodespl"], levels.get("fmcspl")
        )
        return await self._der(VekSubject(product, tcb, bytes.fromhex(hwid)))

    async def _hsk_cek(self, call: Call) -> Answer:
        try:
            subject = HygonChainSubject(call.query.get("snumber", ""))
        except UsageError as error:
            raise FormatError(str(error), what="request", field="snumber", detail="parameter") from None
        return await self._der(subject)

    async def _der(self, subject: Subject) -> Answer:
        document = await self._stock.document(subject, may_fetch=self._lazy)
        return Answer(200, (("Content-Type", _DER),), document.body, document.expires_at)


def _product(call: Call) -> SnpProduct:
    try:
        return SnpProduct(call.path["product"])
    except ValueError:
        raise EndorsementNotFound(
            f"AMD has no product {call.path['product']!a:.40} here, but {', '.join(SnpProduct)}",
            detail="product",
        ) from None


def _level(call: Call, name: str) -> int:
    text = call.query.get(name, "")
    if not text.isascii() or not text.isdecimal() or len(text) > _MAX_DIGITS or int(text) > 0xFF:
        raise FormatError(
            f"expected a patch level from 0 to 255, came {text!a:.40}", what="request", field=name,
            spec="[AMD-KDS 4]", detail="parameter",
        )  # fmt: skip
    return int(text)
