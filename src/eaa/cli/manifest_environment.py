"""The environment variables of the original's manifest: used where they mean something here."""

from __future__ import annotations

from collections.abc import Mapping

from eaa.cli.channel_options import LOG_LEVELS

__all__ = ["environment_log_level", "environment_notes"]

_LEVEL = "ENCLAVE_RUNTIME_LOGLEVEL"
#: Of runtimes that are chosen elsewhere: this program is one inside, not the one that starts it.
_WITHOUT_MEANING = (
    "ENCLAVE_TYPE", "RUNE_CARRIER", "ENCLAVE_RUNTIME_PATH", "ENCLAVE_RUNTIME_ARGS", "OCCLUM_RELEASE_ENCLAVE",
)  # fmt: skip
_SPELLINGS = {"trace": "debug", "warning": "warn", "critical": "fatal"}


def environment_log_level(environment: Mapping[str, str]) -> str | None:
    """The level that ``ENCLAVE_RUNTIME_LOGLEVEL`` names, ``None`` if it names none that is known."""
    level = environment.get(_LEVEL, "").lower()
    level = _SPELLINGS.get(level, level)
    return level if level in LOG_LEVELS else None


def environment_notes(environment: Mapping[str, str]) -> list[str]:
    """A line for each variable that was given and changes nothing."""
    notes = [f"{name} has no meaning here" for name in _WITHOUT_MEANING if name in environment]
    if _LEVEL in environment and environment_log_level(environment) is None:
        notes.append(f"{_LEVEL} names no level that is known")
    return notes
