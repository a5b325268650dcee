"""What ocicrypt asks a key provider, and what it is answered: JSON in one bytes field [OCICRYPT keyprovider].

Requests of Go carry the half that is not meant with nulls, and bytes as base64 text. Of the answers Go
reads base64 and arrays of integers alike, and Rust (ocicrypt-rs) arrays alone, in an answer that has only the
half that is meant. So answers are written as Rust needs them.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

import orjson

from eaa.codec.members import object_at, text_at
from eaa.errors import FormatError
from eaa.oci.members import bytes_at, bytes_of, optional_object, parse_object

__all__ = [
    "MAX_REQUEST_BYTES",
    "PROVIDER",
    "UnwrapRequest",
    "WrapRequest",
    "encode_unwrap_request",
    "parse_request",
    "parse_unwrap_answer",
    "unwrap_answer",
    "wrap_answer",
]

#: The name under which ocicrypt is configured to find us.
PROVIDER = "attestation-agent"
#: With the private keys that other schemes were given, which come along.
MAX_REQUEST_BYTES = 1024 * 1024
_MAX_PARAMETERS = 16
_MAX_PARAMETER_BYTES = 4096
_WHAT = "key provider request"
_ANSWER = "key provider answer"
_SPEC = "[OCICRYPT keyprovider]"


@dataclass(frozen=True, slots=True)
class WrapRequest:
    """``parameters`` is what the user wrote after ``provider:NAME:``; ``options`` hold the layer's key."""

    parameters: tuple[str, ...]
    options: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class UnwrapRequest:
    """``annotation`` is one packet, unread."""

    annotation: bytes = field(repr=False)
    parameters: tuple[str, ...]


def parse_request(data: bytes, *, provider: str = PROVIDER) -> WrapRequest | UnwrapRequest:
    """The request in ``data``, JSON of at most 1 MiB; ``parameters`` are those for ``provider``.

    Raises:
        FormatError: it is none; ``format.operation``: ``op`` is neither ``keywrap`` nor ``keyunwrap``.
    """
    members = parse_object(data, _WHAT, limit=MAX_REQUEST_BYTES)
    match text_at(members, "op", _WHAT):
        case "keywrap":
            wrap = object_at(members, "keywrapparams", _WHAT)
            return WrapRequest(_parameters(wrap, "ec", provider), bytes_at(wrap, "optsdata", _WHAT))
        case "keyunwrap":
            unwrap = object_at(members, "keyunwrapparams", _WHAT)
            packet = bytes_at(unwrap, "annotation", _WHAT)
            return UnwrapRequest(packet, _parameters(unwrap, "dc", provider))
        case _:
            raise _error("op", "expected keywrap or keyunwrap", "operation")


def wrap_answer(annotation: bytes) -> bytes:
    """The answer to a :class:`WrapRequest`; ``annotation`` is a packet, encoded."""
    return orjson.dumps({"keywrapresults": {"annotation": list(annotation)}})


def unwrap_answer(options: bytes) -> bytes:
    """The answer to an :class:`UnwrapRequest`."""
    return orjson.dumps({"keyunwrapresults": {"optsdata": list(options)}})


def encode_unwrap_request(request: UnwrapRequest, *, provider: str = PROVIDER) -> bytes:
    """``request`` as ocicrypt writes it, for who asks a key provider without it."""
    parameters = [b64encode(text.encode()).decode() for text in request.parameters]
    packet = b64encode(request.annotation).decode()
    return orjson.dumps(
        {
            "op": "keyunwrap",
            "keywrapparams": {"ec": None, "optsdata": None},
            "keyunwrapparams": {"dc": {"Parameters": {provider: parameters}}, "annotation": packet},
        }
    )


def parse_unwrap_answer(data: bytes) -> bytes:
    """The options that a key provider answered with; raises ``FormatError``."""
    members = parse_object(data, _ANSWER, limit=MAX_REQUEST_BYTES)
    return bytes_at(object_at(members, "keyunwrapresults", _ANSWER), "optsdata", _ANSWER)


def _parameters(half: dict[str, Any], name: str, provider: str) -> tuple[str, ...]:
    config = optional_object(half, name, _WHAT)
    values = optional_object(config, "Parameters", _WHAT).get(provider)
    if values is None:
        return ()
    if not isinstance(values, list):
        raise _error("Parameters", "expected an array")
    if len(values) > _MAX_PARAMETERS:
        raise _error("Parameters", f"expected at most {_MAX_PARAMETERS}, came {len(values)}", "too_many")
    return tuple(_parameter(value) for value in values)


def _parameter(value: Any) -> str:
    data = bytes_of(value, _WHAT, "Parameters")
    if len(data) > _MAX_PARAMETER_BYTES:
        raise _error("Parameters", f"expected at most {_MAX_PARAMETER_BYTES} bytes", "too_large")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _error("Parameters", "not UTF-8") from None


def _error(field_: str, message: str, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=_WHAT, field=field_, spec=_SPEC, detail=detail)
