"""A minimum TCB as owners write it: ``Milan:snp=29,microcode=219``."""

from __future__ import annotations

from eaa.errors import UsageError
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion

__all__ = ["parse_minimum_tcb"]

_PARTS = ("fmc", "bootloader", "tee", "snp", "microcode")
_PRODUCTS = {str(product).lower(): product for product in SnpProduct}
_MAX_LEVEL = 0xFF


def parse_minimum_tcb(text: str) -> tuple[SnpProduct, TcbVersion]:
    """A product in any case, and the least level, 0 to 255, of some parts; that of the others is 0.

    Raises:
        UsageError: ``policy_minimum_tcb``, it says what was expected.
    """
    name, _, levels = text.partition(":")
    product = _PRODUCTS.get(name.strip().lower())
    if product is None:
        raise _error(f"{name!r:.40} is not one of {', '.join(SnpProduct)}")
    found: dict[str, int] = {}
    known = _PARTS if product.has_fmc else _PARTS[1:]
    for item in levels.split(","):
        part, _, level = (word.strip() for word in item.partition("="))
        if part not in known:
            raise _error(f"{item!r:.40}: expected PART=N, of {', '.join(known)}")
        if part in found:
            raise _error(f"{item!r:.40}: there is a level of {part} already")
        if not (level.isascii() and level.isdigit() and len(level) <= len(str(_MAX_LEVEL))):
            raise _out_of_range(item)
        found[part] = int(level)
        if found[part] > _MAX_LEVEL:
            raise _out_of_range(item)
    return product, TcbVersion(**dict.fromkeys(known, 0) | found)


def _out_of_range(item: str) -> UsageError:
    return _error(f"{item!r:.40}: expected a level from 0 to {_MAX_LEVEL}")


def _error(message: str) -> UsageError:
    return UsageError(message, detail="policy_minimum_tcb", field="minimum_tcb")
