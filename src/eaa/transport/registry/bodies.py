"""Bodies of answers as they were sent, read within bounds."""

from __future__ import annotations

import httpx

from eaa.errors import RemoteProtocolError

__all__ = ["read_beginning", "read_body", "require_identity"]


async def read_body(response: httpx.Response, limit: int, *, what: str) -> bytes:
    """All of a streamed body.

    Raises:
        RemoteProtocolError: ``remote_protocol.too_large``: more than ``limit`` bytes.
        httpx.HTTPError: the connection broke.
    """
    require_identity(response, what=what)
    content = bytearray()
    async for part in response.aiter_raw():
        content += part
        if len(content) > limit:
            raise RemoteProtocolError(f"{what}: more than {limit} bytes came", detail="too_large")
    return bytes(content)


async def read_beginning(response: httpx.Response, limit: int) -> bytes:
    """At most ``limit`` bytes of a streamed body that is no more than words about its status.

    Raises:
        httpx.HTTPError: the connection broke.
    """
    content = bytearray()
    async for part in response.aiter_raw():
        content += part
        if len(content) >= limit:
            break
    return bytes(content[:limit])


def require_identity(response: httpx.Response, *, what: str) -> None:
    """Holds if the body is as it was stored: digests are over those bytes."""
    coding = response.headers.get("content-encoding", "identity")
    if coding != "identity":
        raise RemoteProtocolError(
            f"{what}: expected no Content-Encoding, got {coding[:32]!r}", detail="content_encoding"
        )
