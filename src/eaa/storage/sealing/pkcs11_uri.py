"""PKCS #11 URIs [RFC7512 §2.3], the part that names a secret key, read strictly."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from eaa.errors import ConfigError
from eaa.storage.sealing.master_key import config_error

__all__ = ["Pkcs11Uri", "parse_pkcs11_uri"]

_PATH = frozenset({"token", "serial", "object", "type"})
_QUERY = frozenset({"module-path", "pin-source", "generate"})
#: Of the specification, and refused; another name may be a PIN that went astray, and is not shown.
_NOT_TAKEN = frozenset(
    {"id", "library-manufacturer", "manufacturer", "model", "module-name", "pin-value", "slot-id"}
)
_UNRESERVED = r"A-Za-z0-9\-._~"
_PATH_VALUE = re.compile(rf"(?:[{_UNRESERVED}:\[\]@!$'()*+,=&]|%[0-9A-Fa-f]{{2}})+")
_QUERY_VALUE = re.compile(rf"(?:[{_UNRESERVED}:\[\]@!$'()*+,=/?|]|%[0-9A-Fa-f]{{2}})+")


@dataclass(frozen=True, slots=True)
class Pkcs11Uri:
    """Which key, in which token, by which module, and where the PIN is.

    ``pin_source`` is an absolute path, or ``env:NAME``. ``generate`` is an attribute of ours.
    """

    token: str
    object: str
    module_path: str
    pin_source: str
    serial: str = ""
    generate: bool = False

    @property
    def name(self) -> str:
        """The attributes that say which key it is, in the URI's form."""
        serial = f"serial={quote(self.serial, safe='')};" if self.serial else ""
        return f"pkcs11:{serial}token={quote(self.token, safe='')};object={quote(self.object, safe='')}"


def parse_pkcs11_uri(text: str) -> Pkcs11Uri:
    """The URI ``text``, which has ``token``, ``object``, ``module-path`` and ``pin-source``.

    Raises:
        ConfigError: ``config.master_key``: malformed, an attribute is missing, given twice, or is not one of
            those of :class:`Pkcs11Uri`. ``pin-value`` among them: a PIN does not belong into a configuration.
    """
    scheme, _, rest = text.partition(":")
    if scheme != "pkcs11":
        raise config_error("expected a URI that begins with pkcs11:", key="scheme")
    path, _, query = rest.partition("?")
    path_values = _attributes(path.split(";"), _PATH, _PATH_VALUE)
    query_values = _attributes(query.split("&") if query else (), _QUERY, _QUERY_VALUE)
    values = path_values | query_values
    for name in ("token", "object", "module-path", "pin-source"):
        if name not in values:
            raise _error(name, "is missing")
    if values.get("type", "secret-key") != "secret-key":
        raise _error("type", "has to be secret-key")
    if values.get("generate", "no") not in ("yes", "no"):
        raise _error("generate", "has to be yes or no")
    if not values["module-path"].startswith("/"):
        raise _error("module-path", "has to be an absolute path")
    return Pkcs11Uri(
        token=values["token"],
        object=values["object"],
        module_path=values["module-path"],
        pin_source=_pin_source(values["pin-source"]),
        serial=values.get("serial", ""),
        generate=values.get("generate") == "yes",
    )


def _attributes(parts: Iterable[str], known: frozenset[str], value: re.Pattern[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in parts:
        name, equals, raw = part.partition("=")
        if name not in known:
            raise _error(name, "is not one that is taken here")
        if name in found:
            raise _error(name, "is given twice")
        if not equals or not value.fullmatch(raw):
            raise _error(name, "has no value, or one that is not percent-encoded")
        try:
            found[name] = unquote_to_bytes(raw).decode()
        except UnicodeDecodeError:
            raise _error(name, "is not UTF-8") from None
        if "\0" in found[name]:
            raise _error(name, "has a zero character")
    return found


def _pin_source(text: str) -> str:
    """A path, ``file:`` URI, or ``env:NAME``; not ``|command``, which the specification allows."""
    path = text.removeprefix("file:").removeprefix("//") if text.startswith("file:") else text
    if text.startswith("env:") and len(text) > len("env:"):
        return text
    if not path.startswith("/"):
        raise _error("pin-source", "has to be an absolute path, file:/path or env:NAME")
    return path


def _error(name: str, message: str) -> ConfigError:
    shown = name if name in _PATH | _QUERY | _NOT_TAKEN else "an attribute"
    return config_error(f"PKCS #11 URI: {shown} {message}", key=shown)
