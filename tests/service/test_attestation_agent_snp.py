"""A simulated SNP guest with agent and verdictd: the secret for the good one, and each refusal its reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from eaa.attester.simulated.amd_guest import SimulatedSnpGuest, SimulatedSnpPlatform
from eaa.errors import BindingError
from eaa.evidence.snp import parse_snp_report
from eaa.evidence.snp_evidence import parse_snp_evidence
from eaa.evidence.snp_tcb import TcbVersion
from eaa.transport.config import ChannelConfig
from tests.fakes.agent_clients import AgentRefusal
from tests.fakes.kbs_client import claims_of
from tests.service.attestation_agents import RunningAgent, running_agent
from tests.service.snp_guests import SnpEnclave, SnpHardware
from tests.service.verdictds import Running, running

AA = "attestation_agent.AttestationAgentService"
RESOURCE = "api.GetResourceService/GetResource"
MODULES = ("cc_kbc", "eaa_kbc")
SECRET = b"the key of an SNP guest's disk"


@pytest.fixture(scope="module")
def hardware() -> SnpHardware:
    return SnpHardware()


def channel(hardware: SnpHardware, guest: SimulatedSnpGuest) -> ChannelConfig:
    """Of an end that runs in ``guest`` and believes its vendor, debug and old platforms included."""
    verifier = hardware.source().verifier
    return ChannelConfig(attester=SnpEnclave(guest), verifier=verifier, mutual=True, handshake_seconds=5.0)


@pytest.fixture(scope="module")
def verdictd(tmp_path_factory: pytest.TempPathFactory, hardware: SnpHardware) -> Iterator[Running]:
    state = tmp_path_factory.mktemp("verdictd")
    with running(state, hardware.source(), channel=channel(hardware, hardware.guest)) as served:
        served.put_references(hardware.references())
        served.put_resource("default/key/1", SECRET)
        yield served


@contextmanager
def agent_of(
    folder: Path, module: str, verdictd: Running, hardware: SnpHardware, guest: SimulatedSnpGuest
) -> Iterator[RunningAgent]:
    broker = verdictd.url if module == "cc_kbc" else verdictd.channel_address.removeprefix("tcp://")
    attester = SnpEnclave(guest)
    with running_agent(folder, f"{module}::{broker}", attester, channel=channel(hardware, guest)) as served:
        yield served


def fetch(agent: RunningAgent) -> bytes:
    content: bytes = agent.grpc().call(RESOURCE, ResourcePath="default/key/1").Resource
    return content


@pytest.mark.parametrize("module", MODULES)
def test_a_guest_gets_its_secret(
    tmp_path: Path, verdictd: Running, hardware: SnpHardware, module: str
) -> None:
    with agent_of(tmp_path, module, verdictd, hardware, hardware.guest) as agent:
        assert fetch(agent) == SECRET


def wrong_measurement(hardware: SnpHardware) -> SimulatedSnpGuest:
    return SimulatedSnpGuest(hardware.platform, measurement=b"\xee" * 48)


def under_debug(hardware: SnpHardware) -> SimulatedSnpGuest:
    return SimulatedSnpGuest(hardware.platform, debug=True)


def old_tcb(hardware: SnpHardware) -> SimulatedSnpGuest:
    old = TcbVersion(bootloader=3, tee=0, snp=20, microcode=200)
    return SimulatedSnpGuest(SimulatedSnpPlatform(hardware.vendor, name="old machine", tcb=old))


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (wrong_measurement, ["snp.measurement"]),
        (under_debug, ["snp.debug"]),
        (old_tcb, ["snp.bootloader", "snp.microcode", "snp.snp_svn"]),
    ],
)
def test_what_is_genuine_and_not_expected(
    tmp_path: Path,
    verdictd: Running,
    hardware: SnpHardware,
    module: str,
    make: Callable[[SnpHardware], SimulatedSnpGuest],
    rule: list[str],
) -> None:
    with (
        agent_of(tmp_path, module, verdictd, hardware, make(hardware)) as agent,
        pytest.raises(AgentRefusal) as caught,
    ):
        fetch(agent)
    assert caught.value.status == "PERMISSION_DENIED"
    assert "access_denied.policy" in caught.value.text
    assert rules_of_the_last_attestation(verdictd) == rule


def rules_of_the_last_attestation(verdictd: Running) -> list[str]:
    found: list[dict[str, Any]] = verdictd.admin("reader").get("/eaa/v1/decisions").json()["decisions"]
    latest = max((item for item in found if item["kind"] == "attestation"), key=lambda item: item["id"])
    explained = verdictd.decision(f"id {latest['id']})")["explanation"]
    return sorted(item["rule"] for item in explained if item.get("verdict") == "fail")


def test_the_vcek_of_another_chip_attests_to_nobody(
    tmp_path: Path, verdictd: Running, hardware: SnpHardware
) -> None:
    other = SimulatedSnpPlatform(hardware.vendor, name="another chip")
    foreign = SimulatedSnpGuest(hardware.platform, chip_id=other.chip_id)
    with (
        agent_of(tmp_path, "cc_kbc", verdictd, hardware, foreign) as agent,
        pytest.raises(AgentRefusal) as caught,
    ):
        fetch(agent)
    assert "endorsement.chip_id_mismatch" in caught.value.text


def test_no_channel_for_the_vcek_of_another_chip(
    tmp_path: Path, verdictd: Running, hardware: SnpHardware
) -> None:
    other = SimulatedSnpPlatform(hardware.vendor, name="another chip")
    foreign = SimulatedSnpGuest(hardware.platform, chip_id=other.chip_id)
    with (
        agent_of(tmp_path, "eaa_kbc", verdictd, hardware, foreign) as agent,
        pytest.raises(AgentRefusal) as caught,
    ):
        fetch(agent)
    assert "opening an attested channel" in caught.value.text
    assert "endorsement.chip_id_mismatch" in caught.value.text


def test_the_guest_surface(tmp_path: Path, verdictd: Running, hardware: SnpHardware) -> None:
    with agent_of(tmp_path, "cc_kbc", verdictd, hardware, hardware.guest) as agent:
        client = agent.grpc()
        assert client.call(f"{AA}/GetTeeType").tee == "snp"
        shown = client.call(f"{AA}/GetEvidence", RuntimeData=b"nonce").Evidence
        token = json.loads(client.call(f"{AA}/GetToken", TokenType="kbs").Token)["token"]
        assert client.call(f"{AA}/GetAdditionalEvidence", RuntimeData=b"x").Evidence == b""
    evidence = parse_snp_evidence(shown)
    assert parse_snp_report(evidence.report).body.report_data == b"nonce".ljust(64, b"\0")
    assert [str(entry.name) for entry in evidence.certificates] == ["VCEK", "ASK", "ARK", "CRL"]
    assert claims_of(token)["submods"]["cpu0"]["ear.status"] == "affirming"


def test_init_data_is_the_host_data(tmp_path: Path, verdictd: Running, hardware: SnpHardware) -> None:
    digest = hashlib.sha384(b"init-data").digest()
    guest = SimulatedSnpGuest(hardware.platform, host_data=digest[:32])
    with agent_of(tmp_path, "cc_kbc", verdictd, hardware, guest) as agent:
        agent.run(agent.agent.evidence.require_init_data(digest))
        with pytest.raises(BindingError) as caught:
            agent.run(agent.agent.evidence.require_init_data(hashlib.sha384(b"other").digest()))
    assert caught.value.code == "binding.config_id"
