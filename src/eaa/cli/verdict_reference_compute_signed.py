"""Reference values by name in a file that the owner's key signs: written here, verified by verdictd or here.

The key is that of ``shelter``'s recorded measurements. The format is
:mod:`eaa.broker.administration.signed_references`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from eaa.broker.administration.signed_references import FORMAT, ReferenceSigners, text_to_sign
from eaa.cli.files import create_file
from eaa.cli.reference_store import open_store
from eaa.codec.strict_json import parse_json
from eaa.errors import ConfigError, FormatError, UsageError
from eaa.storage.owner_key import OwnerKey, create_owner_key, load_owner_key
from eaa.storage.private_folder import PrivateFolder
from eaa.verify.claims import rfc3339

__all__ = ["is_signed_values", "owner_key", "read_signed_values", "sign_values", "write_signed_values"]


def is_signed_values(data: bytes) -> bool:
    """Whether ``data`` says that it is of this format."""
    try:
        document = parse_json(data, "signed reference values")
    except FormatError:
        return False
    return isinstance(document, dict) and document.get("format") == FORMAT


def sign_values(values: Mapping[str, Any], expires: datetime, store: str | None) -> tuple[bytes, str]:
    """The file of ``values``, and the id of the key that signs it. The first time, the key is made.

    Raises:
        ConfigError: the key cannot be trusted.
    """
    key = owner_key(store)
    payload = json.dumps({"values": values, "expires_at": rfc3339(expires)})
    document = {
        "format": FORMAT,
        "payload": payload,
        "key_id": key.key_id,
        "signature": base64.b64encode(key.sign(text_to_sign(payload.encode()))).decode(),
    }
    return json.dumps(document, indent=2).encode() + b"\n", key.key_id


def write_signed_values(file: str, data: bytes) -> None:
    """Write ``data`` to the new ``file``.

    Raises:
        UsageError: the file is there already, or cannot be written.
    """
    try:
        create_file(file, data)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot write {file!r}: {reason}", detail="unwritable") from None


def read_signed_values(data: bytes, store: str | None) -> dict[str, Any]:
    """``values`` and ``expires_at`` of the file ``data``, whose signature is that of the owner's key here.

    Raises:
        ConfigError: ``config.owner_key``: there is no such key here.
        SignatureError: another key's, or the file was changed.
        FormatError: not of this form.
    """
    folder = _folder(store)
    if (key := load_owner_key(folder)) is None:
        raise ConfigError(
            f"{folder.path}: no owner's key that could have signed it; --store names another folder",
            detail="owner_key", file=str(folder.path),
        )  # fmt: skip
    signed = ReferenceSigners.of([key.public]).verify(data)
    return {"values": dict(signed.values), "expires_at": rfc3339(signed.expires_at)}


def owner_key(store: str | None) -> OwnerKey:
    """The owner's key in ``store``; the first time it is made.

    Raises:
        ConfigError: it cannot be trusted.
    """
    folder = _folder(store)
    with folder.locked():
        return load_owner_key(folder) or create_owner_key(folder)


def _folder(store: str | None) -> PrivateFolder:
    return PrivateFolder(open_store(store).path)
