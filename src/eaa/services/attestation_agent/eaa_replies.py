"""Requests and replies of the EAA protocol, seen from the guest (docs/reference/eaa-protocol.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from eaa.broker.eaa import JsonFramer
from eaa.codec.strict_json import parse_json
from eaa.codec.text import decode_base64
from eaa.errors import (
    AccessDenied,
    EAAError,
    FormatError,
    RemoteProtocolError,
    ResourceNotFound,
    StorageError,
)

__all__ = [
    "MAX_TEXT_BYTES",
    "ObjectReply",
    "TextReply",
    "encode_request",
    "parse_keys",
    "parse_size",
    "parse_version",
]

VERSION = "v1"
#: Base64 of the 8 MiB that a KBS's answer may have as well.
MAX_TEXT_BYTES = 11 * 1024 * 1024
_MAX_OBJECT_BYTES = 1024 * 1024
#: It is looked for each time that more has come: not in a whole large secret again and again.
_MAX_FAILURE_CHARACTERS = 64 * 1024
_WHAT = "EAA reply"
_MAX_REASON = 512
#: How our broker ends what it says.
_CODE_AND_ID = re.compile(r"\(([a-z0-9_.]{1,64})(?:, decision ([0-9A-Za-z]{1,64}))?\)$")
_ERRORS: Mapping[str, type[EAAError]] = MappingProxyType(
    {"resource_not_found": ResourceNotFound, "storage": StorageError}
)


def encode_request(command: str, **members: Any) -> bytes:
    """One request."""
    return json.dumps({"command": command, **members}, separators=(",", ":")).encode()


class ObjectReply:
    """Gathers a reply that is one JSON object, and nothing behind it."""

    def __init__(self) -> None:
        self._framer = JsonFramer(max_bytes=_MAX_OBJECT_BYTES)

    def feed(self, data: bytes) -> dict[str, Any] | None:
        """The object, once it is whole.

        Raises:
            RemoteProtocolError: it is none.
        """
        found = list(self._framer.feed(data))
        if not found:
            return None
        self._framer.finish()
        if len(found) > 1:
            raise _broken("more than one object")
        return _object(found[0])


class TextReply:
    """Gathers a reply in base64 of ``size`` characters, which was announced before.

    A failure has another length, and no mark: it is base64 of an object of ``status`` ``Fail`` and ``error``.
    A secret of that very shape, and of at most 64 KiB, is taken for one, as guest components do.
    """

    def __init__(self, size: int) -> None:
        self._size, self._text = size, bytearray()

    def feed(self, data: bytes) -> bytes | None:
        """The content, once it is whole.

        Raises:
            AccessDenied, ResourceNotFound, StorageError: as the broker says.
            RemoteProtocolError: longer than announced, or no base64.
        """
        self._text += data
        if len(self._text) % 4 == 0 and len(self._text) <= _MAX_FAILURE_CHARACTERS:
            _require_no_failure(bytes(self._text))
        if len(self._text) < self._size:
            return None
        if len(self._text) > self._size:
            raise _broken(f"more than the {self._size} characters that were announced")
        try:
            return decode_base64(bytes(self._text), _WHAT, "content")
        except FormatError as error:
            raise _broken(str(error)) from None


def parse_version(reply: Mapping[str, Any]) -> None:
    """Holds if the peer speaks v1.

    Raises:
        RemoteProtocolError: it does not, or is no verdictd.
    """
    if reply.get("status") != "OK" or reply.get("version") != VERSION:
        raise _broken(f"expected version {VERSION}")


def parse_size(reply: Mapping[str, Any]) -> int:
    """The length that ``Get Resource Info`` announces.

    Raises:
        AccessDenied, ResourceNotFound, StorageError: as the broker says.
        RemoteProtocolError: none, or more than :data:`MAX_TEXT_BYTES`.
    """
    data = _data(reply)
    text = data.get("base64size")
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        raise _broken("expected base64size, a number")
    size = int(text)
    if size % 4 or size > MAX_TEXT_BYTES:
        raise _broken(f"expected a length of base64, at most {MAX_TEXT_BYTES}, came {size}")
    return size


def parse_keys(reply: Mapping[str, Any], kid: str) -> bytes:
    """The one key that ``Get KEK`` was asked for.

    Raises:
        AccessDenied, ResourceNotFound, StorageError: as the broker says.
        RemoteProtocolError: it is not there, or no base64.
    """
    text = _data(reply).get(kid)
    if not isinstance(text, str):
        raise _broken("expected the key that was asked for")
    try:
        return decode_base64(text, _WHAT, "key")
    except FormatError as error:
        raise _broken(str(error)) from None


def _data(reply: Mapping[str, Any]) -> Mapping[str, Any]:
    if reply.get("status") != "OK":
        raise _refusal(reply.get("error"))
    data = reply.get("data")
    if not isinstance(data, dict):
        raise _broken("expected data, an object")
    return data


def _require_no_failure(text: bytes) -> None:
    if text[:2] not in (b"ey", b"ew"):  # an object in base64 begins so
        return
    try:
        value = parse_json(decode_base64(text, _WHAT, "failure"), _WHAT)
    except FormatError:
        return
    if isinstance(value, dict) and value.keys() == {"status", "error"} and value["status"] == "Fail":
        raise _refusal(value["error"])


def _refusal(reason: Any) -> EAAError:
    """What the broker's text of a failure stands for; what is not known is a refusal."""
    text = reason[:_MAX_REASON] if isinstance(reason, str) else "no reason is given"
    found = _CODE_AND_ID.search(text)
    code, decision = (found[1], found[2] or "") if found else ("", "")
    kind = _ERRORS.get(code.partition(".")[0], AccessDenied)
    if not code and "not found" in text:
        kind = ResourceNotFound  # as the original says it
    error = kind(f"the broker refuses: {text}", detail="refused", code=code)
    error.decision = decision
    return error


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = parse_json(text, _WHAT)
    except FormatError as error:
        raise _broken(str(error)) from None
    if not isinstance(value, dict):
        raise _broken("expected an object")
    return value


def _broken(message: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"{_WHAT}: {message}", detail="reply")
