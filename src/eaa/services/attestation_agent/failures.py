"""What failed, as the agent's callers are told: which step, what to do, and the right status."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from eaa.errors import (
    AccessDenied,
    AppraisalDenied,
    AttesterError,
    EAAError,
    Outcome,
    RemoteProtocolError,
    ResourceNotFound,
    SessionError,
    VerificationError,
    outcome_of,
)

__all__ = ["advice_for", "agent_outcome", "is_transient", "is_unreached", "step"]

#: The broker did not answer, or not to the end.
_UNREACHED = frozenset(f"remote_protocol.{name}" for name in ("unreachable", "timeout", "truncated"))
#: Nor did a registry, which has no part in what the broker is asked.
_NO_REGISTRY = "remote_protocol.registry_unreachable"
#: Folders of this machine that take no image: no broker is at fault.
_HERE = frozenset(f"storage.{name}" for name in ("blobs", "bundle", "unpack"))
#: Of a KBS that may answer otherwise in a moment.
_BUSY = frozenset({429, 502, 503, 504})

_UNAVAILABLE = Outcome(503, "broker-unavailable", "UNAVAILABLE", 40, "unavailable")
_BROKEN = Outcome(502, "broker-protocol", "INTERNAL", 1, "error")
_REFUSED = Outcome(403, "not-attested", "PERMISSION_DENIED", 10, "rejected")


def agent_outcome(error: EAAError) -> Outcome:
    """As :func:`eaa.errors.outcome_of`, but for a client whose own caller has done nothing wrong.

    A broker that does not answer is 503, and one that answers nonsense 502; a session that it does not take
    up again is a refusal, since the caller has no session to renew.
    """
    if error.code in _HERE:
        return outcome_of(error)
    if is_transient(error) or error.code == _NO_REGISTRY:
        return _UNAVAILABLE
    if isinstance(error, RemoteProtocolError):
        return _BROKEN
    if isinstance(error, SessionError):
        return _REFUSED
    return outcome_of(error)


def is_unreached(error: EAAError) -> bool:
    """Whether no answer came."""
    return error.code in _UNREACHED


def is_transient(error: EAAError) -> bool:
    """Whether the same question may be answered in a moment."""
    return is_unreached(error) or error.retryable or error.fields.get("status") in _BUSY


@contextmanager
def step(doing: str, advice: Callable[[EAAError], str]) -> Iterator[None]:
    """What fails inside says that it failed while ``doing``, and what ``advice`` there is."""
    try:
        yield
    except EAAError as error:
        hint = advice(error)
        error.args = (f"{doing}: {error}" + (f"; {hint}" if hint else ""),)
        raise


def advice_for(where: str, path: str = "") -> Callable[[EAAError], str]:
    """What an operator does about a failure of the broker at ``where``."""

    def advice(error: EAAError) -> str:
        match error:
            case _ if is_unreached(error):
                found = f"see whether the broker at {where} runs and this guest reaches it"
            case AccessDenied() | SessionError():
                named = f"verdict explain {error.decision}" if error.decision else "its log"
                found = f"at the broker, {named} says why"
            case ResourceNotFound() if path:
                found = f"its owner stores it, e.g. with: verdict resource put {path} FILE"
            case AttesterError():
                found = "shelter doctor says what this machine can attest with"
            case VerificationError() | AppraisalDenied():
                found = (
                    "the broker's own evidence is not accepted; see --verifier, --trust-anchor, --collateral"
                    " and --reference"
                )
            case _:
                found = ""
        return found

    return advice
