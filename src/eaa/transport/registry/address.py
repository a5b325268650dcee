"""Where a registry is: HTTPS, and plain HTTP only on this machine's loopback."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from eaa.codec.hosts import is_loopback
from eaa.errors import RemoteProtocolError

__all__ = ["follow", "registry_host", "require_secure"]

_SERVED_BY = {"docker.io": "registry-1.docker.io"}


def registry_host(registry: str) -> str:
    """Host and port that serve ``registry``, the first part of an image's name."""
    return _SERVED_BY.get(registry, registry)


def require_secure(url: str, *, what: str) -> SplitResult:
    """``url`` in parts: ``https``, or ``http`` on loopback, with no user in it.

    Raises:
        RemoteProtocolError: ``remote_protocol.insecure_url``.
    """
    try:
        parts = urlsplit(url)
        secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
        plain = parts.username is None and parts.password is None and parts.port != 0
    except ValueError:
        secure = plain = False
    if not secure or not plain or not parts.hostname:
        raise RemoteProtocolError(f"{what}: expected an https URL, got {url[:128]!r}", detail="insecure_url")
    return parts


def follow(source: str, target: str, *, what: str) -> str:
    """The URL that a redirect from ``source`` leads to: https, or the same origin.

    Raises:
        RemoteProtocolError: ``remote_protocol.insecure_url``: anything else.
    """
    old, new = urlsplit(source), urlsplit(target)
    if (new.scheme, new.netloc) != (old.scheme, old.netloc) and new.scheme != "https":
        raise RemoteProtocolError(
            f"{what}: redirected from {old.netloc} to {target[:128]!r}, which is neither https nor the "
            "same host",
            detail="insecure_url",
        )
    return require_secure(target, what=what).geturl()
