"""What one end of an attested channel is configured with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from eaa.errors import ConfigError
from eaa.tls.gate_state import Terms
from eaa.tls.instances import NULL_ATTESTER, NULL_VERIFIER
from eaa.tls.peer import Attester, PeerVerifier, Profile, Role

__all__ = ["ChannelConfig", "utc_now"]


_NULL_INSTANCES = (NULL_ATTESTER, NULL_VERIFIER)


def utc_now() -> datetime:
    """The time of this machine, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, eq=False)
class ChannelConfig:
    """Either end's configuration; one value serves any number of connections and both roles.

    TLS keys, certificates and caches belong to the value: two values share nothing.

    Attributes:
        profile: how evidence and channel are bound. The other end must have the same; nothing is negotiated.
        attester: collects this end's evidence. A server has one, a client needs one if ``mutual``.
        verifier: decides about the peer's. A client has one, a server needs one if ``mutual``.
        mutual: a server demands evidence of its clients, a client has evidence to show.
        policy_version: changes whenever the verifier would decide differently, e.g. by a new policy.
        handshake_seconds: from the connection to its first application byte, and for each renewal.
        max_half_open: connections of one server that are not open yet; more are closed at once.
        max_half_open_per_peer: of them, those from one address, of IPv6 from one /64; ``None``: a quarter.
            A server behind a gateway that hides addresses needs as many as ``max_half_open``.
        max_connections: of one server, open or not; more are closed at once.
        unread_seconds: how long a peer of a server may take nothing of what waits for it, more than
            1 MiB, or anything if it is passed on from another channel.
        max_concurrent_collections: how often the attester is asked at a time.
        max_result_seconds: how long a verdict on the same evidence is remembered.
        reattest_seconds: after which both ends show evidence anew on the live connection; ``None``: never.
            Under ``ratls-cert`` there is nothing to renew: it must be ``None``.
        clock: the time at which evidence is judged, aware.

    Raises:
        ConfigError: a value that could never be meant.
    """

    attester: Attester | None
    verifier: PeerVerifier | None
    profile: Profile = Profile.EXPORTER_V1
    mutual: bool = False
    policy_version: str = ""
    handshake_seconds: float = 10.0
    max_half_open: int = 256
    max_half_open_per_peer: int | None = None
    max_connections: int = 4096
    unread_seconds: float = 60.0
    max_concurrent_collections: int = 2
    max_result_seconds: float = 300.0
    reattest_seconds: float | None = None
    clock: Callable[[], datetime] = utc_now
    #: The endpoint that lives as long as this value; see eaa.transport.endpoint.
    shared: list[object] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.mutual and (self.attester is None or self.verifier is None):
            raise _error("mutual", "both ends need an attester and a verifier")
        for name in (
            "handshake_seconds", "max_half_open", "max_connections", "unread_seconds",
            "max_concurrent_collections",
        ):  # fmt: skip
            if getattr(self, name) <= 0:
                raise _error(name, "must be above zero")
        if self.max_half_open_per_peer is not None and self.max_half_open_per_peer <= 0:
            raise _error("max_half_open_per_peer", "must be above zero")
        if self.max_result_seconds < 0:
            raise _error("max_result_seconds", "must not be below zero")
        if self.reattest_seconds is not None and self.reattest_seconds <= 0:
            raise _error("reattest_seconds", "must be above zero")
        if self.reattest_seconds is not None and self.profile is Profile.RATLS_CERT:
            raise _error("reattest_seconds", "evidence in a certificate cannot be renewed on a connection")

    @property
    def half_open_per_peer(self) -> int:
        """The bound for one peer address, at least one."""
        own = self.max_half_open_per_peer
        return own if own is not None else max(1, self.max_half_open // 4)

    def require_role(self, role: Role) -> None:
        """Holds if this configuration is whole for ``role``.

        Raises:
            ConfigError: a server without attester, a client without verifier.
        """
        if role is Role.SERVER and self.attester is None:
            raise _error("attester", "a server has evidence to show")
        if role is Role.CLIENT and self.verifier is None:
            raise _error("verifier", "a client verifies its server; a null verifier is named")

    def terms(self, role: Role) -> Terms:
        """What this end demands and provides as ``role``. Null instances demand and provide nothing."""
        client = role is Role.CLIENT
        demands = (client or self.mutual) and not _is_null(self.verifier)
        provides = (not client or self.mutual) and not _is_null(self.attester)
        return Terms(demands, provides)

    def warnings(self, role: Role) -> tuple[str, ...]:
        """What is to be said at every connection: which of the instances in use prove nothing, or little."""
        client = role is Role.CLIENT
        in_use = (
            self.verifier if client or self.mutual else None,
            self.attester if not client or self.mutual else None,
        )
        return tuple(warning for item in in_use if (warning := getattr(item, "warning", "")))


def _is_null(instance: Attester | PeerVerifier | None) -> bool:
    return instance is None or instance.name in _NULL_INSTANCES


def _error(key: str, message: str) -> ConfigError:
    return ConfigError(f"attested channel: {key}: {message}", detail=f"channel_{key}", key=key)
