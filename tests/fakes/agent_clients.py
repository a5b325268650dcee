"""Clients of a guest's agent: messages from the published field tables, nothing of ``eaa``.

The code for the messages is made by ``protoc`` when it is first needed, in a descriptor pool of its own.
"""

from __future__ import annotations

import base64
import json
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

__all__ = ["AgentRefusal", "GrpcAgent", "TtrpcAgent", "message", "raw_call", "unwrap_request", "wrap_request"]

#: By package: its messages, from the field tables of guest components and of the first agents.
PROTOS: Mapping[str, str] = {
    "keyprovider": """
        message KeyProviderKeyWrapProtocolInput { bytes KeyProviderKeyWrapProtocolInput = 1; }
        message KeyProviderKeyWrapProtocolOutput { bytes KeyProviderKeyWrapProtocolOutput = 1; }
    """,
    "getresource": """
        message Old { string KbcName = 1; string KbsUri = 2; string ResourceDescription = 3; }
        message New { string ResourcePath = 1; string KbcName = 2; string KbsUri = 3; }
        message GetResourceResponse { bytes Resource = 1; }
    """,
    "api": """
        message UnsealSecretInput { bytes secret = 1; }
        message UnsealSecretOutput { bytes plaintext = 1; }
        message GetResourceRequest { string ResourcePath = 1; }
        message GetResourceResponse { bytes Resource = 1; }
        message SecureMountRequest {
          string volume_type = 1; map<string, string> options = 2; repeated string flags = 3;
          string mount_point = 4;
        }
        message SecureMountResponse {}
        message ImagePullRequest { string image_url = 1; string bundle_path = 2; }
        message ImagePullResponse { string manifest_digest = 1; }
    """,
    "attestation_agent": """
        message GetEvidenceRequest { bytes RuntimeData = 1; }
        message GetAdditionalEvidenceRequest { bytes RuntimeData = 1; }
        message GetEvidenceResponse { bytes Evidence = 1; }
        message GetTokenRequest { string TokenType = 1; }
        message GetTokenResponse { bytes Token = 1; }
        message ExtendRuntimeMeasurementRequest {
          string Domain = 1; string Operation = 2; string Content = 3; optional uint64 RegisterIndex = 4;
        }
        message ExtendRuntimeMeasurementResponse { int32 Result = 1; }
        message BindInitDataRequest { bytes Digest = 1; }
        message BindInitDataResponse {}
        message GetTeeTypeRequest {}
        message GetTeeTypeResponse { string tee = 1; }
        message GetAdditionalTeesRequest {}
        message GetAdditionalTeesResponse { repeated string additional_tees = 1; }
    """,
    "ttrpc": """
        message Status { int32 code = 1; string message = 2; }
        message KeyValue { string key = 1; string value = 2; }
        message Request {
          string service = 1; string method = 2; bytes payload = 3; int64 timeout_nano = 4;
          repeated KeyValue metadata = 5;
        }
        message Response { Status status = 1; bytes payload = 2; }
    """,
}

_AA = "attestation_agent.AttestationAgentService"
#: Request and response by method, where they are not ``<Method>Request`` and ``<Method>Response``.
_KEYS = ("keyprovider.KeyProviderKeyWrapProtocolInput", "keyprovider.KeyProviderKeyWrapProtocolOutput")
METHODS: Mapping[str, tuple[str, str]] = {
    "keyprovider.KeyProviderService/WrapKey": _KEYS,
    "keyprovider.KeyProviderService/UnWrapKey": _KEYS,
    "api.SealedSecretService/UnsealSecret": ("api.UnsealSecretInput", "api.UnsealSecretOutput"),
    "api.GetResourceService/GetResource": ("api.GetResourceRequest", "api.GetResourceResponse"),
    "api.SecureMountService/SecureMount": ("api.SecureMountRequest", "api.SecureMountResponse"),
    "api.ImagePullService/PullImage": ("api.ImagePullRequest", "api.ImagePullResponse"),
    f"{_AA}/GetAdditionalEvidence": (
        "attestation_agent.GetAdditionalEvidenceRequest",
        "attestation_agent.GetEvidenceResponse",
    ),
}
_SECONDS = 60.0


