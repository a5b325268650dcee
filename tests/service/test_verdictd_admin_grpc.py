"""The original's administration over gRPC: real server, real channel, real engine."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc

from eaa.broker.administration import Principal
from eaa.broker.names import ResourcePath
from eaa.broker.records import PolicyKind
from eaa.errors import ConfigError, UsageError
from eaa.transport.grpc.client import ClientApi, ClientApiFailure
from eaa.transport.grpc.client_api import METHODS, split_method
from eaa.transport.grpc.server import ClientApiServer, Limits, TlsFiles
from eaa.transport.grpc.wire import clientapi_pb2 as wire
from eaa.transport.grpc.wire import keyprovider_pb2
from tests.fakes.admin_server import AdminServer

M = TypeVar("M", bound=Message)

REGO = """package policy
default allow = false
allow { data.mrEnclave[_] == input.mrEnclave; input.svn >= data.svn }
"""
SECRET = "correct horse"
DATA = {"mrEnclave": ["a", "b"], "svn": 2}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdminServer]:
    with AdminServer(tmp_path_factory.mktemp("state") / "admin") as running:
        yield running


@pytest.fixture
def api(server: AdminServer) -> Iterator[ClientApi]:
    with ClientApi(server.client_api, server.token(), ca=None, timeout_seconds=30) as made:
        yield made


def failure(api: ClientApi, name: str, request: Any, answer: Any) -> tuple[str, str]:
    came = api.call(name, request, answer)
    assert isinstance(came, ClientApiFailure)
    return came.status, came.code


def ask(api: ClientApi, name: str, request: Any, answer: type[M]) -> M:
    came = api.call(name, request, answer)
    assert not isinstance(came, ClientApiFailure), came
    return came


# ── who asks ──


@pytest.mark.parametrize("name", METHODS)
def test_nothing_without_a_credential(server: AdminServer, name: str) -> None:
    method, seen = METHODS[name], len(server.seen)
    with grpc.insecure_channel(server.client_api) as channel:
        call = channel.unary_unary(
            f"/{name}",
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.response.FromString,
        )
        for metadata in ((), (("authorization", "Basic x"),), (("authorization", "Bearer a"),) * 2):
            with pytest.raises(grpc.RpcError) as caught:
                call(method.request(), metadata=metadata, timeout=10)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
            assert dict(caught.value.trailing_metadata())["eaa-code"] == "credential.missing"
    assert len(server.seen) == seen


def test_a_token_that_does_not_hold(server: AdminServer) -> None:
    with ClientApi(
        server.client_api, server.token().rpartition(".")[0] + ".", ca=None, timeout_seconds=10
    ) as api:
        found = failure(
            api, "clientapi.GpgService/listGpgKeys", wire.ListGpgKeysRequest(), wire.ListGpgKeysResponse
        )
    assert found == ("UNAUTHENTICATED", "credential.signature")


def test_roles(server: AdminServer) -> None:
    with ClientApi(server.client_api, server.token("provisioner"), ca=None, timeout_seconds=10) as api:
        made = ask(
            api, "clientapi.KeyManagerService/CreateKey", wire.CreateKeyRequest(), wire.CreateKeyResponse
        )
        request = wire.GetKeyRequest(uuid=made.uuid)
        found = failure(api, "clientapi.KeyManagerService/GetKey", request, wire.GetKeyResponse)
    assert found == ("PERMISSION_DENIED", "access_denied.role")


def test_health_needs_no_credential(server: AdminServer) -> None:
    with grpc.insecure_channel(server.client_api) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", "clientapi.OpaService"):
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


# ── services ──


def test_keys(api: ClientApi) -> None:
    service = "clientapi.KeyManagerService/"
    made = ask(api, service + "CreateKey", wire.CreateKeyRequest(), wire.CreateKeyResponse)
    assert made.status == b"OK"
    got = ask(api, service + "GetKey", wire.GetKeyRequest(uuid=made.uuid), wire.GetKeyResponse)
    assert (got.status, len(base64.b64decode(got.key))) == (b"OK", 32)
    gone = ask(api, service + "DeleteKey", wire.DeleteKeyRequest(uuid=made.uuid), wire.DeleteKeyResponse)
    assert gone.status == b"OK"
    missing = failure(api, service + "GetKey", wire.GetKeyRequest(uuid=made.uuid), wire.GetKeyResponse)
    assert missing == ("NOT_FOUND", "resource_not_found.missing")
    named = ask(api, service + "CreateKey", wire.CreateKeyRequest(keyid="mine"), wire.CreateKeyResponse)
    assert named.uuid == b"mine"
    bad = failure(api, service + "GetKey", wire.GetKeyRequest(uuid=b"\xff"), wire.GetKeyResponse)
    assert bad == ("INVALID_ARGUMENT", "format.bad_value")


def test_policies(server: AdminServer, api: ClientApi) -> None:
    service, name, data = "clientapi.OpaService/", b"sgxPolicy.rego", json.dumps(DATA).encode()
    put = wire.SetOpaPolicyRequest(name=name, content=REGO.encode())
    assert ask(api, service + "SetOpaPolicy", put, wire.SetOpaPolicyResponse).status == b"OK"
    got = ask(
        api, service + "exportOpaPolicy", wire.ExportOpaPolicyRequest(name=name), wire.ExportOpaPolicyResponse
    )
    assert (got.status, got.content) == (b"OK", REGO.encode())
    given = wire.SetOpaReferenceRequest(name=b"sgxData", content=data)
    assert ask(api, service + "setOpaReference", given, wire.SetOpaReferenceResponse).status == b"OK"
    came = ask(
        api,
        service + "exportOpaReference",
        wire.ExportOpaReferenceRequest(name=b"sgxData"),
        wire.ExportOpaReferenceResponse,
    )
    assert (came.status, json.loads(came.content)) == (b"OK", DATA)
    (policy,) = server.call(server.stores.policies.current(PolicyKind.RESOURCE))
    assert policy.id == "opa/sgxPolicy.rego"


def test_evaluation(api: ClientApi) -> None:
    service, name = "clientapi.OpaService/", b"tested.rego"
    ask(
        api,
        service + "SetOpaPolicy",
        wire.SetOpaPolicyRequest(name=name, content=b"package policy\ndefault allow = false\n"),
        wire.SetOpaPolicyResponse,
    )
    ask(
        api,
        service + "setOpaReference",
        wire.SetOpaReferenceRequest(name=b"testedData", content=b'{"mrEnclave":[],"svn":0}'),
        wire.SetOpaReferenceResponse,
    )
    policies: dict[bool, dict[str, Any]] = {
        False: {"policyname": name},
        True: {"policylocal": True, "policycontent": REGO.encode()},
    }
    references: dict[bool, dict[str, Any]] = {
        False: {"referencename": b"testedData"},
        True: {"referencelocal": True, "referencecontent": json.dumps(DATA).encode()},
    }
    claims = {"mrEnclave": "b", "svn": 2}
    for local_policy, policy in policies.items():
        for local_reference, reference in references.items():
            fields: dict[str, Any] = {**policy, **reference, "input": json.dumps(claims).encode()}
            answer = ask(api, service + "TestOpa", wire.TestOpaRequest(**fields), wire.TestOpaResponse)
            data = DATA if local_reference else {"mrEnclave": [], "svn": 0}
            assert json.loads(answer.status) == {
                "allow": local_policy and local_reference,
                "parseInfo": {"mrEnclave": ["b", data["mrEnclave"]], "svn": [2, data["svn"]]},
            }


@pytest.mark.parametrize(
    ("method", "request_", "answer", "status", "code"),
    [
        ("SetOpaPolicy", wire.SetOpaPolicyRequest(name=b"x.rego", content=b"package policy\nallow {"),
         wire.SetOpaPolicyResponse, "INVALID_ARGUMENT", "format.policy"),
        ("SetOpaPolicy", wire.SetOpaPolicyRequest(name=b"../x", content=REGO.encode()),
         wire.SetOpaPolicyResponse, "INVALID_ARGUMENT", "format.name"),
        ("setOpaReference", wire.SetOpaReferenceRequest(name=b"x", content=b"[]"),
         wire.SetOpaReferenceResponse, "INVALID_ARGUMENT", "format.bad_value"),
        ("setOpaReference", wire.SetOpaReferenceRequest(name=b"x", content=b"{"),
         wire.SetOpaReferenceResponse, "INVALID_ARGUMENT", "format.not_json"),
        ("exportOpaPolicy", wire.ExportOpaPolicyRequest(name=b"none"),
         wire.ExportOpaPolicyResponse, "NOT_FOUND", "resource_not_found.missing"),
        ("TestOpa",
         wire.TestOpaRequest(policyname=b"none", referencelocal=True, referencecontent=b"{}", input=b"{}"),
         wire.TestOpaResponse, "NOT_FOUND", "resource_not_found.missing"),
    ],
)  # fmt: skip
def test_failures_are_statuses(
    api: ClientApi, method: str, request_: Any, answer: Any, status: str, code: str
) -> None:
    assert failure(api, f"clientapi.OpaService/{method}", request_, answer) == (status, code)


def test_the_keyring_of_gpg(api: ClientApi, tmp_path: Path) -> None:
    """Real keys by gpg, kept without it, and read by it again."""
    home = tmp_path / "gpg"
    home.mkdir(mode=0o700)

    def gpg(*args: str, data: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", str(home), "--batch", "--no-autostart", *args]
        return subprocess.run(command, input=data, capture_output=True, check=True, timeout=60).stdout

    exported = Path(__file__).with_name("gpg_public_keys.asc").read_bytes()
    service = "clientapi.GpgService/"
    imported = wire.ImportGpgKeyRequest(key=exported)
    assert ask(api, service + "importGpgKey", imported, wire.ImportGpgKeyResponse).status == b"OK"
    listed = ask(
        api, service + "listGpgKeys", wire.ListGpgKeysRequest(), wire.ListGpgKeysResponse
    ).keys.decode()
    keyring = ask(
        api, service + "exportGpgKeyring", wire.ExportGpgKeyringRequest(), wire.ExportGpgKeyringResponse
    )
    colons = gpg("--show-keys", "--with-colons", data=base64.b64decode(keyring.content)).decode().splitlines()
    theirs = [line.split(":") for line in colons]
    primary = [b[9] for a, b in pairwise(theirs) if a[0] == "pub" and b[0] == "fpr"]
    assert [line[4:] for line in listed.splitlines() if line.startswith("pub")] == primary
    assert len(primary) == 2
    assert [line[4:] for line in listed.splitlines() if line.startswith("uid")] == [
        row[9] for row in theirs if row[0] == "uid"
    ]
    gone = wire.DeleteGpgKeyRequest(keyid=primary[0][-16:].encode())
    assert ask(api, service + "deleteGpgKey", gone, wire.DeleteGpgKeyResponse).status == b"OK"
    left = ask(
        api, service + "exportGpgKeyring", wire.ExportGpgKeyringRequest(), wire.ExportGpgKeyringResponse
    )
    assert primary[1].encode() in gpg("--show-keys", "--with-colons", data=base64.b64decode(left.content))
    assert failure(api, service + "deleteGpgKey", gone, wire.DeleteGpgKeyResponse)[0] == "NOT_FOUND"


def test_image_documents(server: AdminServer, api: ClientApi) -> None:
    service, policy = "clientapi.ImageService/", b'{"default":[{"type":"reject"}]}'
    sigstore = b"default-docker:\n  sigstore: file:///var/lib\n"
    ask(
        api,
        service + "setImagePolicy",
        wire.SetImagePolicyRequest(content=policy),
        wire.SetImagePolicyResponse,
    )
    ask(
        api,
        service + "setImageSigstore",
        wire.SetImageSigstoreRequest(content=sigstore),
        wire.SetImageSigstoreResponse,
    )
    exported = ask(
        api, service + "exportImagePolicy", wire.ExportImagePolicyRequest(), wire.ExportImagePolicyResponse
    )
    located = ask(
        api,
        service + "exportImageSigstore",
        wire.ExportImageSigstoreRequest(),
        wire.ExportImageSigstoreResponse,
    )
    assert (exported.content, located.content) == (policy, sigstore)
    for path, content in (("security-policy", policy), ("sigstore-config", sigstore)):
        stored = server.call(server.stores.resources.read(ResourcePath("default", path, "test")))
        assert stored.content == content
    broken = wire.SetImagePolicyRequest(content=b"{}")
    found = failure(api, service + "setImagePolicy", broken, wire.SetImagePolicyResponse)
    assert found == ("INVALID_ARGUMENT", "format.image_policy")


# ── bounds ──


async def _slow(_: Principal, __: Any) -> wire.ListGpgKeysResponse:
    await asyncio.sleep(30)
    raise AssertionError("it has a deadline")


async def _broken(_: Principal, __: Any) -> wire.ListGpgKeysResponse:
    raise RuntimeError(SECRET)


async def _status_of(handler: Any, limits: Limits, request: Any) -> tuple[str, str]:
    name = "clientapi.GpgService/importGpgKey"
    server = ClientApiServer(
        "127.0.0.1:0", {name: handler}, lambda _: Principal("a", "admin"), tls=None, limits=limits
    )
    port = await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary(f"/{name}", request_serializer=METHODS[name].request.SerializeToString)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(request, timeout=20)
            return caught.value.code().name, caught.value.details()
    finally:
        await server.stop(0.1)


def test_a_call_has_a_deadline() -> None:
    status, _ = asyncio.run(_status_of(_slow, Limits(deadline_seconds=0.1), wire.ImportGpgKeyRequest()))
    assert status == "DEADLINE_EXCEEDED"


def test_a_message_has_a_greatest_size() -> None:
    request = wire.ImportGpgKeyRequest(key=bytes(2000))
    assert asyncio.run(_status_of(_broken, Limits(message_bytes=1000), request))[0] == "RESOURCE_EXHAUSTED"


def test_what_breaks_inside_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        status, said = asyncio.run(_status_of(_broken, Limits(), wire.ImportGpgKeyRequest()))
    assert (status, SECRET in said) == ("INTERNAL", False)
    assert any("importGpgKey failed" in record.getMessage() for record in caplog.records)
    assert SECRET not in caplog.text


# ── where it listens ──


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:60000", "example.org:60000"])
def test_no_credential_in_the_clear(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ClientApiServer(address, {}, lambda _: Principal("a", "admin"), tls=None, limits=Limits())
    assert caught.value.code == "config.client_api"


@pytest.mark.parametrize("address", ["", "localhost", "1234", "localhost:x", "::1:60000"])
def test_addresses(address: str) -> None:
    with pytest.raises(UsageError):
        ClientApiServer(address, {}, lambda _: Principal("a", "admin"), tls=None, limits=Limits())


def test_a_port_that_is_taken() -> None:
    async def twice(port: int) -> None:
        server = ClientApiServer(
            f"127.0.0.1:{port}", {}, lambda _: Principal("a", "admin"), tls=None, limits=Limits()
        )
        try:
            await server.start()
        finally:
            await server.stop(0)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(UsageError) as caught:
            asyncio.run(twice(taken.getsockname()[1]))
        assert caught.value.code == "usage.listen"


def test_tls(tmp_path: Path) -> None:
    tls = _self_signed()
    with AdminServer(tmp_path / "admin", tls=tls) as server:
        where, token = server.client_api.replace("127.0.0.1", "localhost"), server.token()
        request, answer = wire.ListGpgKeysRequest(), wire.ListGpgKeysResponse
        with ClientApi(where, token, ca=tls.certificate, timeout_seconds=10) as api:
            assert ask(api, "clientapi.GpgService/listGpgKeys", request, answer).keys == b""
        with ClientApi(where, token, ca=_self_signed().certificate, timeout_seconds=5) as api:
            assert failure(api, "clientapi.GpgService/listGpgKeys", request, answer)[0] == "UNAVAILABLE"
        with ClientApi(where, token, ca=None, timeout_seconds=5) as api:
            assert failure(api, "clientapi.GpgService/listGpgKeys", request, answer)[0] == "UNAVAILABLE"


def _self_signed() -> TlsFiles:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return TlsFiles(pem, certificate.public_bytes(Encoding.PEM))


# ── the wire ──


def test_every_method_of_the_source_is_in_the_table() -> None:
    declared = {
        f"{service.full_name}/{method.name}": (method.input_type.name, method.output_type.name)
        for service in wire.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    table = {
        name: (method.request.DESCRIPTOR.name, method.response.DESCRIPTOR.name)
        for name, method in METHODS.items()
    }
    assert table == declared
    services = {split_method(name)[0] for name in METHODS}
    assert services == {f"clientapi.{name}Service" for name in ("KeyManager", "Opa", "Gpg", "Image")}


def test_field_numbers_of_the_original() -> None:
    def numbers(message: Any) -> dict[str, int]:
        return {field.name: field.number for field in message.DESCRIPTOR.fields}

    assert numbers(wire.CreateKeyResponse) == {"status": 1, "uuid": 2}
    assert numbers(wire.GetKeyRequest) == numbers(wire.DeleteKeyRequest) == {"uuid": 1}
    assert numbers(wire.GetKeyResponse) == {"status": 1, "key": 2}
    named = {"name": 1, "content": 2}
    assert numbers(wire.SetOpaPolicyRequest) == numbers(wire.SetOpaReferenceRequest) == named
    exports = ("OpaPolicy", "OpaReference", "GpgKeyring", "ImageSigstore", "ImagePolicy")
    for export in exports:
        assert numbers(getattr(wire, f"Export{export}Response")) == {"status": 1, "content": 2}
    assert numbers(wire.TestOpaRequest) == {
        "policyname": 1, "policycontent": 2, "policylocal": 3, "referencename": 4,
        "referencecontent": 5, "referencelocal": 6, "input": 7,
    }  # fmt: skip
    assert numbers(wire.TestOpaResponse) == {"status": 1}
    assert numbers(wire.ListGpgKeysResponse) == {"keys": 1}
    (service,) = keyprovider_pb2.DESCRIPTOR.services_by_name.values()
    assert service.full_name == "keyprovider.KeyProviderService"
    assert [method.name for method in service.methods] == ["WrapKey", "UnWrapKey"]
    assert numbers(keyprovider_pb2.keyProviderKeyWrapProtocolInput) == {"KeyProviderKeyWrapProtocolInput": 1}
