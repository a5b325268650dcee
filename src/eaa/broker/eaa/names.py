"""What requests of the EAA protocol name: files of v1, resources, keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from eaa.broker.names import ResourcePath, require_name

__all__ = ["FILES", "KeyName", "NamedFile", "parse_key_name", "parse_resource_name"]

_KBS = "kbs:///"


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file that v1 has a command for, and where it is now. ``failure`` begins the text of a failure."""

    path: ResourcePath
    failure: str


def _file(type_: str, failure: str) -> NamedFile:
    return NamedFile(ResourcePath("default", type_, "test"), f"Can't fetch {failure} file, error:")


#: By the name after ``Get``. A credential fails with the text of a cosign key, as in the original.
FILES: Mapping[str, NamedFile] = MappingProxyType(
    {
        "Policy": _file("security-policy", "policy.json"),
        "Sigstore Config": _file("sigstore-config", "sigstore.yaml"),
        "GPG Keyring": _file("gpg-public-config", "gpg keyring"),
        "Cosign Key": _file("cosign-public-key", "cosign key"),
        "Credential": _file("credential", "cosign key"),
    }
)


@dataclass(frozen=True, slots=True)
class KeyName:
    """A key by id, or, if ``path`` is there, a resource that is a key. ``text`` is as the peer wrote it."""

    text: str
    path: ResourcePath | None


def parse_key_name(text: str) -> KeyName:
    """The key ``id``, ``repository/type/tag`` or ``kbs:///repository/type/tag``.

    Raises:
        FormatError: ``format.name`` or ``format.resource_path``.
    """
    if "/" in text:
        return KeyName(text, parse_resource_name(text))
    return KeyName(require_name(text, what="key id"), None)


def parse_resource_name(text: str) -> ResourcePath:
    """The resource ``repository/type/tag`` or ``kbs:///repository/type/tag``.

    Raises:
        FormatError: ``format.name`` or ``format.resource_path``.
    """
    return ResourcePath.parse(text.removeprefix(_KBS))
