"""Names of images, in the fully expanded form that policies and signatures use [DISTRIBUTION reference]."""

from __future__ import annotations

import re
from dataclasses import dataclass

from eaa.errors import FormatError
from eaa.oci.digest import Digest, parse_digest

__all__ = ["MAX_REFERENCE_BYTES", "ImageReference", "parse_reference"]

#: Registry, repository, tag and a SHA-512 digest fit; a name alone may have 255.
MAX_REFERENCE_BYTES = 512
_MAX_NAME_BYTES = 255
_DEFAULT_REGISTRY = "docker.io"

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?", re.ASCII)
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ImageReference:
    """``registry/repository``, and a tag, a digest, both or neither; each part is well-formed."""

    registry: str
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    @property
    def name(self) -> str:
        """``registry/repository``."""
        return f"{self.registry}/{self.repository}"

    @property
    def is_name_only(self) -> bool:
        return self.tag is None and self.digest is None

    @property
    def scopes(self) -> tuple[str, ...]:
        """Keys of a policy that cover it, most specific first [CONTAINERS-POLICY docker:].

        The image, its repository, each namespace, the registry with its port, then ``*.`` and each
        parent of the registry's host name.
        """
        found = [str(self)] if not self.is_name_only else []
        parts = self.name.split("/")
        found += ["/".join(parts[:end]) for end in range(len(parts), 0, -1)]
        labels = self.registry.partition(":")[0].split(".")
        found += ["*." + ".".join(labels[start:]) for start in range(1, len(labels))]
        return tuple(found)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        return f"{self.name}{tag}" + (f"@{self.digest}" if self.digest is not None else "")


def parse_reference(text: str) -> ImageReference:
    """The reference, expanded: ``busybox:1`` is ``docker.io/library/busybox:1``. No tag is added.

    Raises:
        FormatError: ``format.image_reference``, ``format.digest``.
        UnsupportedError: ``unsupported.digest``.
    """
    if len(text) > MAX_REFERENCE_BYTES:
        raise _error(f"{len(text)} characters exceed {MAX_REFERENCE_BYTES}", "length")
    rest, at, after = text.partition("@")
    digest = parse_digest(after, what="image reference") if at else None
    path, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        path, colon, tag = rest, "", ""
    if colon and not _TAG.fullmatch(tag):
        raise _error(f"expected 1 to 128 of A-Z a-z 0-9 _ . -, got {tag[:64]!r}", "tag")
    registry, repository = _split_name(path)
    if not _REGISTRY.fullmatch(registry):
        raise _error(f"expected a host name and perhaps a port, got {registry[:64]!r}", "registry")
    if len(path) > _MAX_NAME_BYTES or not _REPOSITORY.fullmatch(repository):
        raise _error(f"expected lower-case names separated by /, got {repository[:64]!r}", "repository")
    return ImageReference(registry, repository, tag if colon else None, digest)


def _split_name(path: str) -> tuple[str, str]:
    """Registry and repository. The first part is a registry only if it looks like a host."""
    first, slash, rest = path.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, rest = _DEFAULT_REGISTRY, path
    if first in {"index.docker.io", _DEFAULT_REGISTRY}:
        return _DEFAULT_REGISTRY, rest if "/" in rest else f"library/{rest}"
    return first, rest


def _error(message: str, field: str) -> FormatError:
    return FormatError(
        message,
        what="image reference",
        field=field,
        spec="[DISTRIBUTION reference]",
        detail="image_reference",
    )
