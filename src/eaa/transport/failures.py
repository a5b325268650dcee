"""What went wrong with a connection: logged once, with its cause; the peer learns the code at most."""

from __future__ import annotations

import logging
import traceback

from OpenSSL import SSL

from eaa.errors import EAAError, InternalError, RemoteProtocolError
from eaa.tls.peer import PeerIdentity, Role

__all__ = ["as_eaa_error", "log_failure", "log_opened", "truncated"]

_LOG = logging.getLogger("eaa.transport")


def as_eaa_error(error: BaseException) -> EAAError:
    """``error`` if it is one of ours; else the internal error that it must be, caused by it."""
    if isinstance(error, EAAError):
        return error
    if isinstance(error, OSError):
        found: EAAError = truncated(f"the connection failed: {error.strerror or type(error).__name__}")
    else:
        found = InternalError(f"unexpected {type(error).__name__} in an attested channel", detail="channel")
    found.__cause__ = error
    return found


def truncated(message: str) -> RemoteProtocolError:
    """The peer went away without saying so inside TLS."""
    return RemoteProtocolError(message, detail="truncated")


def log_failure(error: EAAError, role: Role, peer: object) -> None:
    """One line about a connection that failed, and below it where, if it is our own fault.

    The record gets text and not the error: its frames hold the connection, and handlers may keep records.
    What is none of ours is named without its message, in which there may be anything, unless the system said
    it.
    """
    cause = error.__cause__
    said = str(cause) if isinstance(cause, EAAError | OSError | SSL.Error) else ""
    _LOG.warning(
        "attested channel, %s of %s: %s: %s%s%s",
        role, peer or "a local peer", error.code, str(error),
        f" ({type(cause).__name__}: {said})" if said else "", _frames(error),
    )  # fmt: skip


def _frames(error: EAAError) -> str:
    if not isinstance(error, InternalError):
        return ""
    return "\n" + "".join(traceback.format_tb((error.__cause__ or error).__traceback__)).rstrip()


def log_opened(identity: PeerIdentity, warnings: tuple[str, ...]) -> None:
    """What an open connection did not prove, each time."""
    for warning in warnings:
        _LOG.warning("%s", warning)
    _LOG.debug("attested channel open, peer %s, proven %s", identity.role, identity.proven)
