"""One policy, parsed and ready in an engine; and the set of those that a thread keeps.

The engine may be touched only by the thread that made it: from another one it panics. It holds the GIL while
it evaluates, and has no limit of time. That is why a policy is examined in a process of its own before it is
stored (:mod:`eaa.policy.examine`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import orjson

from eaa.broker.records import Policy
from eaa.errors import FormatError, PolicyError
from eaa.policy.dialect import load_policy
from eaa.policy.faults import describe_fault
from eaa.policy.reads import Members, members_read
from eaa.policy.references import ReferenceLookup

__all__ = ["UNDEFINED", "PreparedPolicies", "PreparedPolicy", "json_text"]

#: What a rule has for a value that is undefined, or that the policy does not define.
UNDEFINED = object()

#: Of one thread. An engine has about 40 times the memory of its policy's text.
MAX_POLICIES = 1024
MAX_TEXT_CHARACTERS = 4 * 1024 * 1024

#: Nothing that only looks like JSON once it is written.
_ONLY_JSON = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
_UNKNOWN_RULE = "not a valid rule path"


class PreparedPolicy:
    """A policy in an engine of the thread that made it.

    Raises:
        FormatError: ``format.policy``: the text is not a policy.
    """

    __slots__ = ("_absent", "_engine", "_lookup", "_members", "_with_data", "is_v1")

    def __init__(self, text: str) -> None:
        self._engine, self.is_v1 = load_policy(text)
        self._lookup: ReferenceLookup | None = None
        self._absent: set[str] = set()
        self._members: dict[tuple[str, ...], Members | None] = {}
        self._with_data = False
        self._engine.add_extension("query_reference_value", 1, self._query)

    def read_by(self, rules: tuple[str, ...]) -> Members | None:
        """See :func:`~eaa.policy.reads.members_read`."""
        if rules not in self._members:
            self._members[rules] = members_read(self._engine, rules)
        return self._members[rules]

    def begin(
        self,
        document: Mapping[str, Any],
        *,
        data: Mapping[str, Any] | None = None,
        lookup: ReferenceLookup | None = None,
    ) -> None:
        """Start an evaluation: ``document`` is ``input``, ``data`` is what is under ``data``.

        Raises:
            PolicyError: ``policy.input``: either nests deeper than 254, or is not JSON.
        """
        self._lookup = lookup
        if self._with_data:
            self._engine.clear_data()
            self._with_data = False
        if data is not None:
            self._with_data = True
            self._engine.add_data(_bounded(data))
        self._engine.set_input(_bounded(document))

    def rule(self, name: str) -> Any:
        """The value of the rule as JSON, sets as lists; :data:`UNDEFINED` if it has none.

        Raises:
            PolicyError: ``policy.evaluation``.
        """
        if name in self._absent:
            return UNDEFINED
        try:
            text = self._engine.eval_rule_as_json(f"data.policy.{name}")
        except RuntimeError as error:
            if str(error).startswith(_UNKNOWN_RULE):
                self._absent.add(name)
                return UNDEFINED
            raise PolicyError(describe_fault(error), detail="evaluation") from None
        finally:
            self._engine.take_prints()
        # A rule whose value is this very string is nothing that anybody grants by.
        return UNDEFINED if text == '"<undefined>"' else orjson.loads(text)

    def _query(self, name: object) -> Any:
        return None if self._lookup is None else self._lookup.query(name)


class PreparedPolicies:
    """Prepared policies by the digest of their text; those not used for longest go first."""

    __slots__ = ("_characters", "_known")

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[PreparedPolicy, int]] = OrderedDict()
        self._characters = 0

    def __len__(self) -> int:
        return len(self._known)

    def of(self, policy: Policy) -> PreparedPolicy:
        """Raises :class:`~eaa.errors.PolicyError` (``policy.text``) if the text is not a policy."""
        known = self._known.get(policy.sha256)
        if known is not None:
            self._known.move_to_end(policy.sha256)
            return known[0]
        try:
            prepared = PreparedPolicy(policy.text)
        except FormatError as error:
            raise PolicyError(f"{policy.kind}/{policy.id}: {error}", detail="text") from None
        self._known[policy.sha256] = prepared, len(policy.text)
        self._characters += len(policy.text)
        while len(self._known) > MAX_POLICIES or self._characters > MAX_TEXT_CHARACTERS:
            self._forget(next(iter(self._known)))
        return prepared

    def forget(self, policy: Policy) -> None:
        """What a panic left behind is not asked again."""
        if policy.sha256 in self._known:
            self._forget(policy.sha256)

    def _forget(self, digest: str) -> None:
        self._characters -= self._known.pop(digest)[1]


def json_text(document: Mapping[str, Any]) -> bytes:
    """``document`` as JSON.

    Raises:
        PolicyError: ``policy.input``: it nests deeper than 254, or is not JSON.
    """
    try:
        return orjson.dumps(document, option=_ONLY_JSON)
    except TypeError as error:
        raise PolicyError(f"the input is not JSON of at most 254 levels: {error}", detail="input") from None


def _bounded(document: Mapping[str, Any]) -> dict[str, Any]:
    """``document``, if it nests no deeper than orjson does: the engine has no limit and ends the process."""
    plain = dict(document)
    json_text(plain)
    return plain
