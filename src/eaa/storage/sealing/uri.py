"""Master keys by URI: the one table of where a master key may be."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from eaa.storage.sealing.file_key import FileMasterKey
from eaa.storage.sealing.master_key import MasterKey, config_error
from eaa.storage.sealing.pkcs11_uri import parse_pkcs11_uri
from eaa.storage.sealing.secret_text import from_environment, from_file

__all__ = ["check_master_key", "open_master_key"]


def open_master_key(uri: str, *, create: bool = True) -> MasterKey:
    """The master key that ``uri`` names.

    ========================================================== =============================================
    ``file:/path``                                             32 bytes in a file; ``create`` makes it
    ``openbao+https://host:8200/mount/key?token_file=…``       :mod:`eaa.storage.sealing.openbao_uri`
    ``pkcs11:token=…;object=…?module-path=…&pin-source=…``     :mod:`eaa.storage.sealing.pkcs11_uri`
    ========================================================== =============================================

    A file is read now; OpenBao and tokens are asked when a key is wrapped or unwrapped.

    Raises:
        ConfigError: ``config.master_key``: of another form, what it names cannot be used,
            or the library for it is not installed.
    """
    scheme = uri.partition(":")[0]
    if scheme not in _SCHEMES:
        raise config_error("a master key is file:, openbao+https: or pkcs11:", key="master_key")
    return _SCHEMES[scheme](uri, create)


def check_master_key(uri: str) -> None:
    """As :func:`open_master_key`, but nothing is made: a file that is not there yet may be made by then.

    Raises:
        ConfigError: ``config.master_key``.
    """
    if not uri.startswith("file:") or os.path.lexists(_path(uri)):
        open_master_key(uri, create=False)


def _file(uri: str, create: bool) -> MasterKey:
    return FileMasterKey.open(_path(uri), create=create)


def _path(uri: str) -> Path:
    path = uri.removeprefix("file:").removeprefix("//")
    if not re.fullmatch(r"/[^?#%]*[^?#%/]", path):
        raise config_error("a master key in a file is file:/absolute/path", key="master_key")
    return Path(path)


def _openbao(uri: str, _create: bool) -> MasterKey:
    from eaa.storage.sealing.openbao_uri import open_openbao_key  # noqa: PLC0415 - httpx is optional

    return open_openbao_key(uri)


def _pkcs11(uri: str, _create: bool) -> MasterKey:
    from eaa.storage.sealing.pkcs11_key import Pkcs11MasterKey  # noqa: PLC0415 - python-pkcs11 is optional

    parsed = parse_pkcs11_uri(uri)
    source = parsed.pin_source
    if source.startswith("env:"):
        return Pkcs11MasterKey(parsed, from_environment(source.removeprefix("env:")))
    return Pkcs11MasterKey(parsed, from_file(Path(source)))


_SCHEMES: Mapping[str, Callable[[str, bool], MasterKey]] = MappingProxyType(
    {"file": _file, "openbao+https": _openbao, "openbao+http": _openbao, "pkcs11": _pkcs11}
)
