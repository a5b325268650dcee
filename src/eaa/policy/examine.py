"""Examining a policy in a process of its own, which is killed if it takes too long.

``python -m eaa.policy.examine`` reads ``{"kind", "text"}`` as JSON from standard input and writes
``{"warnings": […]}`` or ``{"fault": "…"}`` to standard output.
"""

from __future__ import annotations

import sys

import orjson

from eaa.broker.records import PolicyKind
from eaa.errors import FormatError, PolicyError
from eaa.policy.bounded_process import MAX_SECONDS, ask, bound
from eaa.policy.faults import text_error

__all__ = ["examine"]


def examine(kind: PolicyKind, text: str, *, seconds: float = MAX_SECONDS) -> tuple[str, ...]:
    """The warnings about ``text``.

    Raises:
        FormatError: ``format.policy``: it is no policy of this kind, or takes longer than ``seconds``
            or more than 1 GiB on the samples.
        InternalError: the examiner cannot be run.
    """
    try:
        request = orjson.dumps({"kind": kind, "text": text})
    except TypeError:
        raise text_error("it is not Unicode text") from None
    try:
        answer = ask("eaa.policy.examine", request, seconds=seconds)
    except PolicyError as error:
        raise text_error(f"on the samples: {error}") from None
    if "fault" in answer:
        raise text_error(answer["fault"])
    return tuple(answer["warnings"])


def main() -> int:
    """The examiner itself."""
    bound(2 * int(MAX_SECONDS))
    from eaa.policy.examination import examine_text  # noqa: PLC0415 - the engine, under the limits

    request = orjson.loads(sys.stdin.buffer.read())
    try:
        answer: dict[str, object] = {"warnings": examine_text(PolicyKind(request["kind"]), request["text"])}
    except FormatError as error:
        answer = {"fault": str(error).removeprefix(f"{error.what}: {error.field}: ")}
    sys.stdout.buffer.write(orjson.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
