"""Reference values [RFC9334 §8.3]: which code and configuration an owner accepts.

Written by hand or by a build, as strict JSON. Per TEE a list of alternatives, any one of which may
hold; in an alternative every field must hold; a field is one accepted value or a list of them::

    {
      "version": 1,
      "sgx": [
        {"mr_enclave": "<64 hex digits>"},
        {"mr_signer": "<64 hex digits>", "isv_prod_id": 1, "min_isv_svn": 2,
         "attributes": {"value": "0500…00", "mask": "ffff…00"}}
      ],
      "tdx": [
        {"mr_td": "<96 hex digits>", "rt_mr1": "…", "rt_mr2": ["…", "…"],
         "td_attributes": "0000001000000000"}
      ],
      "snp": [
        {"measurement": "<96 hex digits>", "host_data": "<64 hex digits>",
         "policy": {"value": "0000000000000000", "mask": "0000080000000000"}}
      ],
      "sev": [{"launch_digest": "<64 hex digits>", "policy": "0f000130"}],
      "csv": [{"measure": "<64 hex digits>", "cek_sha256": "<64 hex digits>"}]
    }

Names, hex digits and numbers are those that ``shelter inspect`` prints, bytes in the order of the
report. ``attributes`` (16 bytes, FLAGS ‖ XFRM), ``xfrm``, ``td_attributes``, ``xfam``, ``policy`` and
``platform_info`` (8 bytes each, of SEV and CSV 4) take a mask: only the bits set in it are compared. An
alternative must say which code it is: for SGX ``mr_enclave``, or ``mr_signer`` with ``isv_prod_id`` and
``min_isv_svn``; for TDX ``mr_td``; for SNP ``measurement``, or one of ``id_key_digest`` and
``author_key_digest``, not zero, with ``image_id`` and ``min_guest_svn``; for SEV ``launch_digest``; for CSV
``measure``.
The fields are listed in :mod:`eaa.appraisal.reference_fields`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eaa.appraisal.reference_fields import FIELDS, KEY_DIGESTS, Field, identity_gap
from eaa.codec.strict_json import parse_json
from eaa.codec.text import decode_hex
from eaa.errors import FormatError, UsageError

__all__ = ["Alternative", "Pattern", "Pin", "ReferenceValues", "parse_reference_values"]

_WHAT = "reference values"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Pattern:
    """Bytes of which those bits are compared that are set in ``mask``, which has the same length."""

    value: bytes
    mask: bytes

    def matches(self, came: bytes) -> bool:
        return len(came) == len(self.value) and all(
            (byte ^ wanted) & mask == 0
            for byte, wanted, mask in zip(came, self.value, self.mask, strict=True)
        )

    def __str__(self) -> str:
        return self.value.hex() if self._whole else f"{self.value.hex()} under mask {self.mask.hex()}"

    @property
    def _whole(self) -> bool:
        return all(byte == 0xFF for byte in self.mask)

    def to_json(self) -> Any:
        return self.value.hex() if self._whole else {"value": self.value.hex(), "mask": self.mask.hex()}


@dataclass(frozen=True, slots=True)
class Pin:
    """One field and the values accepted for it; for ``min_…`` the one number that is the least."""

    name: str
    accepted: tuple[Pattern, ...] | tuple[int, ...]

    @property
    def identifies(self) -> bool:
        """Whether it can say which code it is: a key digest of zeros means that there was no such key."""
        return self.name not in KEY_DIGESTS or not any(
            isinstance(item, Pattern) and not any(item.value) for item in self.accepted
        )

    def matches(self, came: bytes | int | None) -> bool:
        if isinstance(came, bytes):
            return bool(self.matching(came))
        if self.name.startswith("min_"):
            return isinstance(came, int) and came >= min(n for n in self.accepted if isinstance(n, int))
        return came in self.accepted

    def matching(self, came: bytes) -> tuple[Pattern, ...]:
        """The patterns that ``came`` matches."""
        return tuple(item for item in self.accepted if isinstance(item, Pattern) and item.matches(came))

    def __str__(self) -> str:
        least = "at least " if self.name.startswith("min_") else ""
        return least + " or ".join(str(item) for item in self.accepted)

    def to_json(self) -> Any:
        values = [item.to_json() if isinstance(item, Pattern) else item for item in self.accepted]
        return values[0] if len(values) == 1 else values


@dataclass(frozen=True, slots=True)
class Alternative:
    """Fields that must all hold; they pin the code's identity.

    Raises:
        UsageError: they do not.
    """

    tee: str
    pins: tuple[Pin, ...]

    def __post_init__(self) -> None:
        if gap := identity_gap(self.tee, [pin.name for pin in self.pins if pin.identifies]):
            raise UsageError(f"the alternative does not pin the code: it needs {gap}", detail="no_identity")

    def pin(self, name: str) -> Pin | None:
        return next((pin for pin in self.pins if pin.name == name), None)


@dataclass(frozen=True, slots=True)
class ReferenceValues:
    """The alternatives of each TEE. Immutable; :func:`parse_reference_values` reads them from JSON."""

    alternatives: tuple[Alternative, ...]

    def of(self, tee: str) -> tuple[Alternative, ...]:
        """The alternatives for ``tee``, in the order in which they were written; perhaps none."""
        return tuple(item for item in self.alternatives if item.tee == tee)

    def encode(self) -> bytes:
        """JSON that parses to these values, indented, keys in the order of the report."""
        document: dict[str, Any] = {"version": _VERSION}
        for item in self.alternatives:
            document.setdefault(item.tee, []).append({pin.name: pin.to_json() for pin in item.pins})
        return json.dumps(document, indent=2).encode() + b"\n"


def parse_reference_values(data: bytes) -> ReferenceValues:
    """The reference values in ``data``, at most 16 MiB of JSON as in the module's docstring.

    Raises:
        FormatError: names the field, e.g. ``tdx[0].rt_mr1[2]``: not strict JSON, an unknown key or
            version, a value of another type or length, or an alternative that does not pin the code.
    """
    document = _object(parse_json(data, _WHAT), "document")
    version = document.pop("version", None)
    if type(version) is not int or version != _VERSION:
        raise _error("version", f"expected {_VERSION}, came {_shown(version)}")
    for name in document:
        if name not in FIELDS:
            raise _error(f"{name:.40}", f"unknown key, expected one of {', '.join(FIELDS)}", "unknown_key")
    alternatives = tuple(item for tee in FIELDS if tee in document for item in _of_tee(tee, document[tee]))
    if not alternatives:
        raise _error("document", "no reference value for any TEE", "missing")
    return ReferenceValues(alternatives)


def _of_tee(tee: str, value: Any) -> Iterator[Alternative]:
    if not isinstance(value, list) or not value:
        raise _error(tee, "expected a list of at least one alternative")
    for number, item in enumerate(value):
        yield _alternative(tee, item, f"{tee}[{number}]")


def _alternative(tee: str, value: Any, path: str) -> Alternative:
    members = _object(value, path)
    for name in members:
        if name not in FIELDS[tee]:
            known = ", ".join(FIELDS[tee])
            raise _error(f"{path}.{name:.40}", f"unknown key, expected one of {known}", "unknown_key")
    if gap := identity_gap(tee, members):
        raise _no_identity(path, gap)
    # In the report's order, so that outcomes and encoding do not depend on the order in the file.
    pins = [_pin(name, field, members[name], path) for name, field in FIELDS[tee].items() if name in members]
    if gap := identity_gap(tee, [pin.name for pin in pins if pin.identifies]):
        raise _no_identity(path, f"{gap}, and no digest of zeros")
    return Alternative(tee, tuple(pins))


def _pin(name: str, field: Field, value: Any, path: str) -> Pin:
    path = f"{path}.{name}"
    if not isinstance(value, list):
        items = [(path, value)]
    elif field.minimum_only or not value:
        raise _error(path, "expected one number" if field.minimum_only else "an empty list matches nothing")
    else:
        items = [(f"{path}[{number}]", item) for number, item in enumerate(value)]
    if field.length:
        return Pin(name, tuple(_pattern(field, item, at) for at, item in items))
    return Pin(name, tuple(_number(field, item, at) for at, item in items))


def _number(field: Field, value: Any, path: str) -> int:
    if type(value) is not int or not 0 <= value <= field.maximum:
        raise _error(path, f"expected an integer from 0 to {field.maximum}, came {_shown(value)}")
    return value


def _pattern(field: Field, value: Any, path: str) -> Pattern:
    if not (field.masked and isinstance(value, dict)):
        return Pattern(_hex(value, path, field.length), b"\xff" * field.length)
    if value.keys() != {"value", "mask"}:
        raise _error(path, "expected value and mask", "unknown_key")
    wanted = _hex(value["value"], f"{path}.value", field.length)
    mask = _hex(value["mask"], f"{path}.mask", field.length)
    if not any(mask):
        raise _error(f"{path}.mask", "a mask of zeros compares nothing")
    if any(byte & ~bits for byte, bits in zip(wanted, mask, strict=True)):
        raise _error(f"{path}.value", "has bits that the mask leaves out")
    return Pattern(wanted, mask)


def _hex(value: Any, path: str, length: int) -> bytes:
    if not isinstance(value, str):
        raise _error(path, f"expected {length} bytes as hex digits, came {type(value).__name__}")
    return decode_hex(value, _WHAT, path, length=length)


def _object(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _error(path, f"expected an object, came {type(value).__name__}")
    return dict(value)


def _shown(value: Any) -> str:
    """A number as it is, anything else by its type: nested lists can be too deep to print."""
    return str(value) if type(value) is int else type(value).__name__


def _no_identity(path: str, gap: str) -> FormatError:
    return _error(path, f"the alternative does not pin the code: it needs {gap}", "no_identity")


def _error(field: str, message: str, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=_WHAT, field=field, detail=detail)
