"""Requests of the EAA protocol, well-formed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from eaa.broker.eaa.names import KeyName, NamedFile
from eaa.broker.eaa.replies import Reply
from eaa.broker.names import ResourcePath
from eaa.errors import FormatError

__all__ = [
    "Blob",
    "Decrypt",
    "Echo",
    "GetKek",
    "GetNamed",
    "GetResource",
    "GetResourceInfo",
    "Malformed",
    "Request",
    "Version",
]


@dataclass(frozen=True, slots=True)
class Version:
    """``version``."""


@dataclass(frozen=True, slots=True)
class Echo:
    """``echo``."""

    data: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Blob:
    """Something encrypted with AES-256-GCM under ``key``, its IV of 12 bytes.

    ``ciphertext`` has the tag at its end, 16 bytes; ``text`` is both in base64, as the peer wrote it.
    """

    key: KeyName
    text: str = field(repr=False)
    ciphertext: bytes = field(repr=False)
    iv: bytes


@dataclass(frozen=True, slots=True)
class Decrypt:
    """``Decrypt``."""

    blobs: tuple[Blob, ...]


@dataclass(frozen=True, slots=True)
class GetKek:
    """``Get KEK``."""

    kids: tuple[KeyName, ...]


@dataclass(frozen=True, slots=True)
class GetNamed:
    """``Get Policy`` and its kin. What is ``optional`` in the request means nothing, as in the original."""

    name: str
    file: NamedFile


@dataclass(frozen=True, slots=True)
class GetResourceInfo:
    """``Get Resource Info``, of a file of v1 or of a resource; ``name`` as it came."""

    name: str
    path: ResourcePath


@dataclass(frozen=True, slots=True)
class GetResource:
    """``Get Resource``."""

    path: ResourcePath


@dataclass(frozen=True, slots=True)
class Malformed:
    """A known command whose fields are wrong: why, and the reply. The connection goes on."""

    error: FormatError
    reply: Reply


Request: TypeAlias = Version | Echo | Decrypt | GetKek | GetNamed | GetResourceInfo | GetResource | Malformed
