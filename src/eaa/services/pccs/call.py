"""One request: its parameters, read strictly, and what it carries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl

from eaa.codec.strict_json import parse_json
from eaa.errors import FormatError

__all__ = ["Call", "Update", "read_query", "require_hexadecimal"]

Update = Literal["standard", "early", "all"]

_WHAT = "request"
_MAX_PARAMETERS = 64
_HEX = re.compile("[0-9A-Fa-f]*")
_MAX_QE_ID = 260


@dataclass(frozen=True, slots=True)
class Call:
    """A request. ``query`` has names in lower case, of each the first value; ``headers`` too."""

    version: int  # of Intel's API; 4 elsewhere
    tee: str  # of the path: "sgx" or "tdx"
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    peer: str

    def hexadecimal(self, name: str, digits: int) -> str:
        """A parameter of exactly so many hexadecimal digits, in capitals.

        Raises:
            FormatError: it is missing or something else.
        """
        return require_hexadecimal(self.query.get(name, ""), name, digits)

    def optional_hexadecimal(self, name: str, digits: int) -> str:
        """As :meth:`hexadecimal`; empty if it is missing."""
        return self.hexadecimal(name, digits) if name in self.query else ""

    def qe_id(self) -> str:
        """``qeid``: text of 1 to 260 characters, in capitals."""
        value = self.query.get("qeid", "")
        if not 0 < len(value) <= _MAX_QE_ID or not value.isascii() or not value.isprintable():
            raise _error("qeid", f"expected 1 to {_MAX_QE_ID} printable characters, came {value!a:.40}")
        return value.upper()

    def update(self, *others: str) -> Update:
        """``update``, in any case: standard if it is missing."""
        value = self.query.get("update", "standard").lower()
        if value == "standard":
            return "standard"
        if value == "early":
            return "early"
        if value == "all" and "all" in others:
            return "all"
        raise _error("update", f"expected standard or early, came {value!a:.40}")

    def chosen(self, name: str, choices: Mapping[str, str]) -> str:
        """The value in ``choices`` at a parameter, in any case.

        Raises:
            FormatError: it is missing or not among them.
        """
        value = self.query.get(name, "")
        if value.lower() not in choices:
            raise _error(name, f"expected one of {', '.join(choices)}, came {value!a:.40}")
        return choices[value.lower()]

    def json(self) -> Any:
        """The body.

        Raises:
            FormatError: it is no strict JSON.
        """
        return parse_json(self.body, _WHAT)


def read_query(text: bytes) -> dict[str, str]:
    """Names in lower case with their first values.

    Raises:
        FormatError: not URL-encoded UTF-8, or more than 64 parameters.
    """
    found: dict[str, str] = {}
    try:
        pairs = parse_qsl(
            text.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_PARAMETERS, errors="strict"
        )
    except ValueError as error:
        raise _error("query", f"not URL-encoded: {error}") from None
    for name, value in pairs:
        found.setdefault(name.lower(), value)
    return found


def require_hexadecimal(value: object, name: str, digits: int) -> str:
    """``value`` in capitals.

    Raises:
        FormatError: not exactly so many hexadecimal digits.
    """
    if not isinstance(value, str) or len(value) != digits or not _HEX.fullmatch(value):
        raise _error(name, f"expected {digits} hexadecimal digits, came {value!a:.40}")
    return value.upper()


def _error(field: str, message: str) -> FormatError:
    return FormatError(message, what=_WHAT, field=field, spec="[PCS-API v4]", detail="parameter")
