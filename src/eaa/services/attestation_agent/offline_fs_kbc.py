"""``offline_fs_kbc``: secrets in files, for guests whose disk nobody else ever reads [COCO-GUEST]."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

from eaa.broker.names import ResourcePath
from eaa.codec.strict_json import parse_json
from eaa.codec.text import decode_base64
from eaa.errors import ConfigError, FormatError, ResourceNotFound, UnsupportedError
from eaa.oci.key_id import KeyId

__all__ = ["KEYS_FILE", "RESOURCES_FILE", "OfflineFsKbc"]

#: As guest components have them.
KEYS_FILE = Path("/etc/aa-offline_fs_kbc-keys.json")
RESOURCES_FILE = Path("/etc/aa-offline_fs_kbc-resources.json")
_MAX_FILE_BYTES = 16 * 1024 * 1024


class OfflineFsKbc:
    """A module. Each file is a JSON object of names, ``repository/type/tag`` or a key's own, to base64.

    The files are read at each question that the cache does not answer. One that is not there has nothing
    in it.
    """

    def __init__(self, keys: Path, resources: Path) -> None:
        self._files = (keys, resources)

    @property
    def valid_seconds(self) -> float:
        return math.inf

    async def resource(self, path: ResourcePath) -> bytes:
        return await asyncio.to_thread(self._find, str(path))

    async def key(self, kid: KeyId) -> bytes:
        return await asyncio.to_thread(self._find, str(kid.resource_path or kid))

    async def token(self) -> bytes:
        raise UnsupportedError("offline_fs_kbc has no broker that issues tokens", detail="token")

    async def close(self) -> None:
        """There is nothing open."""

    def _find(self, name: str) -> bytes:
        for file in self._files:
            secrets = _load(file)
            if name in secrets:
                return _decoded(file, name, secrets[name])
        files = " nor ".join(str(file) for file in self._files)
        raise ResourceNotFound(f"offline_fs_kbc: {name} is neither in {files}", detail="offline")


def _load(file: Path) -> dict[str, object]:
    try:
        with file.open("rb") as stream:
            data = stream.read(_MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _error(file, f"cannot be read: {error.strerror}") from None
    if len(data) > _MAX_FILE_BYTES:
        raise _error(file, f"more than {_MAX_FILE_BYTES} bytes")
    try:
        document = parse_json(data, "secrets")
    except FormatError:
        # Its message may show what stands beside the fault.
        raise _error(file, "is not JSON, or has a name twice") from None
    if not isinstance(document, dict):
        raise _error(file, "expected a JSON object")
    return document


def _decoded(file: Path, name: str, value: object) -> bytes:
    try:
        if isinstance(value, str):
            return decode_base64(value, "secrets", name)
    except FormatError:
        pass
    raise _error(file, f"{name}: expected a text in base64")


def _error(file: Path, message: str) -> ConfigError:
    return ConfigError(f"offline_fs_kbc: {file} {message}", detail="offline_fs_kbc", file=str(file))
