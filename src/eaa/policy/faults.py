"""What the engine says is wrong, in one line: its errors end in a backtrace of its own."""

from __future__ import annotations

import re

from eaa.errors import FormatError

__all__ = ["describe_fault", "text_error"]

_PLACE = re.compile(r"^--> [^\n]*:(\d+):(\d+)$", re.MULTILINE)
_REASON = re.compile(r"^error: (.+)$", re.MULTILINE)
_BACKTRACE = "\n\nStack backtrace:"
_MAX_CHARACTERS = 300


def text_error(message: str) -> FormatError:
    """``format.policy``: the text of a policy is not one; ``message`` says where and why."""
    return FormatError(message, what="Rego policy", field="text", detail="policy")


def describe_fault(error: BaseException) -> str:
    """``line 3, column 7: …`` as far as ``error`` has a place in the policy; at most 300 characters."""
    text = str(error).partition(_BACKTRACE)[0]
    place, reason = _PLACE.search(text), _REASON.search(text)
    said = reason[1] if reason else " ".join(text.split())
    # What came is evidence, or a secret in a query; the place says which expression it was.
    said = said.partition(" Got `")[0][:_MAX_CHARACTERS] or type(error).__name__
    return f"line {place[1]}, column {place[2]}: {said}" if place else said
