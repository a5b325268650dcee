"""Manifests and indexes of images, of OCI and of Docker's schema 2 [OCI-IMAGE manifest]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from eaa.codec.members import bad_member, object_at, object_of, text_at
from eaa.errors import FormatError, UnsupportedError
from eaa.oci.digest import Digest, parse_digest
from eaa.oci.media_type import INDEXES, MANIFESTS
from eaa.oci.members import optional_object, parse_object
from eaa.oci.platform import Platform

__all__ = ["MAX_LAYERS", "MAX_MANIFEST_BYTES", "Descriptor", "ImageIndex", "ImageManifest", "parse_manifest"]

#: What registries are asked to accept [OCI-DISTRIBUTION pushing manifests].
MAX_MANIFEST_BYTES = 4 * 1024 * 1024
MAX_LAYERS = 1024
MAX_ANNOTATIONS = 256
#: Of one layer, 1 TiB.
MAX_CONTENT_BYTES = 1 << 40
_WHAT = "image manifest"
_SPEC = "[OCI-IMAGE manifest]"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Content by ``digest`` and ``size`` in bytes; ``platform`` only in an index."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str]
    platform: Platform | None = None


@dataclass(frozen=True, slots=True)
class ImageManifest:
    """One image: ``layers`` from the bottom up."""

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ImageIndex:
    """One image for each of several platforms."""

    media_type: str
    manifests: tuple[Descriptor, ...]
    annotations: Mapping[str, str]


def parse_manifest(data: bytes, *, media_type: str | None = None) -> ImageManifest | ImageIndex:
    """The manifest or index in ``data``, of at most 4 MiB; ``media_type`` is what its transport calls it.

    Raises:
        FormatError: it is neither; ``format.ambiguous``: it could be read as both, or is not what its
            transport says.
        UnsupportedError: ``unsupported.manifest``: of another kind, such as Docker's schema 1.
    """
    members = parse_object(data, _WHAT, limit=MAX_MANIFEST_BYTES)
    if type(members.get("schemaVersion")) is not int or members["schemaVersion"] != 2:
        raise UnsupportedError(f"{_WHAT}: expected schemaVersion 2", detail="manifest")
    kind = _kind(members, media_type)
    annotations = _annotations(members)
    if kind in INDEXES:
        manifests = tuple(_descriptor(item, "manifests") for item in _list(members, "manifests"))
        return ImageIndex(kind, manifests, annotations)
    config = _descriptor(object_at(members, "config", _WHAT), "config")
    layers = tuple(_descriptor(item, "layers") for item in _list(members, "layers"))
    return ImageManifest(kind, config, layers, annotations)


def _kind(members: dict[str, Any], transport: str | None) -> str:
    """A document that both sorts of reader take for theirs would be two images under one digest."""
    if "manifests" in members and ("layers" in members or "config" in members):
        raise _error("JSON", "it has both manifests and layers", "ambiguous")
    stated = text_at(members, "mediaType", _WHAT) if "mediaType" in members else None
    if stated is not None and transport is not None and stated != transport:
        raise _error("mediaType", f"it says {stated[:96]!r}, its transport {transport[:96]!r}", "ambiguous")
    oci = "index" if "manifests" in members else "manifest"
    kind = stated or transport or f"application/vnd.oci.image.{oci}.v1+json"
    if kind not in INDEXES | MANIFESTS:
        raise UnsupportedError(f"{_WHAT}: no kind that is read: {kind[:96]!r}", detail="manifest")
    if (kind in INDEXES) != ("manifests" in members):
        raise _error("mediaType", f"its members are not those of {kind}", "ambiguous")
    return kind


def _list(members: dict[str, Any], name: str) -> list[dict[str, Any]]:
    items = members.get(name)
    if not isinstance(items, list):
        raise bad_member(_WHAT, name, "expected an array")
    if len(items) > MAX_LAYERS:
        raise _error(name, f"expected at most {MAX_LAYERS}, came {len(items)}", "too_many")
    return [object_of(item, _WHAT, name) for item in items]


def _descriptor(members: dict[str, Any], field: str) -> Descriptor:
    size = members.get("size")
    if type(size) is not int or not 0 <= size <= MAX_CONTENT_BYTES:
        raise bad_member(_WHAT, f"{field}.size", f"expected 0 to {MAX_CONTENT_BYTES}")
    platform = members.get("platform")
    return Descriptor(
        text_at(members, "mediaType", _WHAT),
        parse_digest(text_at(members, "digest", _WHAT), what=_WHAT, field=f"{field}.digest"),
        size,
        _annotations(members),
        None if platform is None else _platform(object_of(platform, _WHAT, f"{field}.platform")),
    )


def _platform(members: dict[str, Any]) -> Platform:
    variant = "" if members.get("variant") is None else text_at(members, "variant", _WHAT)
    return Platform(text_at(members, "os", _WHAT), text_at(members, "architecture", _WHAT), variant)


def _annotations(members: dict[str, Any]) -> Mapping[str, str]:
    found = optional_object(members, "annotations", _WHAT)
    if len(found) > MAX_ANNOTATIONS:
        raise _error("annotations", f"expected at most {MAX_ANNOTATIONS}, came {len(found)}", "too_many")
    if not all(isinstance(value, str) for value in found.values()):
        raise bad_member(_WHAT, "annotations", "expected texts")
    return MappingProxyType(found)


def _error(field: str, message: str, detail: str) -> FormatError:
    return FormatError(message, what=_WHAT, field=field, spec=_SPEC, detail=detail)
