"""Asking one node for the evidence of the workload behind it, or with ``direct`` for its own.

In order, all of this holds before a result is handed on:

1. The channel to the node is open: its evidence, if the verifier is no null one, is genuine.
2. The answer to a nonce that was drawn for this question has claims with exactly this nonce.
3. The workload's evidence is genuine, and its signed report data is that of these claims.
4. It is acceptable under the policy, reference values included if there are any.

What a forwarder can do is to answer nothing. The workload's evidence it can neither make nor reuse.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from eaa.appraisal.result import AttestationResult
from eaa.cli.nodes import Node
from eaa.cli.remoteattestation_answer import WORKLOAD_ABSENT, encode_request, parse_answer, require_relayed
from eaa.errors import AppraisalDenied, EAAError, FormatError, RemoteProtocolError, outcome_of
from eaa.tls.claims import NONCE_BYTES, gate_report_data
from eaa.tls.peer import PeerIdentity, PeerVerifier
from eaa.transport.config import ChannelConfig
from eaa.transport.streams import AttestedStream, open_attested_connection

__all__ = ["Failure", "Question", "Seen", "ask"]

_CLOSING_SECONDS = 1.0
_UNAVAILABLE = 40


@dataclass(frozen=True, slots=True)
class Question:
    """``verifier`` decides about the workload's evidence, that of ``config`` about the channel's peer.

    Without ``verifier`` the peer is the workload itself, and is asked nothing further.
    ``timeout_seconds`` is for each address: connection, evidence and answer.
    """

    config: ChannelConfig
    verifier: PeerVerifier | None
    timeout_seconds: float

    @property
    def direct(self) -> bool:
        return self.verifier is None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no accepted result. Codes of ``unavailable`` are no errors of ours or of the node's."""

    verdict: str
    code: str
    exit_code: int
    reason: str

    @classmethod
    def of(cls, error: EAAError) -> Failure:
        outcome = outcome_of(error)
        return cls(outcome.verdict, error.code, outcome.exit_code, str(error))

    @classmethod
    def unavailable(cls, detail: str, reason: str) -> Failure:
        return cls("unavailable", f"unavailable.{detail}", _UNAVAILABLE, reason)


@dataclass(slots=True)
class Seen:
    """What came of one node. ``result`` may be a denied one; ``peer`` is the channel's, once it was open."""

    address: str
    at: datetime
    peer: PeerIdentity | None = None
    result: AttestationResult | None = None
    failure: Failure | None = None


async def ask(node: Node, question: Question) -> Seen:
    """What is seen of ``node``; nothing that it does is raised."""
    tried = []
    for address in node.addresses:
        seen = Seen(address, question.config.clock())
        try:
            async with asyncio.timeout(question.timeout_seconds):
                await _ask(seen, question)
        except TimeoutError:
            hop = address if seen.peer is None else f"the answer of {address}, whose channel opened,"
            reason = f"{hop} took longer than {question.timeout_seconds:g} s"
            seen.failure = Failure.unavailable("timeout", reason)
        except OSError as error:
            # asyncio writes the address into strerror.
            tried.append(
                f"{address}: {os.strerror(error.errno) if error.errno and error.errno > 0 else error}"
            )
            continue
        except EAAError as error:
            seen.failure = _failure(address, error)
            if seen.peer is None:
                seen.failure = replace(seen.failure, reason=f"no channel to {address}: {error}")
            # Of a channel that did not open it is the forwarder's.
            if isinstance(error, AppraisalDenied) and (question.direct or seen.peer is not None):
                seen.result = error.result
        return seen
    seen = Seen(str(node), question.config.clock())
    seen.failure = Failure.unavailable("connection", f"nobody can be reached; tried {'; '.join(tried)}")
    return seen


def _failure(address: str, error: EAAError) -> Failure:
    if error.code == WORKLOAD_ABSENT:
        reason = f"{address} was reached, and the workload behind it was not: {error}"
        return Failure.unavailable("workload", reason)
    return Failure.of(error)


async def _ask(seen: Seen, question: Question) -> None:
    # 1.
    stream = await open_attested_connection(seen.address, question.config)
    try:
        seen.peer = stream.peer
        if question.verifier is None:
            seen.result = stream.peer.result
        else:
            seen.result = await _relayed(stream, question.verifier, question.config.clock)
    finally:
        stream.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(stream.wait_closed(), _CLOSING_SECONDS)


async def _relayed(
    stream: AttestedStream, verifier: PeerVerifier, clock: Callable[[], datetime]
) -> AttestationResult | None:
    # 2.
    nonce = secrets.token_bytes(NONCE_BYTES)
    stream.write(encode_request(nonce))
    await stream.drain()
    answer = parse_answer(await _line(stream))
    require_relayed(answer.claims, nonce=nonce, forwarder_spki=stream.peer.spki)
    # 3.–4.
    return await asyncio.to_thread(
        verifier.verify,
        answer.attached,
        report_data=gate_report_data(answer.claims),
        now=clock(),
    )


async def _line(stream: AttestedStream) -> bytes:
    try:
        line = await stream.readline()
    except ValueError:
        raise FormatError(
            "longer than a line may be", what="answer of the forwarder", field="length", detail="too_large"
        ) from None
    if not line:
        raise RemoteProtocolError("the node closed the channel without an answer", detail="no_answer")
    return line