class AgentRefusal(Exception):
    """gRPC's name of the status, the agent's code (empty over ttrpc), and its words."""

    def __init__(self, status: str, code: str, text: str) -> None:
        super().__init__(f"{status} {code}: {text}")
        self.status, self.code, self.text = status, code, text


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    with tempfile.TemporaryDirectory() as folder:
        for package, text in PROTOS.items():
            Path(folder, f"{package}.proto").write_text(f'syntax = "proto3";\npackage {package};\n{text}')
        command = [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            "-I",
            folder,
            f"--descriptor_set_out={folder}/set",
        ]
        subprocess.run(
            [*command, *(f"{package}.proto" for package in PROTOS)], check=True, timeout=60, cwd=folder
        )
        files = descriptor_pb2.FileDescriptorSet.FromString(Path(folder, "set").read_bytes())
    for file in files.file:
        pool.Add(file)
    return pool


def message(name: str, /, **fields: Any) -> Any:
    """A message of :data:`PROTOS`."""
    return _class(name)(**fields)


@cache
def _class(name: str) -> Any:
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(name))


def _types(method: str) -> tuple[str, str]:
    package, _, rest = method.partition(".")
    name = rest.partition("/")[2]
    return METHODS.get(method, (f"{package}.{name}Request", f"{package}.{name}Response"))


@dataclass(frozen=True, slots=True)
class GrpcAgent:
    """At ``host:port`` or ``unix:path``."""

    address: str

    def call(self, method: str, request: Any = None, response: str = "", **fields: Any) -> Any:
        """The answer; ``request`` instead of ``fields`` where it is not the usual one."""
        wanted, answer = _types(method)
        with grpc.insecure_channel(self.address) as channel:
            ask = channel.unary_unary(
                f"/{method}",
                request_serializer=lambda value: value.SerializeToString(),
                response_deserializer=_class(response or answer).FromString,
            )
            try:
                return ask(message(wanted, **fields) if request is None else request, timeout=_SECONDS)
            except grpc.RpcError as error:
                trailing = dict(error.trailing_metadata() or ())
                raise AgentRefusal(error.code().name, trailing.get("eaa-code", ""), error.details()) from None


@dataclass(frozen=True, slots=True)
class TtrpcAgent:
    """At the socket file ``path``."""

    path: str

    def call(self, method: str, **fields: Any) -> Any:
        """The answer."""
        wanted, answer = _types(method)
        service, _, name = method.partition("/")
        envelope = message(
            "ttrpc.Request", service=service, method=name,
            payload=message(wanted, **fields).SerializeToString(), timeout_nano=int(_SECONDS * 1e9),
        )  # fmt: skip
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_SECONDS)
            connection.connect(self.path)
            stream, kind, flags, data = raw_call(connection, 1, 1, 0, envelope.SerializeToString())
        assert (stream, kind, flags) == (1, 2, 0)
        response = message("ttrpc.Response")
        response.ParseFromString(data)
        if response.status.code:
            name = next(item.name for item in grpc.StatusCode if item.value[0] == response.status.code)
            raise AgentRefusal(name, "", response.status.message)
        return _class(answer).FromString(response.payload)


def raw_call(
    connection: socket.socket, stream: int, kind: int, flags: int, data: bytes
) -> tuple[int, int, int, bytes]:
    """Send a frame, and the next that comes: stream id, type, flags, data."""
    connection.sendall(struct.pack(">IIBB", len(data), stream, kind, flags) + data)
    length, stream, kind, flags = struct.unpack(">IIBB", _exactly(connection, 10))
    return stream, kind, flags, _exactly(connection, length)


def unwrap_request(packet: bytes, parameter: str = "anything") -> bytes:
    """What ocicrypt's Go sends to have a packet opened."""
    parameters = {"Parameters": {"attestation-agent": [_b64(parameter.encode())]}}
    return json.dumps(
        {
            "op": "keyunwrap",
            "keywrapparams": {"ec": None, "optsdata": None},
            "keyunwrapparams": {"dc": parameters, "annotation": _b64(packet)},
        }
    ).encode()


def wrap_request(options: bytes, parameter: str) -> bytes:
    """What ocicrypt's Go sends to have a layer's options wrapped."""
    parameters = {"Parameters": {"attestation-agent": [_b64(parameter.encode())]}}
    return json.dumps(
        {
            "op": "keywrap",
            "keywrapparams": {
                "ec": {**parameters, "DecryptConfig": {"Parameters": {}}},
                "optsdata": _b64(options),
            },
            "keyunwrapparams": {"dc": None, "annotation": None},
        }
    ).encode()


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise EOFError(f"the server ended after {len(data)} of {count} bytes")
        data += part
    return data


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
