"""``aa_kbc_params``: which module fetches secrets, and where from [COCO-GUEST]."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from eaa.codec.hosts import is_loopback
from eaa.errors import ConfigError, UnsupportedError, UsageError
from eaa.transport.address import TcpAddress, parse_address

__all__ = ["CC_KBC", "EAA_KBC", "OFFLINE_FS_KBC", "KbcParams", "kernel_parameter", "parse_params"]

CC_KBC, EAA_KBC, OFFLINE_FS_KBC = "cc_kbc", "eaa_kbc", "offline_fs_kbc"
KERNEL_PARAMETER = "agent.aa_kbc_params"
_MAX_CHARACTERS = 2048
_SEPARATOR = "::"
_OTHERS: Mapping[str, str] = MappingProxyType(
    {
        "sample_kbc": "its key is public; take offline_fs_kbc",
        "offline_sev_kbc": "secrets injected at launch are not implemented",
        "online_sev_kbc": "secrets injected at launch are not implemented",
    }
)


@dataclass(frozen=True, slots=True)
class KbcParams:
    """A module's name and the URI of its broker: a URL, ``host:port``, or ``null``."""

    name: str
    uri: str

    def __str__(self) -> str:
        return f"{self.name}{_SEPARATOR}{self.uri}"

    @property
    def proves_broker(self) -> bool:
        """Whether what is fetched can only come from the broker that is named.

        Not over plain HTTP, except on loopback: a secret is encrypted to this guest's key, and anybody can
        encrypt to it.
        """
        if self.name != CC_KBC:
            return True
        parts = urlsplit(self.uri)
        return parts.scheme == "https" or is_loopback(parts.hostname)

    def require_same(self, name: str, uri: str) -> None:
        """Holds if a caller that names a module, or nothing, means this one.

        Raises:
            UsageError: ``usage.kbc``: it means another; which broker is asked is the agent's configuration.
        """
        same_uri = not uri or uri.rstrip("/") == self.uri.rstrip("/")
        if name and (name != self.name or not same_uri):
            raise UsageError(
                f"this agent is configured for {self}, and was asked for {name}{_SEPARATOR}{uri}"[:512],
                detail="kbc",
            )


def parse_params(text: str) -> KbcParams:
    """``cc_kbc::http://…``, ``eaa_kbc::host:port`` or ``offline_fs_kbc::null``.

    Raises:
        ConfigError: ``config.aa_kbc_params``.
        UnsupportedError: ``unsupported.kbc``: a module of the original that there is not, with the reason.
    """
    name, separator, uri = text.strip().partition(_SEPARATOR)
    if name in _OTHERS:
        raise UnsupportedError(f"aa_kbc_params: {name}: {_OTHERS[name]}", detail="kbc")
    if not separator or name not in _PARSERS or len(text) > _MAX_CHARACTERS:
        raise _error(text, f"expected {', '.join(_PARSERS)}, then :: and where its broker is")
    return KbcParams(name, _PARSERS[name](uri, text))


def kernel_parameter(command_line: str) -> str:
    """The value of ``agent.aa_kbc_params=`` on a kernel's command line, empty if there is none.

    Raises:
        ConfigError: it is there twice and differs.
    """
    prefix = f"{KERNEL_PARAMETER}="
    found = {word.removeprefix(prefix) for word in command_line.split() if word.startswith(prefix)}
    if len(found) > 1:
        raise ConfigError(
            f"the kernel's command line has {KERNEL_PARAMETER} more than once, and differently",
            detail="aa_kbc_params", key=KERNEL_PARAMETER,
        )  # fmt: skip
    return found.pop() if found else ""


def _url(uri: str, text: str) -> str:
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        raise _error(text, "expected an URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise _error(text, "expected http://host[:port] or https://host[:port]")
    if parts.query or parts.fragment or parts.username is not None:
        raise _error(text, "expected an URL without query, fragment and user")
    return uri.rstrip("/")


def _host_and_port(uri: str, text: str) -> str:
    try:
        where = parse_address(f"tcp://{uri}")
    except UsageError:
        raise _error(text, "expected host:port") from None
    assert isinstance(where, TcpAddress)  # noqa: S101 - of the scheme given
    if where.port == 0 or _is_unspecified(where.host):
        raise _error(text, "expected a host and a port that can be connected to")
    return uri


def _null(uri: str, text: str) -> str:
    if uri not in ("", "null"):
        raise _error(text, "expected null")
    return "null"


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _error(text: str, message: str) -> ConfigError:
    return ConfigError(
        f"aa_kbc_params {text[:120]!r}: {message}", detail="aa_kbc_params", key="aa_kbc_params"
    )


_PARSERS = MappingProxyType({CC_KBC: _url, EAA_KBC: _host_and_port, OFFLINE_FS_KBC: _null})
