"""Every service of the agent, by clients of the published tables: a running verdictd, either module."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from eaa.evidence.dcap_quote import parse_quote_frame
from eaa.tls.peer import EvidenceKind
from eaa.transport.grpc.agent_api import METHODS
from eaa.transport.grpc.wire import attestation_agent_pb2, confidential_data_pb2, getresource_pb2
from tests.fakes.agent_clients import AgentRefusal, message, unwrap_request, wrap_request
from tests.fakes.kbs_client import claims_of
from tests.service.attestation_agents import Guest, RunningAgent, channel_of, running_agent
from tests.service.verdictds import Hardware, Running, running

HARDWARE = Hardware()
KEY, SECRET = bytes(range(32)), b"a secret of the owner \x00\xff" * 9
POLICY = b'{"default":[{"type":"reject"}]}'
OPTIONS = json.dumps(
    {
        "symkey": base64.b64encode(os.urandom(32)).decode(),
        "digest": "sha256:" + hashlib.sha256(b"layer").hexdigest(),
        "cipheroptions": {"nonce": base64.b64encode(os.urandom(16)).decode()},
    }
).encode()


@pytest.fixture(scope="module")
def verdictd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    channel = channel_of(Guest(HARDWARE), HARDWARE)
    with running(tmp_path_factory.mktemp("verdictd"), HARDWARE.source(), channel=channel) as served:
        served.trust(HARDWARE)
        served.put_resource("default/key/1", KEY)
        served.put_resource("default/secret/1", SECRET)
        served.put_resource("default/security-policy/test", POLICY)
        assert served.admin().put("/eaa/v1/keys/k1", content=KEY).status_code < 300
        yield served


WAYS = [
    (module, kind)
    for module in ("cc_kbc", "eaa_kbc")
    for kind in (EvidenceKind.TDX_QUOTE, EvidenceKind.SGX_QUOTE)
]


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: f"{way[0]}-{way[1]}")
def agent(
    request: pytest.FixtureRequest, verdictd: Running, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningAgent]:
    module, kind = request.param
    guest = Guest(HARDWARE, kind)
    folder = tmp_path_factory.mktemp("agent")
    with running_agent(
        folder, verdictd.kbc_params(module), guest, channel=channel_of(guest, HARDWARE)
    ) as served:
        yield served


def is_tdx(agent: RunningAgent) -> bool:
    guest = agent.agent.evidence.attester
    assert isinstance(guest, Guest)
    return guest.kind is EvidenceKind.TDX_QUOTE


def refused(call: Any, *args: Any, **fields: Any) -> AgentRefusal:
    with pytest.raises(AgentRefusal) as caught:
        call(*args, **fields)
    return caught.value


# ── resources ──

FIRST = "getresource.GetResourceService/GetResource"
TODAY = "api.GetResourceService/GetResource"


def first_order(agent: RunningAgent, name: str, *fields: str) -> bytes:
    """By a message of either published order."""
    keys = {
        "Old": ("KbcName", "KbsUri", "ResourceDescription"),
        "New": ("ResourcePath", "KbcName", "KbsUri"),
    }[name]
    request = message(f"getresource.{name}", **dict(zip(keys, fields, strict=True)))
    content: bytes = agent.resources.call(FIRST, request, "getresource.GetResourceResponse").Resource
    return content


def test_a_resource_of_the_first_agents_by_either_order(agent: RunningAgent) -> None:
    params = agent.agent.params
    assert params is not None
    described = json.dumps({"name": "Policy", "optional": {}})
    assert first_order(agent, "Old", params.name, params.uri, described) == POLICY
    assert first_order(agent, "New", "kbs:///default/secret/1", params.name, params.uri) == SECRET
    assert first_order(agent, "New", "/default/secret/1", "", "") == SECRET
    assert first_order(agent, "New", "default/secret/1", params.name, "") == SECRET


def test_another_broker_than_the_configured_one_is_not_asked(agent: RunningAgent) -> None:
    described = json.dumps({"name": "Policy", "optional": {}})
    for caught in (
        refused(first_order, agent, "New", "default/secret/1", "cc_kbc", "http://evil.example"),
        refused(first_order, agent, "New", "default/secret/1", "sample_kbc", ""),
        refused(first_order, agent, "Old", "cc_kbc", "http://evil.example", described),
    ):
        assert (caught.status, caught.code) == ("INVALID_ARGUMENT", "usage.kbc")


@pytest.mark.parametrize(
    "text", ['{"name": "Client Id"}', '{"name": 1}', "{", "{}", '{"name":"Policy","name":"x"}']
)
def test_a_description_of_nothing(agent: RunningAgent, text: str) -> None:
    caught = refused(first_order, agent, "Old", "", "", text)
    assert (caught.status, caught.code.partition(".")[0]) == ("INVALID_ARGUMENT", "format")


def test_a_resource_of_today_over_grpc_and_ttrpc(agent: RunningAgent) -> None:
    for client in (agent.grpc(), agent.cdh_ttrpc):
        for path in ("kbs:///default/secret/1", "kbs://host:8080/default/secret/1", "default/secret/1"):
            assert client.call(TODAY, ResourcePath=path).Resource == SECRET


def test_what_is_not_there_says_how_to_have_it_there(agent: RunningAgent) -> None:
    caught = refused(agent.grpc().call, TODAY, ResourcePath="kbs:///default/secret/none")
    assert (caught.status, caught.code) == ("NOT_FOUND", "resource_not_found.refused")
    assert "fetching default/secret/none" in caught.text
    assert "verdict resource put default/secret/none" in caught.text
    over_ttrpc = refused(agent.cdh_ttrpc.call, TODAY, ResourcePath="kbs:///default/secret/none")
    assert over_ttrpc.status == "NOT_FOUND"


@pytest.mark.parametrize(
    "path", ["", "a/b", "../etc/passwd", "kbs:///a/../b", "kbs:///a/b/c/d", "k1", "x" * 2000]
)
def test_what_is_no_path_is_not_asked_for(agent: RunningAgent, path: str) -> None:
    caught = refused(agent.grpc().call, TODAY, ResourcePath=path)
    assert (caught.status, caught.code.partition(".")[0]) == ("INVALID_ARGUMENT", "format")


# ── keys of images ──


def packet_of(kid: str, key: bytes = KEY) -> bytes:
    iv = os.urandom(12)
    wrapped = AESGCM(key).encrypt(iv, OPTIONS, None)
    return json.dumps(
        {
            "kid": kid, "wrapped_data": base64.b64encode(wrapped).decode(),
            "iv": base64.b64encode(iv).decode(), "wrap_type": "A256GCM",
        }
    ).encode()  # fmt: skip


def unwrap(client: Any, packet: bytes, parameter: str = "anything") -> bytes:
    answer = client.call(
        "keyprovider.KeyProviderService/UnWrapKey",
        KeyProviderKeyWrapProtocolInput=unwrap_request(packet, parameter),
    )
    results = json.loads(answer.KeyProviderKeyWrapProtocolOutput)["keyunwrapresults"]["optsdata"]
    return bytes(results) if isinstance(results, list) else base64.b64decode(results)


def test_a_layer_key_is_unwrapped(agent: RunningAgent) -> None:
    params = agent.agent.params
    for client in (agent.key_provider, agent.grpc(), agent.cdh_ttrpc):
        assert unwrap(client, packet_of("kbs:///default/key/1")) == OPTIONS
    assert unwrap(agent.key_provider, packet_of("kbs:///default/key/1"), str(params)) == OPTIONS


def test_a_layer_key_by_a_plain_id(agent: RunningAgent) -> None:
    assert agent.agent.params is not None
    if agent.agent.params.name == "eaa_kbc":
        assert unwrap(agent.key_provider, packet_of("k1")) == OPTIONS
    else:
        caught = refused(unwrap, agent.key_provider, packet_of("k1"))
        assert (caught.status, caught.code) == ("UNIMPLEMENTED", "unsupported.key_name")


def test_a_layer_key_that_does_not_open(agent: RunningAgent) -> None:
    caught = refused(unwrap, agent.key_provider, packet_of("kbs:///default/key/1", b"\x01" * 32))
    assert (caught.status, caught.code) == ("PERMISSION_DENIED", "signature.wrapped_key")
    short = refused(unwrap, agent.key_provider, packet_of("kbs:///default/secret/1"))
    assert (short.status, short.code) == ("INVALID_ARGUMENT", "format.kek")
    other = refused(unwrap, agent.key_provider, packet_of("kbs:///default/key/1"), "cc_kbc::http://evil")
    assert other.code == "usage.kbc"


def test_what_is_wrapped_in_a_guest_is_unwrapped(agent: RunningAgent) -> None:
    def wrap(request: bytes) -> bytes:
        answer = agent.key_provider.call(
            "keyprovider.KeyProviderService/WrapKey", KeyProviderKeyWrapProtocolInput=request
        )
        return bytes(json.loads(answer.KeyProviderKeyWrapProtocolOutput)["keywrapresults"]["annotation"])

    packet = wrap(wrap_request(OPTIONS, "keyid=kbs:///default/key/1"))
    assert packet != wrap(wrap_request(OPTIONS, "kbs:///default/key/1"))  # a fresh IV
    assert unwrap(agent.key_provider, packet) == OPTIONS
    assert refused(wrap, wrap_request(OPTIONS, "keyid=kbs:///a/b/c::keypath=/etc/shadow")).code == (
        "unsupported.wrap_parameters"
    )
    assert refused(wrap, unwrap_request(packet)).code == "usage.operation"
    assert refused(wrap, b"{}").status == "INVALID_ARGUMENT"


# ── sealed secrets ──

SIGNER = ec.generate_private_key(ec.SECP256R1())


def jwk_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    numbers = key.public_key().public_numbers()
    x, y = (_b64url(value.to_bytes(32)) for value in (numbers.x, numbers.y))
    return json.dumps({"kty": "EC", "crv": "P-256", "alg": "ES256", "x": x, "y": y}).encode()


def sealed(payload: dict[str, Any], kid: str, key: ec.EllipticCurvePrivateKey = SIGNER) -> bytes:
    header = _b64url(json.dumps({"alg": "ES256", "kid": kid}).encode())
    signed = f"{header}.{_b64url(json.dumps(payload).encode())}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(SHA256())))
    return f"sealed.{signed}.{_b64url(r.to_bytes(32) + s.to_bytes(32))}".encode()


VAULT = {
    "version": "0.1.0", "type": "vault", "name": "kbs:///default/secret/1", "provider": "kbs",
    "provider_settings": {}, "annotations": {},
}  # fmt: skip


def test_a_sealed_secret_of_the_vault_and_of_an_envelope(agent: RunningAgent, verdictd: Running) -> None:
    verdictd.put_resource("default/signer/1", jwk_of(SIGNER))
    data_key, iv, key_iv = os.urandom(32), os.urandom(12), os.urandom(12)
    envelope = {
        "version": "0.1.0", "type": "envelope", "provider": "kbs", "key_id": "kbs:///default/key/1",
        "encrypted_key": base64.b64encode(key_iv + AESGCM(KEY).encrypt(key_iv, data_key, None)).decode(),
        "encrypted_data": base64.b64encode(AESGCM(data_key).encrypt(iv, b"sealed", None)).decode(),
        "wrap_type": "A256GCM", "iv": base64.b64encode(iv).decode(),
        "provider_settings": {}, "annotations": {},
    }  # fmt: skip
    for client in (agent.grpc(), agent.cdh_ttrpc):
        for payload, expected in ((VAULT, SECRET), (envelope, b"sealed")):
            text = sealed(payload, "kbs:///default/signer/1")
            answer = client.call("api.SealedSecretService/UnsealSecret", secret=text)
            assert answer.plaintext == expected


def test_a_sealed_secret_that_another_signed(agent: RunningAgent, verdictd: Running) -> None:
    verdictd.put_resource("default/signer/1", jwk_of(SIGNER))
    other = ec.generate_private_key(ec.SECP256R1())
    call = agent.grpc().call
    text = sealed(VAULT, "kbs:///default/signer/1", other)
    caught = refused(call, "api.SealedSecretService/UnsealSecret", secret=text)
    assert (caught.status, caught.code) == ("PERMISSION_DENIED", "signature.sealed_secret")
    missing = refused(call, "api.SealedSecretService/UnsealSecret", secret=sealed(VAULT, "nosuch"))
    assert (missing.status, missing.code) == ("NOT_FOUND", "resource_not_found.signing_key")
    named = refused(call, "api.SealedSecretService/UnsealSecret", secret=sealed(VAULT, "../x"))
    assert named.code.startswith("format.")
    cloud = sealed(VAULT | {"provider": "aws"}, "kbs:///default/signer/1")
    assert refused(call, "api.SealedSecretService/UnsealSecret", secret=cloud).status == "UNIMPLEMENTED"


def _b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# ── attestation ──

AA = "attestation_agent.AttestationAgentService"


def test_evidence_over_grpc_and_ttrpc(agent: RunningAgent) -> None:
    for client in (agent.grpc(), agent.attestation_ttrpc):
        answer = client.call(f"{AA}/GetEvidence", RuntimeData=b"nonce")
        document = json.loads(answer.Evidence)
        assert document.keys() == ({"quote", "cc_eventlog"} if is_tdx(agent) else {"quote"})
        body = parse_quote_frame(base64.b64decode(document["quote"])).body
        assert body.report_data == b"nonce".ljust(64, b"\x00")
        assert client.call(f"{AA}/GetTeeType").tee == ("tdx" if is_tdx(agent) else "sgx")
        assert list(client.call(f"{AA}/GetAdditionalTees").additional_tees) == []
        assert client.call(f"{AA}/GetAdditionalEvidence", RuntimeData=b"x").Evidence == b""


def test_runtime_data_is_not_cut(agent: RunningAgent) -> None:
    caught = refused(agent.grpc().call, f"{AA}/GetEvidence", RuntimeData=bytes(65))
    assert (caught.status, caught.code) == ("INVALID_ARGUMENT", "usage.runtime_data")


def test_a_token_and_the_key_that_it_is_for(agent: RunningAgent, verdictd: Running) -> None:
    assert agent.agent.params is not None
    if agent.agent.params.name == "eaa_kbc":
        caught = refused(agent.grpc().call, f"{AA}/GetToken", TokenType="kbs")
        assert (caught.status, caught.code) == ("UNIMPLEMENTED", "unsupported.token")
        return
    documents = [
        json.loads(client.call(f"{AA}/GetToken", TokenType="kbs").Token)
        for client in (agent.grpc(), agent.attestation_ttrpc)
    ]
    assert documents[0] == documents[1]  # one attestation for both
    token, pem = documents[0]["token"], documents[0]["tee_keypair"]
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    claims = claims_of(token)
    shown = claims["submods"]["cpu0"]["ear.veraison.annotated-evidence"]["runtime_data_claims"]["tee-pubkey"]
    assert shown["x"] == _b64url(key.public_key().public_numbers().x.to_bytes(32))
    answer = httpx.get(
        f"{verdictd.url}/kbs/v0/resource/default/secret/1", headers={"authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 200
    other = refused(agent.grpc().call, f"{AA}/GetToken", TokenType="coco_as")
    assert (other.status, other.code) == ("UNIMPLEMENTED", "unsupported.token_type")


def test_init_data_is_that_of_the_hardware(agent: RunningAgent) -> None:
    for client in (agent.grpc(), agent.attestation_ttrpc):
        client.call(f"{AA}/BindInitData", Digest=bytes(48))  # the simulated registers hold zeros
        caught = refused(client.call, f"{AA}/BindInitData", Digest=b"\x01" * 48)
        assert caught.status == "PERMISSION_DENIED"
    assert refused(agent.grpc().call, f"{AA}/BindInitData", Digest=b"short").status == "INVALID_ARGUMENT"


def test_measurement_is_off_unless_it_is_on(agent: RunningAgent) -> None:
    fields = {"Domain": "d", "Operation": "o", "Content": "c"}
    for client in (agent.grpc(), agent.attestation_ttrpc):
        assert client.call(f"{AA}/ExtendRuntimeMeasurement", **fields).Result == 2


@pytest.mark.parametrize("method", ["api.SecureMountService/SecureMount", "api.ImagePullService/PullImage"])
def test_what_is_not_served_says_so(agent: RunningAgent, method: str) -> None:
    for client in (agent.grpc(), agent.cdh_ttrpc):
        caught = refused(client.call, method)
        assert caught.status == "UNIMPLEMENTED"
        assert "by this agent" in caught.text or "attestation-agent pull" in caught.text


# ── where ──


def test_each_socket_serves_its_own_and_only_to_its_owner(agent: RunningAgent) -> None:
    assert refused(agent.key_provider.call, TODAY, ResourcePath="a/b/c").status == "UNIMPLEMENTED"
    assert refused(agent.attestation_ttrpc.call, TODAY, ResourcePath="a/b/c").status == "UNIMPLEMENTED"
    for name in ("aa/aa.sock", "cdh.sock"):
        assert stat.S_IMODE((agent.folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((agent.folder / "aa").stat().st_mode) == 0o700


# ── the wire ──


def test_every_method_of_the_sources_is_in_the_table() -> None:
    declared = {
        f"{service.full_name}/{method.name}": (method.input_type.name, method.output_type.name)
        for file in (attestation_agent_pb2, confidential_data_pb2, getresource_pb2)
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    table = {
        name: (method.request.DESCRIPTOR.name, method.response.DESCRIPTOR.name)
        for name, method in METHODS.items()
        if not name.startswith("keyprovider.")
    }
    assert table == declared
