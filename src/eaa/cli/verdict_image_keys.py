"""The owner's key that wraps the keys of layers: a resource of verdictd, made once, used again."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from eaa.broker.names import ResourcePath
from eaa.cli.verdict_server import Server, pages
from eaa.errors import ConflictError, FormatError, UsageError
from eaa.oci.annotation import IV_BYTES, WrapType, encode_annotation, parse_annotation
from eaa.oci.key_id import KeyId, parse_key_id
from eaa.oci.layer_key import KEK_BYTES, require_kek, unwrap_options, wrap_options

__all__ = ["OwnersKey", "OwnersKeys", "obtain_key", "owners_key_id"]

_ALL = "/eaa/v1/resources"
#: Where the key provider of Confidential Containers puts a key that it was given no name for.
_NEW = ("default", "image-kek")


@dataclass(frozen=True, slots=True)
class OwnersKey:
    """``kek`` of 32 bytes, which guests get as ``kid``; ``created`` just now."""

    kid: KeyId
    kek: bytes = field(repr=False)
    created: bool

    def wrap(self, options: bytes) -> bytes:
        """The packet, encoded, of a layer's options, under a fresh IV."""
        iv = secrets.token_bytes(IV_BYTES[WrapType.A256GCM])
        return encode_annotation(wrap_options(options, kek=self.kek, kid=self.kid, iv=iv))


class OwnersKeys:
    """Opens packets with keys that an administrator reads at verdictd, each once."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._keys: dict[ResourcePath, bytes] = {}

    def unwrap(self, annotation: bytes) -> bytes:
        """The options in a packet.

        Raises:
            Refused: verdictd has not got its key, or does not give it.
            EAAError: it is none, or does not open.
        """
        packet = parse_annotation(annotation)
        path = _path(packet.kid)
        if path not in self._keys:
            self._keys[path] = _read(self._server, path)
        return unwrap_options(packet, kek=self._keys[path])


def owners_key_id(text: str | None) -> KeyId:
    """The key that ``--key-id`` names, or a new name.

    Raises:
        UsageError: ``usage.key_id``: not a resource.
        FormatError: no key id.
    """
    if text is None:
        return KeyId(ResourcePath(*_NEW, str(uuid.uuid4())))
    kid = parse_key_id(text)
    _path(kid)
    return kid


def obtain_key(server: Server, kid: KeyId, tell: Callable[[str], None]) -> OwnersKey:
    """The key that verdictd has as ``kid``; if it has none, a new one, which it then has.

    Raises:
        Refused: verdictd does not answer, or says no.
        UsageError: ``usage.key_disabled``.
        FormatError: ``format.kek``: what it has is no key.
        ConflictError: ``conflict.key_created``: somebody else made it at the same time.
    """
    path = _path(kid)
    there = [item for item in pages(server, _ALL, "resources", "path", {"prefix": str(path)})
             if item["path"] == str(path)]  # fmt: skip
    if there:
        if not there[0]["enabled"]:
            raise UsageError(f"the key {kid} is disabled: no guest would get it", detail="key_disabled")
        tell(f"key {kid} is there: it is used again")
        return OwnersKey(kid, _read(server, path), created=False)
    key = OwnersKey(kid, secrets.token_bytes(KEK_BYTES), created=True)
    _create(server, key, path)
    tell(f"key {kid} is made, and kept by verdictd")
    return key


def _create(server: Server, key: OwnersKey, path: ResourcePath) -> None:
    url = _url(path)
    version = server.document("PUT", url, content=key.kek)["version"]
    if len(server.document("GET", f"{url}/versions")["versions"]) != 1:
        server.ask("DELETE", url, params={"version": version})
        raise ConflictError(
            f"the key {key.kid} was made by somebody else in between; do it again to use that one",
            detail="key_created",
        )


def _read(server: Server, path: ResourcePath) -> bytes:
    kek = server.ask("GET", f"{_url(path)}/content").content
    try:
        require_kek(kek)
    except FormatError as error:
        raise FormatError(
            f"{path} is no key: expected {KEK_BYTES} bytes, came {len(kek)}",
            what=error.what, field=error.field, detail="kek",
        ) from None  # fmt: skip
    return kek


def _path(kid: KeyId) -> ResourcePath:
    if kid.resource_path is None:
        raise UsageError(f"the key id {kid}: expected kbs:///repository/type/tag", detail="key_id")
    return kid.resource_path


def _url(path: ResourcePath) -> str:
    return "/".join((_ALL, *path.segments))
