"""What a registry wants to see: the ``WWW-Authenticate`` header [RFC9110 11.6.1] [DISTRIBUTION token]."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from eaa.errors import RemoteProtocolError

__all__ = ["Challenge", "parse_challenges"]

_MAX_CHARACTERS = 8192
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - the grammar's word
_SCHEME = re.compile(rf"({_TOKEN})(?: +|$)", re.ASCII)
_PARAMETER = re.compile(rf'({_TOKEN}) *= *(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))', re.ASCII)
_COMMA = re.compile(r" *, *", re.ASCII)


@dataclass(frozen=True, slots=True)
class Challenge:
    """``scheme`` in lower case; ``parameters`` by name in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(text: str, *, what: str) -> tuple[Challenge, ...]:
    """The challenges in the header's value, in order; ``what`` is for the error.

    Raises:
        RemoteProtocolError: ``remote_protocol.challenge``.
    """
    if len(text) > _MAX_CHARACTERS:
        raise _error(what, f"{len(text)} characters exceed {_MAX_CHARACTERS}")
    challenges: list[Challenge] = []
    position = 0
    while position < len(text):
        scheme = _SCHEME.match(text, position)
        if scheme is None:
            raise _error(what, f"there is none at character {position}")
        found, position = _parameters(text, scheme.end())
        parameters = dict(found)
        if len(parameters) != len(found):
            raise _error(what, "a parameter is given twice")
        challenges.append(Challenge(scheme[1].lower(), parameters))
    return tuple(challenges)


def _parameters(text: str, position: int) -> tuple[list[tuple[str, str]], int]:
    """The parameters from ``position`` on, and where the next challenge begins."""
    found: list[tuple[str, str]] = []
    while (match := _PARAMETER.match(text, position)) is not None:
        value = match[3] if match[2] is None else re.sub(r"\\(.)", r"\1", match[2])
        found.append((match[1].lower(), value))
        position = match.end()
        separator = _COMMA.match(text, position)
        if separator is None:
            break
        position = separator.end()
    return found, position


def _error(what: str, message: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"{what}: the registry's challenge: {message}", detail="challenge")
