"""What Intel's TCB documents share: status words, dates, levels' parts, strict field access.

TCB info and enclave identities are signed over the exact bytes of their JSON object [PCS-API v4].
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from operator import itemgetter
from typing import Any, TypeVar

from eaa.errors import FormatError

__all__ = [
    "ENCLAVE_STATUSES",
    "PLATFORM_STATUSES",
    "Document",
    "TcbStatus",
    "member_advisory_ids",
    "member_date",
    "member_svns",
    "member_uint",
]

T = TypeVar("T")

#: What reading a member of another type or value raises.
_UNREADABLE = (KeyError, TypeError, AttributeError, IndexError, ValueError, RecursionError)
_TEXT = frozenset({str})
_svn = itemgetter("svn")


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
        try:
            return member_uint(self._value, name, maximum)
        except _UNREADABLE as error:
            raise self._unreadable(name, error) from None

    def hex(self, name: str, length: int) -> bytes:
        text = self.text(name)
        try:
            value = unhexlify(text)
        except ValueError:
            raise self.error(name, f"not hexadecimal: {text!r:.40}") from None
        if len(value) != length:
            raise self.error(name, f"expected {length} bytes, came {len(value)}")
        return value

    def date(self, name: str) -> datetime:
        """A time as ``YYYY-MM-DDThh:mm:ssZ``; aware, UTC."""
        try:
            return member_date(self._value, name)
        except _UNREADABLE as error:
            raise self._unreadable(name, error) from None

    def object(self, name: str) -> Document:
        return Document(self._required(name), self._what, self, (name,))

    def objects(self, name: str, maximum: int) -> list[Document]:
        """A list of at least one and at most ``maximum`` objects."""
        values = self._required(name)
        if not isinstance(values, list) or not 0 < len(values) <= maximum:
            raise self.error(name, f"expected a list of 1 to {maximum} objects")
        return [Document(value, self._what, self, (name, n)) for n, value in enumerate(values)]

    def parse_each(self, name: str, maximum: int, parse: Callable[[dict[str, Any]], T]) -> list[T]:
        """``parse`` of each object of a list of 1 to ``maximum``.

        There are hundreds of members in such lists, so that ``parse`` reads them with the functions
        below, and where one fails is found out here.
        """
        values = self._required(name)
        if type(values) is not list or not 0 < len(values) <= maximum:
            raise self.error(name, f"expected a list of 1 to {maximum} objects")
        parsed: list[T] = []
        try:
            for value in values:
                parsed.append(parse(value))  # noqa: PERF401 - how many there are says where it fails
        except _UNREADABLE as error:
            raise self._unreadable(f"{name}[{len(parsed)}]", error) from None
        return parsed

    def _unreadable(self, where: str, error: Exception) -> FormatError:
        if isinstance(error, KeyError):
            return self.error(where, f"no member or unknown value {error.args[0]!r:.60}", "missing")
        return self.error(where, str(error))

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


def member_uint(value: dict[str, Any], name: str, maximum: int) -> int:
    """A member that is an integer from 0 to ``maximum``; KeyError, TypeError or ValueError otherwise."""
    number = value[name]
    if type(number) is not int or not 0 <= number <= maximum:
        raise ValueError(f"{name}: expected an integer from 0 to {maximum}, came {number!r:.40}")
    return number


def member_date(value: dict[str, Any], name: str) -> datetime:
    """A member that is a time as ``YYYY-MM-DDThh:mm:ssZ``; aware, UTC."""
    text = value[name]
    if len(text) == 20 and text[4::3] == "--T::Z":
        return datetime.fromisoformat(text)
    raise ValueError(f"{name}: expected YYYY-MM-DDThh:mm:ssZ, came {text!r:.40}")


def member_svns(value: dict[str, Any], name: str) -> bytes:
    """A member that is a list of 16 components ``{"svn": 0…255, …}``, as 16 bytes."""
    svns = bytes(map(_svn, value[name]))
    if len(svns) != 16:
        raise ValueError(f"{name}: expected 16 components, came {len(svns)}")
    return svns


def member_advisory_ids(value: dict[str, Any]) -> tuple[str, ...]:
    """``advisoryIDs``, which is optional, sorted."""
    if "advisoryIDs" not in value:
        return ()
    ids = value["advisoryIDs"]
    if type(ids) is not list or not set(map(type, ids)) <= _TEXT:
        raise ValueError("advisoryIDs: expected a list of strings")
    return tuple(sorted(set(ids)))


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
