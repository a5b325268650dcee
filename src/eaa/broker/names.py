"""Names of secrets and policies, strict enough to be used in paths, keys and logs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from eaa.errors import FormatError

__all__ = ["MAX_NAME_BYTES", "PathPrefix", "ResourcePath", "require_name"]

#: Of one name: a segment of a resource path, a key id, the id of a policy.
MAX_NAME_BYTES = 128

#: What Trustee's resource plugin takes for a segment; no name can be ``.`` or ``..`` or hidden.
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", re.ASCII)


def require_name(text: str, *, what: str) -> str:
    """``text`` if it is a name: letters, digits, ``_``, ``-``, and ``.`` not first; at most 128 bytes.

    Raises:
        FormatError: ``format.name``.
    """
    if len(text) > MAX_NAME_BYTES or not _NAME.fullmatch(text):
        raise FormatError(
            f"expected 1 to {MAX_NAME_BYTES} of A-Z a-z 0-9 _ - and . not first, got {text[:64]!r}",
            what=what, field="name", detail="name",
        )  # fmt: skip
    return text


@dataclass(frozen=True, slots=True, order=True)
class ResourcePath:
    """``repository/type/tag``, as in ``kbs:///default/key/1``."""

    repository: str
    type: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> ResourcePath:
        """The path of exactly three names.

        Raises:
            FormatError: ``format.resource_path`` if it has not three segments, ``format.name`` if one is bad.
        """
        segments = text.split("/")
        if len(segments) != 3:
            raise FormatError(
                f"expected repository/type/tag, got {len(segments)} segments",
                what="resource path", field="segments", detail="resource_path",
            )  # fmt: skip
        return cls(*(require_name(segment, what="resource path") for segment in segments))

    @property
    def segments(self) -> tuple[str, str, str]:
        return (self.repository, self.type, self.tag)

    def __str__(self) -> str:
        return "/".join(self.segments)


@dataclass(frozen=True, slots=True, order=True)
class PathPrefix:
    """Where a resource policy holds: ``plugin`` and the first names of the path, none to all of them.

    The text form is ``plugin/name/…``; the empty text is everywhere. ``resource/default`` covers
    ``resource/default/key/1`` and not ``resource/defaults/key/1``.
    """

    segments: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> PathPrefix:
        """The prefix; at most 8 names.

        Raises:
            FormatError: ``format.name`` or ``format.path_prefix``.
        """
        if not text:
            return cls(())
        segments = text.split("/")
        if len(segments) > 8:
            raise FormatError(
                f"expected at most 8 names, got {len(segments)}",
                what="path prefix", field="segments", detail="path_prefix",
            )  # fmt: skip
        return cls(tuple(require_name(segment, what="path prefix") for segment in segments))

    def __str__(self) -> str:
        return "/".join(self.segments)
