"""Two ends of an attested channel in one process, and whoever is between them: bytes in, bytes out."""

from __future__ import annotations

from typing import Protocol

from eaa.appraisal.result import AttestationResult
from eaa.errors import RemoteProtocolError
from eaa.tls.gate_events import Appraise, Collect
from eaa.tls.peer import Profile, Role
from eaa.transport.channel import Channel, Credentials
from eaa.transport.config import ChannelConfig
from eaa.transport.endpoint import endpoint_of
from eaa.transport.engine import TlsEngine

__all__ = ["End", "Relay", "connect"]

#: More flights than any handshake and gate take.
_MAX_FLIGHTS = 20
_SECONDS = 30


class Other(Protocol):
    """Who is at the other end of the client's connection."""

    def exchange(self, data: bytes) -> bytes: ...


class End:
    """One end, that does at once what its channel asks for; ``stolen`` replaces its own credentials."""

    def __init__(self, role: Role, config: ChannelConfig, stolen: Credentials | None = None) -> None:
        self.config = config
        self.credentials = stolen or endpoint_of(config).credentials(role).result(_SECONDS)
        self.channel = Channel(role, config, self.credentials)
        self.result: AttestationResult | None = None
        self.channel.start()

    def exchange(self, data: bytes) -> bytes:
        """What is to be sent after ``data`` came.

        Raises:
            EAAError: the peer is refused.
        """
        self.channel.feed(data)
        while (event := self.channel.next_event()) is not None:
            if isinstance(event, Collect) and self.config.attester:
                self.channel.provide(self.config.attester.collect(event.report_data))
            elif isinstance(event, Appraise) and self.config.verifier:
                self.result = self.config.verifier.verify(
                    event.evidence, report_data=event.report_data, now=self.config.clock()
                )
                self.channel.accepted(self.result)
        return self.channel.take()


class Relay:
    """A machine with the workload's TLS key, and none of its hardware, between a client and the workload.

    It ends TLS on both sides, and carries what is inside from one to the other.
    """

    def __init__(self, stolen: Credentials, own: Credentials, profile: Profile, workload: End) -> None:
        self._client_side = TlsEngine(stolen.context, Role.SERVER, profile)
        self._workload_side = TlsEngine(own.context, Role.CLIENT, profile)
        self._workload = workload

    def exchange(self, data: bytes) -> bytes:
        self._client_side.feed(data)
        ready = self._client_side.handshake()
        while not self._workload_side.handshake():
            self._ask_workload()
        if ready:
            _carry(self._client_side, self._workload_side)
            self._ask_workload()
            _carry(self._workload_side, self._client_side)
        return self._client_side.take()

    def _ask_workload(self) -> None:
        self._workload_side.feed(self._workload.exchange(self._workload_side.take()))


def _carry(source: TlsEngine, sink: TlsEngine) -> None:
    while data := source.read():
        sink.write(data)


def connect(client: End, other: Other) -> AttestationResult:
    """The client's verdict on who is at the other end, once its channel is open.

    Raises:
        EAAError: it refuses.
    """
    data = client.channel.take()
    for _ in range(_MAX_FLIGHTS):
        data = client.exchange(other.exchange(data))
        if client.channel.open and client.result is not None:
            return client.result
    raise RemoteProtocolError("the channel did not open", detail="not_open")
