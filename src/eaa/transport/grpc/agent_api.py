"""The methods of a guest's agent: what each takes and gives. gRPC and ttrpc read this one table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from google.protobuf.message import Message

from eaa.transport.grpc.client_api import Method
from eaa.transport.grpc.wire import attestation_agent_pb2 as aa
from eaa.transport.grpc.wire import confidential_data_pb2 as cdh
from eaa.transport.grpc.wire import getresource_pb2 as getresource
from eaa.transport.grpc.wire import keyprovider_pb2 as keyprovider

__all__ = ["ATTESTATION", "CDH", "GET_RESOURCE", "KEY_PROVIDER", "METHODS", "Handler", "methods_of"]

#: Answers one method; what it raises is an :class:`~eaa.errors.EAAError` and becomes the call's status.
Handler: TypeAlias = Callable[[Any], Awaitable[Message]]

#: Services, by who serves them where: the first agents' two sockets, and today's two.
KEY_PROVIDER = ("keyprovider.KeyProviderService",)
GET_RESOURCE = ("getresource.GetResourceService",)
ATTESTATION = ("attestation_agent.AttestationAgentService",)
CDH = (
    "api.GetResourceService",
    "api.SealedSecretService",
    "api.SecureMountService",
    "api.ImagePullService",
    "keyprovider.KeyProviderService",
)

_WRAPPING = Method(keyprovider.keyProviderKeyWrapProtocolInput, keyprovider.keyProviderKeyWrapProtocolOutput)
_AA = "attestation_agent.AttestationAgentService"

#: By ``<package>.<service>/<method>``, as guest components spell them [COCO-GUEST].
METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "keyprovider.KeyProviderService/WrapKey": _WRAPPING,
        "keyprovider.KeyProviderService/UnWrapKey": _WRAPPING,
        "getresource.GetResourceService/GetResource": Method(
            getresource.GetResourceRequest, getresource.GetResourceResponse
        ),
        "api.GetResourceService/GetResource": Method(cdh.GetResourceRequest, cdh.GetResourceResponse),
        "api.SealedSecretService/UnsealSecret": Method(cdh.UnsealSecretInput, cdh.UnsealSecretOutput),
        "api.SecureMountService/SecureMount": Method(cdh.SecureMountRequest, cdh.SecureMountResponse),
        "api.ImagePullService/PullImage": Method(cdh.ImagePullRequest, cdh.ImagePullResponse),
        f"{_AA}/GetEvidence": Method(aa.GetEvidenceRequest, aa.GetEvidenceResponse),
        f"{_AA}/GetAdditionalEvidence": Method(aa.GetAdditionalEvidenceRequest, aa.GetEvidenceResponse),
        f"{_AA}/GetToken": Method(aa.GetTokenRequest, aa.GetTokenResponse),
        f"{_AA}/ExtendRuntimeMeasurement": Method(
            aa.ExtendRuntimeMeasurementRequest, aa.ExtendRuntimeMeasurementResponse
        ),
        f"{_AA}/BindInitData": Method(aa.BindInitDataRequest, aa.BindInitDataResponse),
        f"{_AA}/GetTeeType": Method(aa.GetTeeTypeRequest, aa.GetTeeTypeResponse),
        f"{_AA}/GetAdditionalTees": Method(aa.GetAdditionalTeesRequest, aa.GetAdditionalTeesResponse),
    }
)


def methods_of(services: Iterable[str]) -> tuple[str, ...]:
    """The names in :data:`METHODS` of ``services``."""
    wanted = frozenset(services)
    return tuple(name for name in METHODS if name.partition("/")[0] in wanted)
