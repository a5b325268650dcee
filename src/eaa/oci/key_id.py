"""Names of the keys that wrap layer keys."""

from __future__ import annotations

from dataclasses import dataclass

from eaa.broker.names import ResourcePath, require_name
from eaa.errors import FormatError, UnsupportedError

__all__ = ["MAX_KEY_ID_CHARACTERS", "KeyId", "parse_key_id"]

#: Three names, a scheme, and a host that nobody reads.
MAX_KEY_ID_CHARACTERS = 1024
_WHAT = "key id"
_SCHEME = "kbs"
_SPEC = "[COCO-IMAGE resource URI]"


@dataclass(frozen=True, slots=True)
class KeyId:
    """A resource of the key broker, or the plain name of one of verdictd's keys (often a UUID)."""

    name: ResourcePath | str

    @property
    def resource_path(self) -> ResourcePath | None:
        """``None`` for a plain name."""
        return self.name if isinstance(self.name, ResourcePath) else None

    def __str__(self) -> str:
        """``kbs:///repository/type/tag``, or the plain name."""
        return f"{_SCHEME}:///{self.name}" if isinstance(self.name, ResourcePath) else self.name


def parse_key_id(text: str) -> KeyId:
    """The key that ``text`` names, in any form that was published.

    ``kbs://[host]/repository/type/tag`` · ``[host]/repository/type/tag`` as the key provider of
    Confidential Containers makes it up · ``repository/type/tag`` · a plain name. The host is not kept: a
    packet of an image must not choose who is asked for its key.

    Raises:
        FormatError: ``format.key_id``: none of them; ``format.name``: one name is bad.
        UnsupportedError: ``unsupported.key_plugin``: ``kbs+<plugin>://…``; ``unsupported.key_scheme``.
    """
    if len(text) > MAX_KEY_ID_CHARACTERS:
        raise _error(f"expected at most {MAX_KEY_ID_CHARACTERS} characters, came {len(text)}")
    scheme, separator, rest = text.partition("://")
    if separator:
        _require_scheme(scheme)
        return KeyId(_after_host(rest))
    segments = text.count("/") + 1
    if segments == 4:
        return KeyId(_after_host(text))
    if segments == 3:
        return KeyId(ResourcePath.parse(text))
    if segments == 1:
        return KeyId(require_name(text, what=_WHAT))
    raise _error(f"expected kbs:///repository/type/tag or a name, got {segments} segments")


def _after_host(text: str) -> ResourcePath:
    _, separator, path = text.partition("/")
    if not separator or path.count("/") != 2:
        raise _error("expected kbs:///repository/type/tag")
    return ResourcePath.parse(path)


def _require_scheme(scheme: str) -> None:
    if scheme == _SCHEME:
        return
    if scheme.startswith(f"{_SCHEME}+"):
        raise UnsupportedError(
            f"key id: expected the scheme kbs, not that of a plugin ({scheme[:32]!r})", detail="key_plugin"
        )
    raise UnsupportedError(f"key id: expected the scheme kbs, got {scheme[:32]!r}", detail="key_scheme")


def _error(message: str) -> FormatError:
    return FormatError(message, what=_WHAT, field="path", spec=_SPEC, detail="key_id")
