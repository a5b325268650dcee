"""Each method of each service, by a client of the published tables, over each transport that has it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eaa.transport.grpc.agent_api import ATTESTATION, CDH, GET_RESOURCE, METHODS, methods_of
from tests.fakes.agent_clients import AgentRefusal, GrpcAgent, TtrpcAgent, message
from tests.service.attestation_agents import Guest, RunningAgent, running_agent
from tests.service.verdictds import Hardware

#: Methods that take an empty message and answer; the others refuse it, for what is in it.
ANSWERING = {
    f"attestation_agent.AttestationAgentService/{name}"
    for name in ("GetEvidence", "GetAdditionalEvidence", "GetTeeType", "GetAdditionalTees")
}
NOT_SERVED = {"api.SecureMountService/SecureMount", "api.ImagePullService/PullImage"}
TODAY = methods_of((*ATTESTATION, *CDH))
FIRST = methods_of((*GET_RESOURCE,))


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    folder = tmp_path_factory.mktemp("agent")
    with running_agent(folder, "offline_fs_kbc::null", Guest(Hardware())) as served:
        yield served


def client_of(agent: RunningAgent, method: str, transport: str) -> GrpcAgent | TtrpcAgent:
    if transport == "grpc":
        return agent.resources if method in FIRST else agent.grpc()
    return agent.attestation_ttrpc if method.partition("/")[0] in ATTESTATION else agent.cdh_ttrpc


@pytest.mark.parametrize(
    ("method", "transport"),
    [(method, "grpc") for method in METHODS] + [(method, "ttrpc") for method in TODAY],
)
def test_each_method_is_reached(agent: RunningAgent, method: str, transport: str) -> None:
    client = client_of(agent, method, transport)
    if method in FIRST:
        with pytest.raises(AgentRefusal) as refusal:
            agent.resources.call(method, message("getresource.New"), "getresource.GetResourceResponse")
        assert refusal.value.status == "INVALID_ARGUMENT"
    elif method in ANSWERING:
        client.call(method)
    else:
        with pytest.raises(AgentRefusal) as refusal:
            client.call(method)
        # Of our own: a server without the method has other words for it.
        assert (refusal.value.status == "UNIMPLEMENTED") is (
            method in NOT_SERVED or method.endswith("/GetToken")
        )
        assert "not found" not in refusal.value.text.lower()


def test_keys_of_images_have_a_socket_of_their_own(agent: RunningAgent) -> None:
    for name in ("WrapKey", "UnWrapKey"):
        with pytest.raises(AgentRefusal) as refusal:
            agent.key_provider.call(f"keyprovider.KeyProviderService/{name}")
        assert refusal.value.status == "INVALID_ARGUMENT"
