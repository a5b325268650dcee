"""Init-data as policies see it, in the form that Trustee gives it [COCO-INITDATA]."""

from __future__ import annotations

import math
import re
import tomllib
from datetime import date, time
from typing import Any

from eaa.codec.canonical_json import MAX_DEPTH
from eaa.codec.strict_json import parse_json
from eaa.errors import FormatError

__all__ = ["read_claims", "read_toml"]

#: Names in ``[data]`` that hold TOML; in the claims they are JSON.
_TOML_FILES = ("aa.toml", "cdh.toml")
_POLICY_FILE, _POLICY_CLAIMS = "policy.rego", "agent_policy_claims"
_POLICY_DATA = "policy_data := {"

#: A key of 64 parts with dots; the time that :mod:`tomllib` takes grows with the square of their number.
_LONG_KEY = re.compile(
    r"""(?<![\w"'.\\-])(?:(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){64}""", re.ASCII
)

_INT64 = range(-(1 << 63), 1 << 63)


def read_claims(data: dict[str, str]) -> dict[str, Any]:
    """``data`` with ``aa.toml`` and ``cdh.toml`` as JSON and, in place of ``policy.rego``, the JSON of the
    ``policy_data`` that ends it as ``agent_policy_claims``. What does not parse stays text.
    """
    claims: dict[str, Any] = dict(data)
    for name in _TOML_FILES:
        if name in data and (members := read_toml(data[name])) is not None:
            claims[name] = members
    policy_data = _policy_data(data.get(_POLICY_FILE, ""))
    if policy_data is not None:
        del claims[_POLICY_FILE]
        claims[_POLICY_CLAIMS] = policy_data
    return claims


def read_toml(text: str) -> dict[str, Any] | None:
    """``text`` as JSON has it, or ``None`` if it is no TOML that JSON can say."""
    if _LONG_KEY.search(text):
        return None
    try:
        members = tomllib.loads(text)
        return {name: _plain(value, MAX_DEPTH) for name, value in members.items()}
    except (ValueError, RecursionError, _NotPlain):
        return None


def _policy_data(rego: str) -> Any:
    """The JSON object that ends a policy of Kata's agent, or ``None``."""
    _, found, rest = rego.partition(_POLICY_DATA)
    if not found:
        return None
    try:
        return _plain(parse_json("{" + rest, "policy_data"), MAX_DEPTH)
    except (FormatError, _NotPlain):
        return None


class _NotPlain(Exception):
    """Too deep, or an integer that other readers of TOML refuse."""


def _plain(value: Any, depth: int) -> Any:
    if not depth:
        raise _NotPlain
    match value:
        case dict():
            return {key: _plain(child, depth - 1) for key, child in value.items()}
        case list():
            return [_plain(child, depth - 1) for child in value]
        case date() | time():  # a datetime is a date
            return value.isoformat()
        case float() if not math.isfinite(value):
            return None
        case int() if value not in _INT64:
            raise _NotPlain
        case _:
            return value
