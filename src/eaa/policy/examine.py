"""Examining a policy in a process of its own, which is killed if it takes too long.

``python -m eaa.policy.examine`` reads ``{"kind", "text"}`` as JSON from standard input and writes
``{"warnings": […]}`` or ``{"fault": "…"}`` to standard output.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import orjson

from eaa.broker.records import PolicyKind
from eaa.errors import FormatError, InternalError
from eaa.policy.faults import text_error

__all__ = ["MAX_SECONDS", "examine"]

MAX_SECONDS = 5.0
_MAX_MEMORY_BYTES = 1024**3
#: What Python needs to find the same modules; nothing else of the service's environment is for the examiner.
_ENVIRONMENT = ("LD_LIBRARY_PATH", "PATH", "PYTHONPATH")
_REFUSED_BY_KERNEL = "the examination ended by itself: it needs too much memory, or is nested too deep"


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
        done = subprocess.run(
            [sys.executable, "-P", "-m", "eaa.policy.examine"],
            input=request,
            capture_output=True,
            timeout=seconds,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise text_error(f"the samples are not evaluated after {seconds:g} seconds") from None
    if done.returncode < 0:
        raise text_error(_REFUSED_BY_KERNEL)
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise InternalError(f"the examiner ended with {done.returncode}: {last[:300]}", detail="examiner")
    answer = orjson.loads(done.stdout)
    if "fault" in answer:
        raise text_error(answer["fault"])
    return tuple(answer["warnings"])


def _bound(seconds: int) -> None:
    """What the kernel takes from this process if whoever started it is gone."""
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> int:
    """The examiner itself."""
    _bound(2 * int(MAX_SECONDS))
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
