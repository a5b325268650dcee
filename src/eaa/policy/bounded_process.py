"""Work of the engine in a process of its own: it has no limit of time, and holds the interpreter's lock."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from typing import Any

import orjson

from eaa.errors import InternalError, PolicyError

__all__ = ["MAX_SECONDS", "ask", "bound"]

MAX_SECONDS = 5.0
_MAX_MEMORY_BYTES = 1024**3
#: What Python needs to find the same modules; nothing else of the service's environment is for the process.
_ENVIRONMENT = ("LD_LIBRARY_PATH", "PATH", "PYTHONPATH")


def ask(module: str, request: bytes, *, seconds: float) -> dict[str, Any]:
    """What ``python -m module`` writes to standard output, a JSON object, for ``request`` on its input.

    Raises:
        PolicyError: ``policy.unfinished``: it took longer than ``seconds``, or more than 1 GiB.
        InternalError: ``internal.examiner``: it cannot be run.
    """
    try:
        done = subprocess.run(  # noqa: S603 - ours, with nothing of the request in its arguments
            [sys.executable, "-P", "-m", module],
            input=request,
            capture_output=True,
            timeout=seconds,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PolicyError(f"it is not evaluated after {seconds:g} seconds", detail="unfinished") from None
    if done.returncode < 0:
        raise PolicyError(
            "it ended by itself: it needs too much memory, or is nested too deep", detail="unfinished"
        )
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise InternalError(f"the examiner ended with {done.returncode}: {last[:300]}", detail="examiner")
    answer: dict[str, Any] = orjson.loads(done.stdout)
    return answer


def bound(seconds: int) -> None:
    """For the process itself: what the kernel takes from it if whoever started it is gone."""
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
