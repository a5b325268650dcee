"""Structured logs: one JSON object, or one line of text, for each event, with the id of its request."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Literal

import structlog

__all__ = ["configure_logs", "log_unexpected"]

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
    "off": logging.CRITICAL + 1,
}


def configure_logs(level: str, style: Literal["json", "text"]) -> None:
    """Everything that is logged goes to stderr from ``level`` on, as the originals name levels.

    What comes from outside cannot begin a line of its own: JSON escapes it, and so does the text form.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    shown: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "logger", "event"])
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, shown],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("eaa").setLevel(_LEVELS[level])
    if level == "off":
        logging.disable()


def log_unexpected(log: logging.Logger, doing: str, error: Exception) -> None:
    """An error that is none of ours, as ``doing`` failed: where it was raised, and of which class.

    Without its message, in which there may be anything: a secret, evidence, a credential.
    """
    trace = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s failed: %s\n%s", doing, type(error).__name__, trace)
