"""What Intel's TCB documents share: status words, dates, levels' parts, strict field access.

TCB info and enclave identities are signed over the exact bytes of their JSON object [PCS-API v4].
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from eaa.codec.text import decode_hex
from eaa.errors import FormatError

__all__ = ["Document", "TcbStatus"]


class TcbStatus(StrEnum):
    """TCB status in Intel's spelling [PCS-API v4], [DCAP-QVL]."""

    UP_TO_DATE = "UpToDate"
    SW_HARDENING_NEEDED = "SWHardeningNeeded"
    CONFIGURATION_NEEDED = "ConfigurationNeeded"
    CONFIGURATION_AND_SW_HARDENING_NEEDED = "ConfigurationAndSWHardeningNeeded"
    OUT_OF_DATE = "OutOfDate"
    OUT_OF_DATE_CONFIGURATION_NEEDED = "OutOfDateConfigurationNeeded"
    TD_RELAUNCH_ADVISED = "TDRelaunchAdvised"
    TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED = "TDRelaunchAdvisedConfigurationNeeded"
    REVOKED = "Revoked"


class Document:
    """Strict, typed access to one JSON object of a vendor document; errors name the path."""

    __slots__ = ("_name", "_parent", "_value", "_what")

    def __init__(
        self, value: Any, what: str, parent: Document | None = None, name: tuple[str | int, ...] = ()
    ) -> None:
        self._what = what
        self._parent = parent
        self._name = name
        if type(value) is not dict:
            raise FormatError(
                f"expected an object, came {type(value).__name__}",
                what=what, field=self._path() or "document", spec="[PCS-API v4]",
            )  # fmt: skip
        self._value: dict[str, Any] = value

    def __contains__(self, name: str) -> bool:
        return name in self._value

    def text(self, name: str) -> str:
        value = self._required(name)
        if not isinstance(value, str):
            raise self.error(name, f"expected a string, came {type(value).__name__}")
        return value

    def uint(self, name: str, maximum: int) -> int:
        value = self._required(name)
        if type(value) is not int or not 0 <= value <= maximum:
            raise self.error(name, f"expected an integer from 0 to {maximum}, came {value!r:.40}")
        return value

    def hex(self, name: str, length: int) -> bytes:
        return decode_hex(self.text(name), self._what, self._field(name), length=length)

    def date(self, name: str) -> datetime:
        """A time as ``YYYY-MM-DDThh:mm:ssZ``; aware, UTC."""
        text = self.text(name)
        if len(text) == 20 and text[4] == text[7] == "-" and text[10] == "T" and text[19] == "Z":
            try:
                return datetime.fromisoformat(text)
            except ValueError:
                pass
        raise self.error(name, f"expected YYYY-MM-DDThh:mm:ssZ, came {text!r:.40}")

    def status(self, name: str, allowed: Mapping[str, TcbStatus]) -> TcbStatus:
        text = self.text(name)
        if text not in allowed:
            raise self.error(name, f"unknown status {text!r:.60}")
        return allowed[text]

    def object(self, name: str) -> Document:
        return Document(self._required(name), self._what, self, (name,))

    def objects(self, name: str, maximum: int) -> list[Document]:
        """A list of at least one and at most ``maximum`` objects."""
        values = self._required(name)
        if not isinstance(values, list) or not 0 < len(values) <= maximum:
            raise self.error(name, f"expected a list of 1 to {maximum} objects")
        return [Document(value, self._what, self, (name, n)) for n, value in enumerate(values)]

    def advisory_ids(self) -> tuple[str, ...]:
        """``advisoryIDs``, which is optional, sorted."""
        values = self._value.get("advisoryIDs", [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise self.error("advisoryIDs", "expected a list of strings")
        return tuple(sorted(set(values)))

    def svns(self, name: str) -> bytes:
        """A list of 16 components ``{"svn": 0…255, …}`` as 16 bytes."""
        components = self._required(name)
        try:
            svns = bytes([component["svn"] for component in components])
        except (TypeError, KeyError, ValueError):
            raise self.error(name, "expected 16 components with an svn from 0 to 255") from None
        if len(svns) != 16:
            raise self.error(name, f"expected 16 components, came {len(svns)}")
        return svns

    def error(self, name: str, message: str, detail: str = "bad_value") -> FormatError:
        return FormatError(
            message, what=self._what, field=self._field(name), spec="[PCS-API v4]", detail=detail
        )

    def _required(self, name: str) -> Any:
        try:
            return self._value[name]
        except KeyError:
            raise self.error(name, "the member is missing", "missing") from None

    def _field(self, name: str) -> str:
        path = self._path()
        return f"{path}.{name}" if path else name

    def _path(self) -> str:
        """Formatted when an error needs it: a document has hundreds of fields."""
        if self._parent is None:
            return ""
        own = str(self._name[0]) + "".join(f"[{index}]" for index in self._name[1:])
        return self._parent._field(own)


#: For platforms.
PLATFORM_STATUSES: Mapping[str, TcbStatus] = {
    str(status): status
    for status in TcbStatus
    if not status.startswith("TDRelaunch")  # computed by the verifier, never published
}
#: For quoting enclaves and TDX modules.
ENCLAVE_STATUSES: Mapping[str, TcbStatus] = {
    str(status): status for status in (TcbStatus.UP_TO_DATE, TcbStatus.OUT_OF_DATE, TcbStatus.REVOKED)
}
