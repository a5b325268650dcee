"""The agent's methods by name, for gRPC and ttrpc alike: what each asks of the agent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from google.protobuf.message import Message

from eaa.errors import EAAError, InternalError, RemoteProtocolError, UnsupportedError
from eaa.services.attestation_agent.agent import Agent
from eaa.transport.grpc.agent_api import Handler
from eaa.transport.grpc.wire import attestation_agent_pb2 as aa
from eaa.transport.grpc.wire import confidential_data_pb2 as cdh
from eaa.transport.grpc.wire import getresource_pb2 as getresource
from eaa.transport.grpc.wire import keyprovider_pb2 as keyprovider
from eaa.transport.unexpected import log_unexpected

__all__ = ["agent_handlers", "logged"]

T = TypeVar("T")

_LOG = logging.getLogger("eaa.attestation_agent")


def agent_handlers(agent: Agent, deadline_seconds: float) -> dict[str, Handler]:
    """One for each method of :data:`~eaa.transport.grpc.agent_api.METHODS`."""
    handlers = {**_key_provider(agent), **_resources(agent), **_attestation(agent), **_not_served()}
    return {name: _guarded(name, handler, deadline_seconds) for name, handler in handlers.items()}


def _guarded(name: str, handler: Handler, deadline_seconds: float) -> Handler:
    """``handler``, in the care of :func:`logged`."""

    async def answer(request: Any) -> Message:
        return await logged(name, handler(request), deadline_seconds)

    return answer


async def logged(name: str, answering: Awaitable[T], deadline_seconds: float) -> T:
    """What ``answering`` gives, in time; it raises errors of ours alone, which are logged."""
    try:
        async with asyncio.timeout(deadline_seconds):
            return await answering
    except EAAError as error:
        failure = error
    except TimeoutError:
        failure = RemoteProtocolError(f"{name}: no answer within {deadline_seconds:g} s", detail="timeout")
    except Exception as error:
        log_unexpected(_LOG, name, error)
        failure = InternalError(f"{name} failed: {type(error).__name__}; please report it")
    _LOG.warning("%s: %s: %s", name, failure.code, str(failure))
    raise failure


def _key_provider(agent: Agent) -> Mapping[str, Handler]:
    def with_bytes(ask: Callable[[bytes], Awaitable[bytes]]) -> Handler:
        async def answer(request: Any) -> Message:
            given = request.KeyProviderKeyWrapProtocolInput
            return keyprovider.keyProviderKeyWrapProtocolOutput(
                KeyProviderKeyWrapProtocolOutput=await ask(given)
            )

        return answer

    return {
        "keyprovider.KeyProviderService/WrapKey": with_bytes(agent.wrap_key),
        "keyprovider.KeyProviderService/UnWrapKey": with_bytes(agent.unwrap_key),
    }


def _resources(agent: Agent) -> Mapping[str, Handler]:
    async def first(request: Any) -> Message:
        content = await agent.described_resource(request.ResourcePath, request.KbcName, request.KbsUri)
        return getresource.GetResourceResponse(Resource=content)

    async def today(request: Any) -> Message:
        return cdh.GetResourceResponse(Resource=await agent.resource(request.ResourcePath))

    async def unseal(request: Any) -> Message:
        return cdh.UnsealSecretOutput(plaintext=await agent.unseal(request.secret))

    return {
        "getresource.GetResourceService/GetResource": first,
        "api.GetResourceService/GetResource": today,
        "api.SealedSecretService/UnsealSecret": unseal,
    }


def _attestation(agent: Agent) -> Mapping[str, Handler]:
    async def evidence(request: Any) -> Message:
        return aa.GetEvidenceResponse(Evidence=await agent.evidence.document(request.RuntimeData))

    async def additional_evidence(_: Any) -> Message:
        return aa.GetEvidenceResponse()  # of no device, as guest components say it

    async def token(request: Any) -> Message:
        return aa.GetTokenResponse(Token=await agent.token(request.TokenType))

    async def extend(request: Any) -> Message:
        pcr = request.RegisterIndex if request.HasField("RegisterIndex") else None
        result = await agent.measurement.extend(request.Domain, request.Operation, request.Content, pcr)
        return aa.ExtendRuntimeMeasurementResponse(Result=aa.RuntimeMeasurementResult.Name(result))

    async def bind(request: Any) -> Message:
        await agent.evidence.require_init_data(request.Digest)
        return aa.BindInitDataResponse()

    async def tee(_: Any) -> Message:
        return aa.GetTeeTypeResponse(tee=await agent.evidence.tee())

    async def additional_tees(_: Any) -> Message:
        return aa.GetAdditionalTeesResponse()

    handlers: dict[str, Handler] = {
        "GetEvidence": evidence,
        "GetAdditionalEvidence": additional_evidence,
        "GetToken": token,
        "ExtendRuntimeMeasurement": extend,
        "BindInitData": bind,
        "GetTeeType": tee,
        "GetAdditionalTees": additional_tees,
    }
    return {
        f"attestation_agent.AttestationAgentService/{name}": handler for name, handler in handlers.items()
    }


def _not_served() -> Mapping[str, Handler]:
    def refusing(message: str) -> Handler:
        async def answer(_: Any) -> Message:
            raise UnsupportedError(message, detail="method")

        return answer

    return {
        "api.SecureMountService/SecureMount": refusing("encrypted volumes are not mounted by this agent"),
        "api.ImagePullService/PullImage": refusing(
            "images are pulled by a command: attestation-agent pull IMAGE --into DIR"
        ),
    }
