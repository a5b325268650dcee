"""Loading a policy text in the dialect that it is written in.

Rego v1 is tried first; it is what Trustee's engine reads. What is not v1 is read as v0, which is how
policies were written before: rules without ``if``. In v0 the engine takes a keyword that was not imported
for a name: ``allow if { … }`` is then the rule ``allow``, which is true, and a rule called ``if``. Such a
text is refused, so that no policy is read in a way that its author did not mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import regorus

from eaa.policy.faults import describe_fault, text_error

__all__ = ["MAX_POLICY_BYTES", "MODULE", "load_policy", "words"]

#: The text of one policy in UTF-8.
MAX_POLICY_BYTES = 256 * 1024
#: What the engine calls the policy.
MODULE = "policy.rego"

_MAX_LINE_COLUMNS, _MAX_LINES = 16_384, 20_000
#: Strings and comments, in which words mean nothing; then words.
_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`|#[^\n]*|(?P<word>[A-Za-z_][A-Za-z0-9_]*)')
_KEYWORDS = ("if", "in", "every", "contains")
_IMPORT = re.compile(
    r"^[ \t]*import[ \t]+(rego\.v1|future\.keywords(?:\.(\w+))?)[ \t]*(?:#.*)?$", re.MULTILINE
)


def load_policy(text: str) -> tuple[regorus.Engine, bool]:
    """An engine with ``text`` as its only module, and whether it is Rego v1.

    Raises:
        FormatError: ``format.policy``: it is neither v1 nor v0, or is v0 and uses a keyword without
            importing it.
    """
    if len(text.encode()) > MAX_POLICY_BYTES:
        raise text_error(f"the policy has more than {MAX_POLICY_BYTES} bytes")
    try:
        return _load(text, v0=False), True
    except RuntimeError as error:
        fault = describe_fault(error)
    if "rego.v1" in _imports(text) or next(_unimported(text), None) is not None:
        raise text_error(fault)
    try:
        return _load(text, v0=True), False
    except RuntimeError as error:
        raise text_error(describe_fault(error)) from None


def words(text: str) -> Iterator[str]:
    """The words of a policy, keywords and names, that are not in strings or comments."""
    return (match["word"] for match in _TOKEN.finditer(text) if match["word"])


def _load(text: str, *, v0: bool) -> regorus.Engine:
    engine = regorus.Engine()
    engine.set_rego_v0(v0)
    engine.set_gather_prints(True)
    engine.set_policy_length_config(
        max_col=_MAX_LINE_COLUMNS, max_file_bytes=MAX_POLICY_BYTES, max_lines=_MAX_LINES
    )
    engine.add_policy(MODULE, text)
    return engine


def _imports(text: str) -> set[str]:
    """``rego.v1``, or the keywords imported one by one; all of them by ``future.keywords``."""
    found: set[str] = set()
    for match in _IMPORT.finditer(text):
        if match[1] == "rego.v1":
            found.add("rego.v1")
        else:
            found.update([match[2]] if match[2] else _KEYWORDS)
    return found


def _unimported(text: str) -> Iterator[str]:
    """Keywords that ``text`` uses and does not import. ``contains(…)`` is a function of that name."""
    imported = _imports(text)
    for match in _TOKEN.finditer(text):
        word = match["word"]
        if word not in _KEYWORDS or word in imported or _in_import(text, match.start()):
            continue
        if word != "contains" or not text[match.end() :].lstrip().startswith("("):
            yield word


def _in_import(text: str, at: int) -> bool:
    return bool(re.match(r"[ \t]*import\b", text[text.rfind("\n", 0, at) + 1 : at]))
