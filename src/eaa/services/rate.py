"""How often an address may ask."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from eaa.errors import LimitExceeded

__all__ = ["RateLimit"]

_MAX_ADDRESSES = 16384
#: How many may come at once after a pause, in seconds' worth.
_BURST_SECONDS = 2.0
_IPV6_PREFIX_BITS = 64


class RateLimit:
    """A token bucket for each address, an IPv6 network of 64 bits counting as one; 0 is no limit.

    An IPv4 address is the same where a listener of both families has it as an IPv6 one.

    At most 16,384 addresses are remembered; the one that was silent longest is forgotten first.
    """

    def __init__(
        self, per_second: float, clock: Callable[[], float], *, burst_seconds: float = _BURST_SECONDS
    ) -> None:
        self._rate, self._clock = per_second, clock
        self._most = max(1.0, per_second * burst_seconds)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> None:
        """One of ``address``.

        Raises:
            LimitExceeded: ``limit.rate``.
        """
        if not self._rate:
            return
        name, now = _network(address), self._clock()
        left, since = self._buckets.pop(name, (self._most, now))
        left = min(self._most, left + (now - since) * self._rate)
        granted = left >= 1
        self._buckets[name] = (left - 1 if granted else left, now)
        if len(self._buckets) > _MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        if not granted:
            raise LimitExceeded(f"{name} asks more often than {self._rate:g} times per second", detail="rate")


def _network(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(IPv6Address(int(parsed) >> _IPV6_PREFIX_BITS << _IPV6_PREFIX_BITS))
    return address
