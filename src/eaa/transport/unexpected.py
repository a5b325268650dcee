"""What is said of an error that is none of ours."""

from __future__ import annotations

import logging
import traceback

__all__ = ["log_unexpected"]


def log_unexpected(log: logging.Logger, doing: str, error: Exception) -> None:
    """As ``doing`` failed: where it was raised, and of which class.

    Without its message, in which there may be anything: a secret, evidence, a credential.
    """
    trace = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s failed: %s\n%s", doing, type(error).__name__, trace)
