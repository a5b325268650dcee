"""What the EAA protocol answers to a request."""

from __future__ import annotations

from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from eaa.broker.eaa.names import KeyName
from eaa.broker.eaa.replies import (
    Reply,
    encode_data,
    encode_echo,
    encode_failure,
    encode_failure_text,
    encode_info,
    encode_info_failure,
    encode_text,
    encode_version,
)
from eaa.broker.eaa.requests import (
    Blob,
    Decrypt,
    Echo,
    GetKek,
    GetNamed,
    GetResource,
    GetResourceInfo,
    Malformed,
    Request,
    Version,
)
from eaa.broker.names import ResourcePath
from eaa.errors import EAAError, ResourceNotFound

__all__ = ["GuestAccess", "answer"]

_KEY_BYTES = 32


class GuestAccess(Protocol):
    """What the peer of one connection may have; every call is a decision of its own.

    Both raise ``AccessDenied``, ``ResourceNotFound``, or what else kept the secret from being released.
    """

    async def resource(self, path: ResourcePath) -> bytes:
        """The content of a resource."""
        ...

    async def key(self, kid: str) -> bytes:
        """The bytes of a key."""
        ...


async def answer(request: Request, access: GuestAccess) -> Reply:
    """The reply to ``request``. What ``access`` refuses is answered in the protocol's shape of a failure.

    A failure shows the public text and code of the error and the id of the decision, and nothing else of it.
    """
    match request:
        case Version():
            reply = encode_version()
        case Echo(data):
            reply = encode_echo(data)
        case Malformed():
            reply = request.reply
        case Decrypt() | GetKek():
            reply = await _keys(request, access)
        case _:
            reply = await _resource(request, access)
    return reply


async def _resource(request: GetNamed | GetResource | GetResourceInfo, access: GuestAccess) -> Reply:
    succeed, fail, prefix = encode_text, encode_failure_text, ""
    match request:
        case GetNamed(file=file):
            path, prefix = file.path, file.failure
        case GetResource(path):
            pass
        case _:
            path, prefix = request.path, f"Fetch {request.name} size failed:"
            succeed, fail = encode_info, encode_info_failure
    try:
        return succeed(await access.resource(path))
    except EAAError as error:
        return fail(prefix + _refusal(error))


async def _keys(request: Decrypt | GetKek, access: GuestAccess) -> Reply:
    """All or nothing: the first key that is refused, or blob that does not decrypt, fails the request."""
    names = request.kids if isinstance(request, GetKek) else [blob.key for blob in request.blobs]
    quote = "" if isinstance(request, GetKek) else '"'
    keys: dict[str, bytes] = {}
    for name in names:
        if name.text not in keys:
            try:
                keys[name.text] = await _key(name, access)
            except ResourceNotFound as error:
                return encode_failure(f"kid: {quote}{name.text}{quote}'s key not found ({_id(error)})")
            except EAAError as error:
                return encode_failure(f"kid: {quote}{name.text}{quote}: {_refusal(error)}")
    if isinstance(request, GetKek):
        return encode_data(keys)
    plain: dict[str, bytes] = {}
    for blob in request.blobs:
        decrypted = _decrypted(blob, keys[blob.key.text])
        if decrypted is None:
            return encode_failure("decryption failed")
        plain[blob.text] = decrypted
    return encode_data(plain)


async def _key(name: KeyName, access: GuestAccess) -> bytes:
    return await (access.key(name.text) if name.path is None else access.resource(name.path))


def _decrypted(blob: Blob, key: bytes) -> bytes | None:
    """The plaintext, AES-256-GCM without associated data; ``None`` if it is not authentic under ``key``."""
    if len(key) != _KEY_BYTES:
        return None
    try:
        return AESGCM(key).decrypt(blob.iv, blob.ciphertext, None)
    except InvalidTag:
        return None


def _refusal(error: EAAError) -> str:
    return f"{error.public} ({_id(error)})"


def _id(error: EAAError) -> str:
    """What leads an operator to the reason: the code, and the id of the decision if there is one."""
    return f"{error.code}, decision {error.decision}" if error.decision else error.code
