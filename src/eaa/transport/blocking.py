"""Attested channels on blocking sockets.

    with connect("tcp://127.0.0.1:1234", config) as channel:
        assert channel.peer.proven
        channel.send(b"hello")
        answer = channel.recv()

One thread may receive while another sends. What the peer asks for meanwhile, evidence anew among it, is
done by whoever receives: a program that never receives cannot be attested again.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections import deque
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from types import TracebackType
from typing import Self, TypeVar

from eaa.errors import AttesterError, EAAError, RemoteProtocolError
from eaa.tls.gate_events import (
    Answered,
    Appraise,
    Collect,
    CollectAnswer,
    Data,
    Ended,
    Event,
    Opened,
    Renewed,
)
from eaa.tls.peer import PeerIdentity, Role
from eaa.transport.address import TcpAddress, UnixAddress, parse_address
from eaa.transport.channel import Channel
from eaa.transport.config import ChannelConfig
from eaa.transport.endpoint import Endpoint, endpoint_of
from eaa.transport.failures import as_eaa_error, log_failure, log_opened

__all__ = ["AttestedSocket", "connect", "wrap_client", "wrap_server"]

_RECEIVE_BYTES = 256 * 1024
#: Data that comes while an answer to a challenge is awaited.
_MAX_UNREAD_BYTES = 1024 * 1024

T = TypeVar("T")


def connect(address: str, config: ChannelConfig, *, timeout_seconds: float | None = None) -> AttestedSocket:
    """An open channel to the server at ``address``, its evidence accepted.

    Args:
        address: ``tcp://host:port`` or ``unix://path``.
        config: with a verifier.
        timeout_seconds: for each later call; the handshake has its own deadline.

    Raises:
        UsageError, ConfigError: before anything was connected.
        OSError: nobody is there.
        EAAError: the peer was refused, or refused.
    """
    config.require_role(Role.CLIENT)
    match parse_address(address):
        case TcpAddress(host, port):
            sock = socket.create_connection((host, port), config.handshake_seconds)
        case UnixAddress(path):
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.settimeout(config.handshake_seconds)
                sock.connect(path)
            except OSError:
                sock.close()
                raise
    return wrap_client(sock, config, timeout_seconds=timeout_seconds)


def wrap_client(
    sock: socket.socket, config: ChannelConfig, *, timeout_seconds: float | None = None
) -> AttestedSocket:
    """As :func:`connect`, on a connected socket, which is closed with the channel."""
    return AttestedSocket(sock, endpoint_of(config), Role.CLIENT, timeout_seconds)


def wrap_server(
    sock: socket.socket, config: ChannelConfig, *, timeout_seconds: float | None = None
) -> AttestedSocket:
    """An open channel on an accepted socket, which is closed with the channel, and also if this raises.

    Raises:
        ConfigError: without an attester.
        EAAError: the peer was refused, or refused. It is logged.
    """
    return AttestedSocket(sock, endpoint_of(config), Role.SERVER, timeout_seconds)


class AttestedSocket:
    """An open channel. See :func:`connect` and :func:`wrap_server`, which make it."""

    def __init__(
        self, sock: socket.socket, endpoint: Endpoint, role: Role, timeout_seconds: float | None
    ) -> None:
        self._sock, self._endpoint, self._role = sock, endpoint, role
        self._config = endpoint.config
        self._timeout = timeout_seconds
        self._unread: deque[bytes] = deque()
        self._ended = self._opened = self._closed = False
        self._answer: Answered | None = None
        self._error: EAAError | None = None
        # Held around each use of the channel and each send, so that records leave in order.
        self._lock = threading.RLock()
        self._deadline: float | None = time.monotonic() + self._config.handshake_seconds
        self._renew_at: float | None = None
        try:
            credentials = self._wait(endpoint.credentials(role))
            self._channel = Channel(role, self._config, credentials)
            self._channel.start()
            self._flush()
            while not self._opened:
                self._step(None)
            sock.settimeout(timeout_seconds)
        except Exception as error:
            found = self._failed(error)
            raise found from found.__cause__
        except BaseException:
            sock.close()
            raise

    @property
    def peer(self) -> PeerIdentity:
        """Who is at the other end, as proven last."""
        return self._channel.peer

    def settimeout(self, timeout_seconds: float | None) -> None:
        """For each later call."""
        self._timeout = timeout_seconds
        self._sock.settimeout(timeout_seconds)

    def readable(self) -> bool:
        """Whether :meth:`recv` has something to look at: data, or the end of the connection."""
        if self._unread or self._closed or self._ended:
            return True
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return bool(poll.poll(0))

    def recv(self, count: int = 64 * 1024) -> bytes:
        """At least one and at most ``count`` bytes; empty at the peer's end of data.

        Raises:
            TimeoutError: nothing came in time; the channel goes on.
            EAAError: the channel failed; a truncation is no end of data.
        """
        until = self._until()
        while not self._unread:
            if self._error is not None:
                raise self._error
            if self._ended or self._closed:
                return b""
            self._guarded_step(until)
        data = self._unread.popleft()
        if len(data) > count:
            self._unread.appendleft(data[count:])
        return data[:count]

    def send(self, data: bytes) -> None:
        """All of ``data`` to the peer.

        Raises:
            TimeoutError: the peer does not take it; the channel is of no more use.
            EAAError: the channel is closed or failed.
        """
        with self._lock:
            self._sock.settimeout(self._timeout)
            self._channel.send(data)
            self._flush()

    def finish(self) -> None:
        """Say that no more is sent; receiving goes on."""
        with self._lock:
            self._channel.finish()
            self._flush()

    def challenge(self, nonce: bytes) -> Answered:
        """Evidence of the peer's key for somebody's ``nonce``, 32 bytes. Not verified here.

        Not while another thread receives.

        Raises:
            RemoteProtocolError: no answer within the deadline, or too much data before it.
            AttesterError: the peer provides no evidence.
        """
        with self._lock:
            self._channel.challenge(nonce)
            self._flush()
        self._answer = None
        self._start_deadline()
        while self._answer is None:
            if self._ended or sum(map(len, self._unread)) > _MAX_UNREAD_BYTES:
                raise self._failed(RemoteProtocolError("no answer to a challenge", detail="answer_missing"))
            if self._error is not None:
                raise self._error
            self._guarded_step(None)
        self._stop_deadline()
        return self._answer

    def close(self) -> None:
        """Close in good order."""
        if not self._closed:
            self._closed = True
            try:
                with self._lock:
                    self._channel.close()
                    self._flush()
            except (EAAError, OSError):
                pass  # it is gone already
            finally:
                self._sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # One read of the socket, and all that follows from it.

    def _guarded_step(self, until: float | None) -> None:
        """As :meth:`_step`. A failure is kept for when what came before it has been received."""
        try:
            self._step(until)
        except TimeoutError:
            raise
        except (EAAError, OSError) as error:
            self._error = self._failed(error)

    def _step(self, until: float | None) -> None:
        """Raises ``TimeoutError`` at ``until``, of the monotonic clock."""
        self._renew_if_due()
        self._sock.settimeout(self._remaining(until))
        try:
            ciphertext = self._sock.recv(_RECEIVE_BYTES)
        except TimeoutError:
            now = time.monotonic()
            if self._deadline is not None and now >= self._deadline:
                raise self._late() from None
            if until is not None and now >= until:
                raise
            return
        with self._lock:
            if ciphertext:
                self._channel.feed(ciphertext)
        self._events()
        if not ciphertext:
            self._channel.end_of_network()
            self._ended = True

    def _events(self) -> None:
        while True:
            with self._lock:
                event = self._channel.next_event()
                self._flush()
                renewing = self._channel.renewing
            if renewing and self._deadline is None:
                self._start_deadline()
            if event is None:
                return
            self._dispatch(event)

    def _dispatch(self, event: Event) -> None:
        match event:
            case Data(data):
                self._unread.append(data)
            case Collect(report_data):
                attached = self._wait(self._endpoint.collect(report_data))
                with self._lock:
                    self._channel.provide(attached)
            case CollectAnswer(report_data):
                attached = self._wait(self._endpoint.collect(report_data))
                with self._lock:
                    self._channel.answer(attached)
            case Appraise(evidence, report_data):
                verdict = self._wait(self._endpoint.appraise(evidence, report_data))
                with self._lock:
                    self._channel.accepted(verdict)
            case Opened() | Renewed():
                self._settled(event)
            case Answered():
                self._answer = event
            case Ended():
                self._ended = True

    def _settled(self, event: Opened | Renewed) -> None:
        self._stop_deadline()
        if self._config.reattest_seconds is not None:
            self._renew_at = time.monotonic() + self._config.reattest_seconds
        if isinstance(event, Opened):
            self._opened = True
            log_opened(self.peer, self._config.warnings(self._role))

    def _renew_if_due(self) -> None:
        if self._renew_at is not None and time.monotonic() >= self._renew_at:
            self._renew_at = None
            with self._lock:
                if self._channel.open:
                    self._channel.renew()
                    self._flush()
                    self._start_deadline()

    def _flush(self) -> None:
        out = self._channel.take_buffer()
        if out:
            self._sock.sendall(out)

    # Time.

    def _start_deadline(self) -> None:
        self._deadline = time.monotonic() + self._config.handshake_seconds

    def _stop_deadline(self) -> None:
        self._deadline = None

    def _until(self) -> float | None:
        return None if self._timeout is None else time.monotonic() + self._timeout

    def _remaining(self, until: float | None) -> float | None:
        now = time.monotonic()
        limits = [at for at in (until, self._deadline, self._renew_at) if at is not None]
        return max(0.001, min(limits) - now) if limits else None

    def _wait(self, future: Future[T]) -> T:
        """The result of work in a thread, within the deadline, or a new one."""
        until = self._deadline or time.monotonic() + self._config.handshake_seconds
        try:
            return future.result(max(0.0, until - time.monotonic()))
        except FutureTimeout:
            raise AttesterError(
                f"evidence took longer than {self._config.handshake_seconds:g} s here", detail="deadline"
            ) from None

    def _late(self) -> RemoteProtocolError:
        return RemoteProtocolError(
            f"the peer took longer than {self._config.handshake_seconds:g} s", detail="deadline"
        )

    def _failed(self, error: BaseException) -> EAAError:
        """``error`` as one of ours, after the channel was closed because of it."""
        found = as_eaa_error(error)
        channel: Channel | None = getattr(self, "_channel", None)
        self._closed = True
        try:
            if channel is not None:
                with self._lock:
                    channel.fail(found)
                    self._sock.settimeout(1)
                    self._flush()
        except OSError:
            pass  # there is nobody to tell
        finally:
            if self._role is Role.SERVER:
                log_failure(found, self._role, _peer_name(self._sock))
            self._sock.close()
        return found


def _peer_name(sock: socket.socket) -> object:
    try:
        return sock.getpeername()
    except OSError:
        return None
