"""Replies of the EAA protocol, byte for byte as the original writes them: compact JSON, members in order."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "VERSION",
    "Reply",
    "encode_data",
    "encode_echo",
    "encode_failure",
    "encode_failure_text",
    "encode_info",
    "encode_info_failure",
    "encode_text",
    "encode_version",
]

VERSION = "v1"


@dataclass(frozen=True, slots=True)
class Reply:
    """The bytes to send, which may be none, and whether to end the connection after them."""

    data: bytes = field(repr=False)
    disconnect: bool = False


def encode_version() -> Reply:
    return Reply(_json({"status": "OK", "version": VERSION}))


def encode_echo(text: str) -> Reply:
    """The text itself; the original's server then ends the connection."""
    return Reply(text.encode(), disconnect=True)


def encode_data(data: Mapping[str, bytes]) -> Reply:
    """The success of ``Decrypt`` and ``Get KEK``: bytes by ciphertext, or by key id."""
    shown = {name: _base64(value) for name, value in data.items()}
    return Reply(_json({"status": "OK", "data": shown}))


def encode_failure(error: str) -> Reply:
    """The failure of ``Decrypt`` and ``Get KEK``."""
    return Reply(_json({"status": "Fail", "data": {}, "error": error}))


def encode_text(content: bytes) -> Reply:
    """The success of ``Get Policy`` and its kin, and of ``Get Resource``: base64, and no JSON around it."""
    return Reply(_base64(content).encode())


def encode_failure_text(error: str) -> Reply:
    """Their failure: base64 of an object, which a client tells from content by its members."""
    return Reply(base64.b64encode(_json({"status": "Fail", "error": error})))


def encode_info(content: bytes) -> Reply:
    """The success of ``Get Resource Info``: the length of what :func:`encode_text` gives, in decimal."""
    size = len(_base64(content))
    return Reply(_json({"status": "OK", "data": {"base64size": str(size)}}))


def encode_info_failure(error: str) -> Reply:
    """The failure of ``Get Resource Info``."""
    return Reply(_json({"status": "Fail", "error": error}))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _json(value: Mapping[str, Any]) -> bytes:
    """As serde_json writes it: UTF-8, the names of each object sorted, no white space."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
