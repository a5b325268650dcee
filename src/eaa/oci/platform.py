"""What an image runs on, and which of several a machine runs [OCI-IMAGE image-index]."""

from __future__ import annotations

import re
from dataclasses import dataclass

from eaa.errors import FormatError

__all__ = ["Platform", "parse_platform"]

#: The variant that is meant where none is given.
_DEFAULT_VARIANT = {"arm64": "v8", "arm": "v7", "amd64": "v1"}
_NAME = re.compile(r"[a-z0-9_.-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """As Go names them: ``linux``, ``amd64``, and a ``variant`` such as ``v8``, empty if there is none."""

    os: str
    architecture: str
    variant: str = ""

    def suits(self, machine: Platform) -> int | None:
        """How well an image for this one runs on ``machine``: the higher the better, ``None`` not at all.

        A machine of variant ``v7`` runs ``v6`` too.
        """
        if (self.os, self.architecture) != (machine.os, machine.architecture):
            return None
        mine, its = self._level(), machine._level()
        if mine is None or its is None:
            return 0 if self.variant == machine.variant else None
        return mine if mine <= its else None

    def _level(self) -> int | None:
        variant = self.variant or _DEFAULT_VARIANT.get(self.architecture, "")
        match = re.fullmatch(r"v([0-9]{1,3})", variant, re.ASCII)
        return None if match is None else int(match[1])

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def parse_platform(text: str) -> Platform:
    """The platform ``os/architecture[/variant]``.

    Raises:
        FormatError: ``format.platform``.
    """
    parts = text.split("/")
    if len(parts) not in (2, 3) or not all(_NAME.fullmatch(part) for part in parts):
        raise FormatError(
            f"expected os/architecture[/variant], got {text[:64]!r}",
            what="platform", field="text", detail="platform",
        )  # fmt: skip
    return Platform(*parts)
