"""Reference values by name in a file that the owner's key signs.

The file is a JSON object. ``payload`` is the text of ``{"values": …, "expires_at": …}``; the signature is
over the format's name, the length of that text and its exact bytes. The key is that of ``shelter``'s recorded
measurements. It protects against a file that was changed by who does not hold the key, not against an older
file of the owner.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from eaa.cli.reference_store import open_store
from eaa.codec.strict_json import parse_json
from eaa.codec.text import decode_base64
from eaa.errors import ConfigError, FormatError, SignatureError, UsageError
from eaa.storage.owner_key import OwnerKey, create_owner_key, load_owner_key
from eaa.storage.private_folder import PrivateFolder
from eaa.verify.claims import rfc3339

__all__ = ["FORMAT", "is_signed_values", "read_signed_values", "write_signed_values"]

FORMAT = "eaa-named-reference-values/1"
_WHAT = "signed reference values"
_MEMBERS = {"format", "payload", "key_id", "signature"}
_PAYLOAD_MEMBERS = {"values", "expires_at"}
_SIGNATURE_BYTES = 64


def is_signed_values(data: bytes) -> bool:
    """Whether ``data`` says that it is of this format."""
    try:
        document = parse_json(data, _WHAT)
    except FormatError:
        return False
    return isinstance(document, dict) and document.get("format") == FORMAT


def write_signed_values(file: str, values: Mapping[str, Any], expires: datetime, store: str | None) -> str:
    """Write ``values`` to the new ``file``; the key's id. The first time, the key is made.

    Raises:
        UsageError: the file is there already, or cannot be written.
        ConfigError: the key cannot be trusted.
    """
    key = _owner_key(store)
    payload = json.dumps({"values": values, "expires_at": rfc3339(expires)})
    document = {
        "format": FORMAT,
        "payload": payload,
        "key_id": key.key_id,
        "signature": base64.b64encode(key.sign(_signed(payload.encode()))).decode(),
    }
    try:
        with open(file, "xb") as stream:
            stream.write(json.dumps(document, indent=2).encode() + b"\n")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot write {file!r}: {reason}", detail="unwritable") from None
    return key.key_id


def read_signed_values(data: bytes, store: str | None) -> dict[str, Any]:
    """``values`` and ``expires_at`` of the file ``data``, whose signature is that of the owner's key here.

    Raises:
        ConfigError: ``config.owner_key``: there is no such key here.
        SignatureError: ``signature.reference_values``: another key's, or the file was changed.
        FormatError: not of this form.
    """
    document = _object(parse_json(data, _WHAT), _MEMBERS, "document")
    folder = _folder(store)
    if (key := load_owner_key(folder)) is None:
        raise ConfigError(
            f"{folder.path}: no owner's key that could have signed it; --store names another folder",
            detail="owner_key", file=str(folder.path),
        )  # fmt: skip
    signature = decode_base64(document["signature"], _WHAT, "signature", length=_SIGNATURE_BYTES)
    if document["key_id"] != key.key_id:
        raise SignatureError("signed by another key than the owner's", detail="reference_values")
    payload = _utf8(document["payload"])
    if not key.signed(signature, _signed(payload)):
        raise SignatureError("the signature does not verify: the file was changed", detail="reference_values")
    return _object(parse_json(payload, _WHAT), _PAYLOAD_MEMBERS, "payload")


def _owner_key(store: str | None) -> OwnerKey:
    folder = _folder(store)
    with folder.locked():
        return load_owner_key(folder) or create_owner_key(folder)


def _folder(store: str | None) -> PrivateFolder:
    return PrivateFolder(open_store(store).path)


def _signed(payload: bytes) -> bytes:
    return b"%b %d %b" % (FORMAT.encode(), len(payload), payload)


def _object(value: Any, members: set[str], field: str) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != members:
        raise FormatError(f"expected an object with {', '.join(sorted(members))}", what=_WHAT, field=field)
    return value


def _utf8(text: Any) -> bytes:
    try:
        return str(text).encode()
    except UnicodeEncodeError:  # a lone surrogate, written as an escape
        raise FormatError("not UTF-8", what=_WHAT, field="payload") from None
