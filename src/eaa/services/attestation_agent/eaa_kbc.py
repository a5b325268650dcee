"""``eaa_kbc``: secrets from verdictd, over attested TLS: each end verifies the other's evidence. In order:

 1. The channel is open, both ends' evidence accepted; one that broke is opened again.
 2. The peer speaks the protocol, in its version v1.
 3. One question at a time is asked and answered.

After anything but a whole answer the channel is closed: what else came would belong to another question.
"""

from __future__ import annotations

import asyncio
import math
from typing import Protocol, TypeVar

from eaa.broker.names import ResourcePath
from eaa.errors import AccessDenied, EAAError, LocalProtocolError, RemoteProtocolError, UnsupportedError
from eaa.oci.key_id import KeyId
from eaa.services.attestation_agent.eaa_replies import (
    ObjectReply,
    TextReply,
    encode_request,
    parse_keys,
    parse_size,
    parse_version,
)
from eaa.services.attestation_agent.failures import advice_for, is_transient, step
from eaa.services.attestation_agent.patience import Patience
from eaa.services.attestation_agent.refusals import Refusals
from eaa.transport.config import ChannelConfig
from eaa.transport.streams import AttestedStream, open_attested_connection

__all__ = ["EaaKbc"]

_CHUNK_BYTES = 64 * 1024
_OPENING = "opening"
T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class _Reply(Protocol[T_co]):
    def feed(self, data: bytes) -> T_co | None: ...


class EaaKbc:
    """A module, for one event loop.

    Args:
        where: ``host:port`` of verdictd's attested channel.
        config: whose attester shows this guest's evidence, and whose verifier decides about verdictd's.
        patience: with each request.
        refused_seconds: how long a channel that was refused is the answer to all that is asked.
    """

    def __init__(
        self, where: str, config: ChannelConfig, *, patience: Patience, refused_seconds: float
    ) -> None:
        self._where, self._config, self._patience = where, config, patience
        self._refusals = Refusals(refused_seconds)
        self._stream: AttestedStream | None = None
        self._asking = asyncio.Lock()

    @property
    def valid_seconds(self) -> float:
        return math.inf

    async def resource(self, path: ResourcePath) -> bytes:
        return await self._patience.ask(lambda: self._resource(path))

    async def key(self, kid: KeyId) -> bytes:
        return await self._patience.ask(lambda: self._key(str(kid)))

    async def token(self) -> bytes:
        raise UnsupportedError("the EAA protocol has no tokens; cc_kbc has", detail="token")

    async def close(self) -> None:
        await self._hang_up()

    async def _resource(self, path: ResourcePath) -> bytes:
        async with self._asking:
            stream = await self._open()
            with step(f"eaa_kbc: fetching {path} from {self._where}", advice_for(self._where, str(path))):
                info = encode_request("Get Resource Info", name=str(path))
                size = parse_size(await self._ask(stream, info, ObjectReply()))
                if not size:
                    return b""
                request = encode_request("Get Resource", optional={"resource_path": str(path)})
                return await self._ask(stream, request, TextReply(size))

    async def _key(self, kid: str) -> bytes:
        async with self._asking:
            stream = await self._open()
            with step(f"eaa_kbc: fetching the key {kid} from {self._where}", advice_for(self._where)):
                return parse_keys(
                    await self._ask(stream, encode_request("Get KEK", kids=[kid]), ObjectReply()), kid
                )

    async def _open(self) -> AttestedStream:
        if self._stream is not None:
            return self._stream
        self._refusals.require_none(_OPENING)
        try:
            # 1.
            with step(f"eaa_kbc: opening an attested channel to {self._where}", advice_for(self._where)):
                stream = self._stream = await self._connect()
                # 2.
                parse_version(await self._ask(stream, encode_request("version"), ObjectReply()))
        except EAAError as error:
            await self._hang_up()
            if not is_transient(error):
                self._refusals.remember(_OPENING, error)
            raise
        return stream

    async def _connect(self) -> AttestedStream:
        try:
            return await open_attested_connection(f"tcp://{self._where}", self._config)
        except (OSError, UnicodeError) as error:  # the latter of a name that cannot be looked up
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise RemoteProtocolError(f"the broker is not reached: {reason}", detail="unreachable") from None
        except RemoteProtocolError as error:
            if "peer_code" not in error.fields:
                raise
            code = error.fields["peer_code"]
            raise AccessDenied(
                f"the broker refuses the channel, mostly for this guest's evidence: {code}",
                detail="channel", code=code,
            ) from None  # fmt: skip

    async def _ask(self, stream: AttestedStream, request: bytes, reply: _Reply[T]) -> T:
        """The whole reply to ``request``."""
        whole = False
        try:
            # 3.
            stream.write(request)
            await stream.drain()
            while True:
                data = await stream.read(_CHUNK_BYTES)
                if not data:
                    raise RemoteProtocolError("the broker ended the channel", detail="truncated")
                answer = reply.feed(data)
                if answer is not None:
                    whole = True
                    return answer
        except LocalProtocolError:
            # It ended between two questions.
            raise RemoteProtocolError("the broker has ended the channel", detail="truncated") from None
        finally:
            if not whole:
                await self._hang_up()

    async def _hang_up(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
