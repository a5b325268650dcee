"""How many half-open connections one peer address may have, so that none takes all of a server's.

Of IPv6 it is the /64 that counts: one host has all the addresses in it. Who connects over a Unix socket is on
this machine, and is not counted.
"""

from __future__ import annotations

from ipaddress import AddressValueError, IPv6Address

from eaa.errors import RemoteProtocolError

__all__ = ["PeerBound", "PeerPlace"]

_HOST_BITS = 64


class PeerPlace:
    """The place of one connection among those of its address."""

    __slots__ = ("_bound", "_source")

    def __init__(self, bound: PeerBound, source: str) -> None:
        self._bound, self._source = bound, source

    def leave(self) -> None:
        """Once, when the connection is open or over."""
        self._bound._leave(self._source)


class PeerBound:
    """One server's counts, of addresses that have half-open connections only. Not thread-safe."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._counts: dict[str, int] = {}

    def enter(self, peername: object) -> PeerPlace:
        """A place for a connection from ``peername``, as asyncio's ``get_extra_info`` has it.

        Raises:
            RemoteProtocolError: ``remote_protocol.half_open_peer``; its address has as many as it may.
        """
        source = _source(peername)
        count = self._counts.get(source, 0)
        if source and count >= self._bound:
            raise RemoteProtocolError(
                f"{source} has {count} connections that are half-open, as many as one address may have",
                detail="half_open_peer",
            )
        self._counts[source] = count + 1
        return PeerPlace(self, source)

    def _leave(self, source: str) -> None:
        self._counts[source] -= 1
        if not self._counts[source]:
            del self._counts[source]


def _source(peername: object) -> str:
    """What is counted; empty for who is not."""
    match peername:
        case (str(host), int(), *_):
            pass
        case _:
            return ""
    try:
        address = IPv6Address(host.partition("%")[0])
    except AddressValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    prefix = int(address) >> _HOST_BITS << _HOST_BITS
    return f"{IPv6Address(prefix)}/{_HOST_BITS}"
