"""The text of a request of the EAA protocol, read strictly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from eaa.broker.eaa.names import FILES, parse_key_name, parse_resource_name
from eaa.broker.eaa.replies import (
    Reply,
    encode_echo,
    encode_failure,
    encode_failure_text,
    encode_info_failure,
)
from eaa.broker.eaa.requests import (
    Blob,
    Decrypt,
    Echo,
    GetKek,
    GetNamed,
    GetResource,
    GetResourceInfo,
    Malformed,
    Request,
    Version,
)
from eaa.codec.strict_json import parse_json
from eaa.codec.text import decode_base64
from eaa.errors import FormatError

__all__ = ["IV_BYTES", "MAX_ITEMS", "TAG_BYTES", "parse_request"]

#: Keys or blobs in one request: each is a decision.
MAX_ITEMS = 64
IV_BYTES = 12
TAG_BYTES = 16
_WHAT = "EAA request"
#: The names of AES-256-GCM in v1 and in its CoCo variant.
_ALGORITHMS = ("AES", "A256GCM")
_Item = TypeVar("_Item")


def parse_request(text: bytes) -> Request:
    """The request in ``text``, one JSON object.

    Raises:
        FormatError: not JSON, no object, or ``format.command``: no command that is known. The original
            then ends the connection without a reply.
    """
    document = parse_json(text, _WHAT)
    if not isinstance(document, dict):
        raise _error("JSON", "expected an object")
    command = document.get("command")
    if not isinstance(command, str) or command not in _COMMANDS:
        raise _error("command", "expected a command of the EAA protocol", "command")
    parse, refusal = _COMMANDS[command]
    try:
        return parse(document)
    except FormatError as error:
        return Malformed(error, refusal(error))


def _version(_document: Mapping[str, Any]) -> Request:
    return Version()


def _echo(document: Mapping[str, Any]) -> Request:
    data = _text(document, "data")
    try:
        data.encode()
    except UnicodeEncodeError:  # a lone surrogate, written as an escape
        raise _error("data", "not UTF-8") from None
    return Echo(data)


def _decrypt(document: Mapping[str, Any]) -> Request:
    return Decrypt(_items(document, "blobs", _blob))


def _blob(item: Any) -> Blob:
    if not isinstance(item, dict):
        raise _error("blob", "expected an object")
    if item.get("algorithm") not in _ALGORITHMS:
        raise _error("algorithm", "expected AES or A256GCM", "algorithm")
    if type(item.get("key_length")) is not int or item["key_length"] != 256:
        raise _error("key_length", "expected 256", "algorithm")
    text = _text(item, "encrypted_data")
    ciphertext = decode_base64(text, _WHAT, "encrypted_data")
    if len(ciphertext) < TAG_BYTES:
        raise _error("encrypted_data", f"expected at least {TAG_BYTES} bytes")
    iv = decode_base64(_text(item, "iv"), _WHAT, "iv", length=IV_BYTES)
    return Blob(parse_key_name(_text(item, "kid")), text, ciphertext, iv)


def _get_kek(document: Mapping[str, Any]) -> Request:
    return GetKek(_items(document, "kids", lambda item: parse_key_name(_string(item, "kids"))))


def _get_resource_info(document: Mapping[str, Any]) -> Request:
    name = _text(document, "name")
    return GetResourceInfo(name, FILES[name].path if name in FILES else parse_resource_name(name))


def _get_resource(document: Mapping[str, Any]) -> Request:
    optional = document.get("optional")
    if not isinstance(optional, dict):
        raise _error("optional", "expected an object", _detail(optional))
    return GetResource(parse_resource_name(_text(optional, "resource_path")))


def _items(document: Mapping[str, Any], name: str, parse: Callable[[Any], _Item]) -> tuple[_Item, ...]:
    items = document.get(name)
    if not isinstance(items, list):
        raise _error(name, "expected a list", _detail(items))
    if len(items) > MAX_ITEMS:
        raise _error(name, f"expected at most {MAX_ITEMS}, came {len(items)}", "too_many")
    return tuple(parse(item) for item in items)


def _text(item: Mapping[str, Any], name: str) -> str:
    return _string(item.get(name), name)


def _string(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise _error(name, "expected a text", _detail(value))
    return value


def _detail(value: Any) -> str:
    return "missing" if value is None else "bad_value"


def _error(field_: str, message: str, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=_WHAT, field=field_, detail=detail)


def _decrypt_refusal(error: FormatError) -> Reply:
    return encode_failure("decrypt parameters error" if error.field == "blobs" else "parameters error")


def _named(name: str) -> Callable[[Mapping[str, Any]], Request]:
    request = GetNamed(name, FILES[name])
    return lambda _document: request


_Parse: TypeAlias = Callable[[Mapping[str, Any]], Request]
_Refusal: TypeAlias = Callable[[FormatError], Reply]

#: How a command's fields are read, and what the original says if they are wrong. Where it breaks down
#: instead, the reply is of the same shape.
_COMMANDS: Mapping[str, tuple[_Parse, _Refusal]] = MappingProxyType(
    {
        "version": (_version, _decrypt_refusal),
        "echo": (_echo, lambda _: encode_echo("Echo parameters error")),
        "Decrypt": (_decrypt, _decrypt_refusal),
        "Get KEK": (_get_kek, lambda _: encode_failure("get KEK parameters error")),
        "Get Resource Info": (_get_resource_info, lambda _: encode_info_failure("file name error")),
        "Get Resource": (_get_resource, lambda _: encode_failure_text("resource path error")),
    }
    | {f"Get {name}": (_named(name), _decrypt_refusal) for name in FILES}
)
