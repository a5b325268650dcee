"""Where a registry is: HTTPS, and plain HTTP only on this machine's loopback."""

from __future__ import annotations

from urllib.parse import SplitResult, urljoin, urlsplit

import httpx

from eaa.codec.hosts import is_loopback
from eaa.errors import RemoteProtocolError

__all__ = ["follow", "registry_host", "require_secure"]

_SERVED_BY = {"docker.io": "registry-1.docker.io"}


def registry_host(registry: str) -> str:
    """Host and port that serve ``registry``, the first part of an image's name."""
    return _SERVED_BY.get(registry, registry)


def require_secure(url: str, *, what: str) -> SplitResult:
    """``url`` in parts: ``https``, or ``http`` on loopback, no user, and a host that can be looked up.

    Raises:
        RemoteProtocolError: ``remote_protocol.insecure_url``.
    """
    try:
        parts = urlsplit(url)
        secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
        plain = parts.username is None and parts.password is None and parts.port != 0
        # What would be asked, in the terms of who asks and of who looks names up.
        httpx.URL(parts.geturl()).raw_host.decode("ascii").encode("idna")
    except (ValueError, httpx.InvalidURL):
        raise _insecure(url, what) from None
    if not secure or not plain or not parts.hostname:
        raise _insecure(url, what)
    return parts


def follow(source: str, location: str, *, what: str) -> str:
    """The URL that a redirect from ``source`` to ``location`` leads to: https, or the same origin.

    Raises:
        RemoteProtocolError: ``remote_protocol.insecure_url``: anything else.
    """
    try:
        target = urljoin(source, location)
    except ValueError:
        raise _insecure(location, what) from None
    new, old = require_secure(target, what=what), urlsplit(source)
    if (new.scheme, new.netloc) != (old.scheme, old.netloc) and new.scheme != "https":
        raise RemoteProtocolError(
            f"{what}: redirected from {old.netloc} to {target[:128]!r}, which is neither https nor the "
            "same host",
            detail="insecure_url",
        )
    return new.geturl()


def _insecure(url: str, what: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"{what}: expected an https URL, got {url[:128]!r}", detail="insecure_url")
