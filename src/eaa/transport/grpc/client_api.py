"""The methods of the client API: what each takes and gives. Server and client read this one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from google.protobuf.message import Message

from eaa.transport.grpc.wire import clientapi_pb2 as wire

__all__ = ["CODE_METADATA", "METHODS", "OK", "Method", "split_method"]

#: What ``status`` says in every answer: a failure is no answer but a gRPC status.
OK = b"OK"
#: Trailing metadata of a failure: the stable code of the error.
CODE_METADATA = "eaa-code"


@dataclass(frozen=True, slots=True)
class Method:
    """One unary method."""

    request: type[Message]
    response: type[Message]


#: By ``<package>.<service>/<method>``, in the original's spelling.
METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "clientapi.KeyManagerService/CreateKey": Method(wire.CreateKeyRequest, wire.CreateKeyResponse),
        "clientapi.KeyManagerService/GetKey": Method(wire.GetKeyRequest, wire.GetKeyResponse),
        "clientapi.KeyManagerService/DeleteKey": Method(wire.DeleteKeyRequest, wire.DeleteKeyResponse),
        "clientapi.OpaService/SetOpaPolicy": Method(wire.SetOpaPolicyRequest, wire.SetOpaPolicyResponse),
        "clientapi.OpaService/setOpaReference": Method(
            wire.SetOpaReferenceRequest, wire.SetOpaReferenceResponse
        ),
        "clientapi.OpaService/exportOpaPolicy": Method(
            wire.ExportOpaPolicyRequest, wire.ExportOpaPolicyResponse
        ),
        "clientapi.OpaService/exportOpaReference": Method(
            wire.ExportOpaReferenceRequest, wire.ExportOpaReferenceResponse
        ),
        "clientapi.OpaService/TestOpa": Method(wire.TestOpaRequest, wire.TestOpaResponse),
        "clientapi.GpgService/listGpgKeys": Method(wire.ListGpgKeysRequest, wire.ListGpgKeysResponse),
        "clientapi.GpgService/importGpgKey": Method(wire.ImportGpgKeyRequest, wire.ImportGpgKeyResponse),
        "clientapi.GpgService/deleteGpgKey": Method(wire.DeleteGpgKeyRequest, wire.DeleteGpgKeyResponse),
        "clientapi.GpgService/exportGpgKeyring": Method(
            wire.ExportGpgKeyringRequest, wire.ExportGpgKeyringResponse
        ),
        "clientapi.ImageService/exportImageSigstore": Method(
            wire.ExportImageSigstoreRequest, wire.ExportImageSigstoreResponse
        ),
        "clientapi.ImageService/setImageSigstore": Method(
            wire.SetImageSigstoreRequest, wire.SetImageSigstoreResponse
        ),
        "clientapi.ImageService/exportImagePolicy": Method(
            wire.ExportImagePolicyRequest, wire.ExportImagePolicyResponse
        ),
        "clientapi.ImageService/setImagePolicy": Method(
            wire.SetImagePolicyRequest, wire.SetImagePolicyResponse
        ),
    }
)


def split_method(name: str) -> tuple[str, str]:
    """Service and method of a name in :data:`METHODS`."""
    service, _, method = name.partition("/")
    return service, method
